import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DependencyUnavailable } from '#core/error.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { partitionQuery } from '#table/table.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';

const KEY = { PK: 'A', SK: '1' };

describe('table over DynamoDB', () => {
  let local: TestTable;
  let table: DynamoDbTable;
  beforeAll(async () => {
    local = await startTable();
    table = openDynamoDbTable(local);
  });
  afterAll(async () => {
    table.close();
    await local.stop();
  });

  it('gets what was put, without undefined attributes', async () => {
    expect(await table.get(KEY)).toBeUndefined();
    await table.put({ ...KEY, number: 1.5, map: { a: 'x', gone: undefined }, list: [1, 'two'], flag: true });
    expect(await table.get(KEY, { consistent: true })).toEqual({
      ...KEY,
      number: 1.5,
      map: { a: 'x' },
      list: [1, 'two'],
      flag: true,
    });
  });

  it('refuses a put, update or delete whose condition fails, and shows what stands', async () => {
    const item = { PK: 'B', SK: '1', cseq: 7 };
    await table.put(item);
    const older = { condition: 'cseq < :cseq', values: { ':cseq': 7 } };
    expect(await table.put({ ...item, cseq: 0 }, older)).toEqual({ kind: 'refused', item });
    expect(await table.update(item, { update: 'SET x = :cseq', ...older })).toEqual({ kind: 'refused', item });
    expect(await table.delete(item, older)).toEqual({ kind: 'refused', item });
    expect(await table.get(item)).toEqual(item);
    expect(await table.delete({ PK: 'B', SK: 'none' }, older)).toEqual({ kind: 'refused' });
  });

  it('updates, and returns the new item on request only', async () => {
    const key = { PK: 'C', SK: '1' };
    const update = {
      update: 'SET #n = :name ADD version :one',
      names: { '#n': 'name' },
      values: { ':name': 'x', ':one': 1 },
    };
    expect(await table.update(key, update)).toEqual({ kind: 'done' });
    const item = { ...key, name: 'x', version: 2 };
    expect(await table.update(key, { ...update, returning: 'ALL_NEW' })).toEqual({ kind: 'done', item });
  });

  it('deletes; also what is not there', async () => {
    await table.put({ PK: 'D', SK: '1' });
    expect(await table.delete({ PK: 'D', SK: '1' })).toEqual({ kind: 'done' });
    expect(await table.delete({ PK: 'D', SK: '1' })).toEqual({ kind: 'done' });
    expect(await table.get({ PK: 'D', SK: '1' })).toBeUndefined();
  });

  it('queries a partition by prefix, all pages, or as many as wanted', async () => {
    const text = 'x'.repeat(300_000);
    const sortKeys = ['P#1', 'P#2', 'P#3', 'P#4', 'P#5', 'P#6'];
    for (const SK of [...sortKeys, 'Q#1']) await table.put({ PK: 'E', SK, text });
    const before = table.requestCounts.Query;
    const items = await table.query(partitionQuery('E', 'P#', { consistent: true }));
    expect(items.map(({ SK }) => SK)).toEqual(sortKeys);
    expect(table.requestCounts.Query - before).toBe(2);
    expect(await table.query(partitionQuery('E'))).toHaveLength(7);
    expect(await table.query(partitionQuery('E', 'P#', { limit: 2 }))).toHaveLength(2);
  });

  it('lets a malformed expression through as the defect that it is', async () => {
    const work = table.update(KEY, { update: 'SET' });
    await expect(work).rejects.toThrow(expect.objectContaining({ name: 'ValidationException' }));
  });
});

describe('table without its DynamoDB', () => {
  const servers: Server[] = [];
  afterAll(() => {
    for (const server of servers) server.close();
  });

  it('says so when nobody listens', async () => {
    const table = openDynamoDbTable({ tableName: 't', endpoint: 'http://127.0.0.1:1' });
    await expect(table.get(KEY)).rejects.toThrow(DependencyUnavailable);
  });

  it('says so within the deadline of a request when nothing answers', async () => {
    const table = openDynamoDbTable({ tableName: 't', endpoint: await silentServer() });
    const startedMs = performance.now();
    await expect(table.put({ ...KEY })).rejects.toThrow(DependencyUnavailable);
    expect(performance.now() - startedMs).toBeLessThan(4_000);
    table.close();
  });

  it.each([
    [400, 'ThrottlingException'],
    [400, 'ProvisionedThroughputExceededException'],
    [500, 'InternalServerError'],
    [503, 'ServiceUnavailable'],
  ])('says so on %i %s', async (status, type) => {
    const endpoint = await answeringServer(status, type);
    const table = openDynamoDbTable({ tableName: 't', endpoint });
    await expect(table.query(partitionQuery('A'))).rejects.toThrow(DependencyUnavailable);
    table.close();
  });

  const silentServer = () => listening(createServer(() => {}));
  const answeringServer = (status: number, type: string) =>
    listening(
      createServer((_request, response) => {
        response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' });
        response.end(JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${type}`, message: 'no' }));
      }),
    );

  async function listening(server: Server): Promise<string> {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return `http://127.0.0.1:${address.port}`;
  }
});
