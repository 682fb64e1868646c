import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { changeWrite, removalWrite } from '#table/resource-write.ts';
import { countItem, countWrite, loadCounts } from '#table/tenant-counts.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';

let started: TestTable;
let table: DynamoDbTable;

beforeAll(async () => {
  started = await startTable();
  table = openDynamoDbTable(started);
});
afterAll(async () => {
  table.close();
  await started.stop();
});

it('counts users and lists of one tenant, in a transaction with what is counted', async () => {
  await table.put(countItem('a.example', { users: 20, lists: 1 }));
  const key = { PK: 'THING', SK: 'THING' };
  const made = await table.transact([
    changeWrite(key, { name: 'n', gone: undefined }, undefined, 7),
    countWrite('a.example', 'users', '1021', 1),
  ]);
  expect(made).toEqual({ kind: 'done' });
  expect(await table.get(key)).toEqual({ ...key, name: 'n', version: 7 });
  expect(await loadCounts(table, 'a.example')).toEqual({ users: 21, lists: 1, webhooks: 0 });
  const stale = [removalWrite(key, 6), countWrite('a.example', 'users', '1021', -1)];
  expect(await table.transact(stale)).toMatchObject({ kind: 'refused', refusals: [{ index: 0 }] });
  expect(await loadCounts(table, 'a.example')).toEqual({ users: 21, lists: 1, webhooks: 0 });
  await table.transact([removalWrite(key, 7), countWrite('a.example', 'users', '1021', -1)]);
  expect([await table.get(key), await loadCounts(table, 'a.example')]).toEqual([
    undefined,
    { users: 20, lists: 1, webhooks: 0 },
  ]);
  await table.put({ ...key, name: 'an item that no change has given a version' });
  expect(await table.transact([changeWrite(key, { name: 'n' }, undefined, 8)])).toMatchObject({ kind: 'refused' });
  expect(await table.transact([removalWrite(key, 0)])).toEqual({ kind: 'done' });
  expect(await table.get(key)).toBeUndefined();
  expect(await loadCounts(table, 'b.example')).toEqual({ users: 0, lists: 0, webhooks: 0 });
});
