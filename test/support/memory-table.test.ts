/** The table in memory does what DynamoDB does, in the table's own expressions and at their edges. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { type Condition, partitionQuery, type Table, type Update } from '#table/table.ts';
import { startTable, type TestTable } from './dynamodb.ts';
import { openMemoryTable } from './memory-table.ts';

let started: TestTable;
let real: DynamoDbTable;
let partition = 0;
beforeAll(async () => {
  started = await startTable();
  real = openDynamoDbTable(started);
});
afterAll(async () => {
  real.close();
  await started.stop();
});

const ITEM = { n: 7, s: 'abc', yes: true, kv: { a: 1, b: 'x' }, list: [1, 2], empty: {} };

/** What the work gives on both tables, each with the item in it: answers, the partition after it, or that it throws. */
async function outcomes(work: (table: Table, key: { PK: string; SK: string }) => Promise<unknown>): Promise<unknown[]> {
  partition += 1;
  const key = { PK: `P${partition}`, SK: 'WATCHER#1' };
  const each = async (table: Table): Promise<unknown> => {
    await table.put({ ...key, ...ITEM, gone: undefined });
    const answer = await work(table, key).catch(() => 'thrown');
    return { answer, after: await table.query(partitionQuery(key.PK, undefined, { consistent: true })) };
  };
  return [await each(real), await each(openMemoryTable())];
}

const VALUE = { ':v': 7 };
const conditions: readonly [string, Condition['values']?, Condition['names']?][] = [
  ...['n = :v', 'n <> :v', 'n < :v', 'n <= :v', 'n > :v', 'n >= :v', 's = :v', 's <> :v', 's < :v', 'nix = :v'].map(
    (text): [string, Condition['values']] => [text, VALUE],
  ),
  ...['nix <> :v', 'nix < :v', 'kv.a < :v', 'kv.nix <> :v', 'size(s) < :v', 'size(kv) < :v', 'size(nix) < :v'].map(
    (text): [string, Condition['values']] => [text, VALUE],
  ),
  ...['NOT n = :v', 'n IN (:v)', 'contains(s, :v)', 'n =', 'n = :w', '(n = :v', 'n = :v AND', 'n : :v', '#n = :v'].map(
    (text): [string, Condition['values']] => [text, VALUE],
  ),
  ['attribute_exists(kv.a) AND attribute_not_exists(kv.c)'],
  ['attribute_exists(nix) OR attribute_not_exists(n)'],
  ['begins_with(s, :v)', { ':v': 'ab' }],
  ['begins_with(s, :v)', { ':v': 'b' }],
  ['begins_with(nix, :v)', { ':v': '' }],
  ['yes = :v', { ':v': true }],
  ['yes = :v OR n = :w AND s = :w', { ':v': false, ':w': 7 }],
  ['(yes = :v OR n = :w) AND s <> :w', { ':v': false, ':w': 7 }],
  ['#n = :v', VALUE, { '#n': 'n' }],
  ['#kv.#a < :v', VALUE, { '#kv': 'kv', '#a': 'a' }],
  ['n = :v', { ...VALUE, ':unused': 1 }],
  ['n = :v', VALUE, { '#unused': 'n' }],
];
// What the table's items do not use is refused in memory, which a test would see; DynamoDB knows it.
const ONLY_DYNAMODB = new Set(['NOT n = :v', 'n IN (:v)', 'contains(s, :v)']);

test.each(conditions)('condition %s with %o', async (condition, values, names) => {
  const given = { condition, ...(values && { values }), ...(names && { names }) };
  const [dynamoDb, memory] = await outcomes((table, key) => table.delete(key, { ...given, returning: 'ALL_OLD' }));
  if (ONLY_DYNAMODB.has(condition)) expect(memory).toMatchObject({ answer: 'thrown' });
  else expect(memory).toEqual(dynamoDb);
});

const updates: readonly [string, Condition['values']?, Condition['names']?][] = [
  ['SET n = n + :v', VALUE],
  ['SET n = n - :v, x = n', VALUE],
  ['SET x = if_not_exists(x, :v) + :v, y = if_not_exists(n, :v)', VALUE],
  ['SET kv.c = :v, kv.a = s REMOVE kv.b', VALUE],
  ['SET #empty.#a = :v', VALUE, { '#empty': 'empty', '#a': 'a' }],
  ['SET nix.a = :v', VALUE],
  ['SET x = nix', undefined],
  ['SET s = s + :v', VALUE],
  ['SET x = :v', { ':v': { a: undefined, b: [undefined, 1], c: {} } }],
  ['REMOVE nix, n'],
  ['REMOVE nix.a'],
  ['ADD n :v', VALUE],
  ['ADD x :v', VALUE],
  ['ADD s :v', VALUE],
  ['SET x = :v ADD n :v REMOVE s', VALUE],
  ['SET', undefined],
  ['PUT x = :v', VALUE],
  ['SET x = :v, n = :w', VALUE],
];
const returns = ['ALL_NEW', 'ALL_OLD'] as const satisfies Update['returning'][];

test.each(updates)('update %s with %o', async (update, values, names) => {
  const given = { update, ...(values && { values }), ...(names && { names }) };
  for (const returning of returns) {
    const [dynamoDb, memory] = await outcomes(async (table, key) => [
      await table.update(key, { ...given, returning }),
      await table.update({ ...key, SK: 'new' }, { ...given, condition: 'attribute_not_exists(PK)', returning }),
    ]);
    expect(memory).toEqual(dynamoDb);
  }
});

test('queries: order, prefix, projection, filter, limit', async () => {
  const [dynamoDb, memory] = await outcomes(async (table, { PK }) => {
    for (const SK of ['WATCHER#é', 'WATCHER#2', 'DEVICE#1', 'WATCHER#10', 'WATCHER#z'])
      await table.put({ PK, SK, s: SK, n: 1 });
    return [
      await table.query(partitionQuery(PK)),
      await table.query(partitionQuery(PK, 'WATCHER#', { projection: 'SK, n', consistent: true })),
      await table.query({ ...partitionQuery(PK, 'WATCHER#', { limit: 2 }) }),
      await table.query({
        keyCondition: 'PK = :pk',
        values: { ':pk': PK, ':one': 1 },
        filter: 'n = :one AND attribute_not_exists(kv)',
      }),
    ];
  });
  expect(memory).toEqual(dynamoDb);
});

test('batches', async () => {
  const [dynamoDb, memory] = await outcomes(async (table, key) => {
    await table.writeBatch({ put: [{ ...key, SK: 'a', x: 1, y: undefined }], delete: [key, { ...key, SK: 'none' }] });
    return table.getBatch([{ ...key, SK: 'a' }, key]);
  });
  expect(memory).toEqual(dynamoDb);
});
