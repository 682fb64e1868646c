import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { guardTable, refusalOf, rightsNeeded } from '#cdk/local/functions/table-guard.ts';
import { openDynamoDbTable } from '#table/dynamodb.ts';

const item = (PK: string) => ({ PK: { S: PK }, SK: { S: 'x' } });
const USER = item('USER#demo.example#1001');
const LEASE = item('GATEWAY#g1');

describe('what a request needs', () => {
  it('one item: its action with its partition key', () => {
    expect(rightsNeeded('GetItem', { Key: USER })).toEqual([{ action: 'GetItem', partitionKeys: [USER.PK.S] }]);
    expect(rightsNeeded('PutItem', { Item: USER })).toEqual([{ action: 'PutItem', partitionKeys: [USER.PK.S] }]);
  });

  it('a batch: one action with all keys', () => {
    const requests = [{ PutRequest: { Item: USER } }, { DeleteRequest: { Key: LEASE } }];
    expect(rightsNeeded('BatchWriteItem', { RequestItems: { t: requests } })).toEqual([
      { action: 'BatchWriteItem', partitionKeys: [USER.PK.S, LEASE.PK.S] },
    ]);
    expect(rightsNeeded('BatchGetItem', { RequestItems: { t: { Keys: [USER] } } })).toEqual([
      { action: 'BatchGetItem', partitionKeys: [USER.PK.S] },
    ]);
  });

  it('a transaction: each of its actions with all keys', () => {
    const TransactItems = [{ Put: { Item: USER } }, { Update: { Key: LEASE } }, { Put: { Item: USER } }];
    const partitionKeys = [USER.PK.S, LEASE.PK.S, USER.PK.S];
    expect(rightsNeeded('TransactWriteItems', { TransactItems })).toEqual([
      { action: 'PutItem', partitionKeys },
      { action: 'UpdateItem', partitionKeys },
    ]);
  });

  it('a query: its partition, or its index', () => {
    const KeyConditionExpression = 'PK = :pk AND begins_with(SK, :prefix)';
    const ExpressionAttributeValues = { ':prefix': { S: 'x' }, ':pk': USER.PK };
    const query = { KeyConditionExpression, ExpressionAttributeValues };
    expect(rightsNeeded('Query', query)).toEqual([{ action: 'Query', partitionKeys: [USER.PK.S] }]);
    expect(rightsNeeded('Query', { ...query, IndexName: 'listed' })).toMatchObject([{ index: 'listed' }]);
  });

  it('anything else: no role has it', () => {
    expect(() => rightsNeeded('Scan', { TableName: 't' })).toThrow('no role allows Scan');
  });
});

it('says who may not do what with what', () => {
  expect(refusalOf('lease', 'PutItem', { Item: LEASE })).toBeUndefined();
  expect(refusalOf('lease', 'PutItem', { Item: USER })).toBe(
    'lease is not authorized to perform: dynamodb:PutItem on resource: USER#demo.example#1001',
  );
  const query = {
    IndexName: 'due',
    KeyConditionExpression: 'dueShard = :s',
    ExpressionAttributeValues: { ':s': { S: '0' } },
  };
  expect(refusalOf('expire', 'Query', query)).toBeUndefined();
  expect(refusalOf('lease', 'Query', query)).toContain('dynamodb:Query on resource: index/due');
});

describe('a function under guard', () => {
  const received: string[] = [];
  const server = createServer((request, response) => {
    received.push(String(request.headers['x-amz-target']));
    request.resume().on('end', () => response.end('{}'));
  });

  beforeAll(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    guardTable('lease');
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it('gets through with what its role allows, and hears that access is denied before the table hears of the rest', async () => {
    vi.spyOn(console, 'error').mockReturnValue(undefined);
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const table = openDynamoDbTable({ tableName: 't', endpoint });
    expect(await table.put({ PK: LEASE.PK.S, SK: 'LEASE' })).toEqual({ kind: 'done' });
    await expect(table.get({ PK: USER.PK.S, SK: 'PROFILE' })).rejects.toMatchObject({ name: 'AccessDeniedException' });
    expect(received).toEqual(['DynamoDB_20120810.PutItem']);
    expect(console.error).toHaveBeenCalledWith(expect.stringContaining('access denied'));
    table.close();
  });
});
