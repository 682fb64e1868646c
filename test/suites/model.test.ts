/**
 * Any order, duplication and interleaving of publications, subscriptions, lost flows, dead gateways, time and stream
 * batches, against a simple model. Functions and gateways are the product's; the clock, the sockets and the stream are
 * the test's. `npm run model` runs thousands of cases.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { openMemoryTable } from '#test/support/memory-table.ts';
import { runCase, runCases } from './model-case.ts';
import type { Command } from './model-commands.ts';
import type { PublishedDocument } from './model-lamps.ts';
import { twinTable } from './model-table.ts';

const IN_MEMORY = Number(process.env.MODEL_RUNS ?? 300);
const ON_DYNAMODB = 20;
/** The same cases each time; `npm run model` looks for others. */
const seed = { seed: Number(process.env.MODEL_SEED ?? 1) };

let started: TestTable;
let dynamoDb: DynamoDbTable;
beforeAll(async () => {
  started = await startTable();
  dynamoDb = openDynamoDbTable(started);
});
afterAll(async () => {
  dynamoDb.close();
  await started.stop();
});

test(
  'every living watcher ends with the lamps of the model, numbered without a gap, never an older state',
  () => runCases({ runs: IN_MEMORY, ...seed, openTable: () => ({ table: openMemoryTable(), names: 'u' }) }),
  Math.max(90_000, IN_MEMORY * 100),
);

test('the same on DynamoDB, whose every answer is the one of the table in memory', async () => {
  const openTable = () => ({ table: twinTable(dynamoDb, openMemoryTable()), names: randomUUID().slice(0, 13) });
  const wasted = await runCases({ runs: ON_DYNAMODB, ...seed, openTable });
  expect(wasted).toBeLessThan(5);
});

test('a lamp that ran out unswept and is lit again the same is seen by who subscribed in between', async () => {
  const document: PublishedDocument = { scope: 'full', states: new Map([[2, 'early']]) };
  const at = { publisher: 0, presentity: 0 };
  const publish: Command = { kind: 'publish', isAwaited: true, at, document, seconds: 60, isTwice: true };
  const commands: Command[] = [
    publish,
    { kind: 'deliver', isAwaited: true, back: 0, count: 1, outage: undefined },
    { kind: 'pass', isAwaited: false, ms: 301_000 },
    { kind: 'forget', isAwaited: false, at },
    { kind: 'startAnew', isAwaited: true, watcher: 0, gateway: 0 },
    publish,
  ];
  const watchers = [{ presentity: 0, gateway: 0, isEarly: false }];
  const plan = { order: 0, isEager: false, presentities: 1, watchers, commands };
  expect(await runCase(plan, openMemoryTable(), 'u')).toBe(true);
});
