/**
 * Any order, duplication and interleaving of publications, subscriptions, lost flows, time and stream batches, against
 * a simple model. Functions, table and gateways are the product's; the clock, the sockets and the stream are the test's.
 */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import type { Watcher } from './model-actors.ts';
import { Cast, type Plan, plan } from './model-commands.ts';
import { lampsOf } from './model-lamps.ts';
import { World } from './model-world.ts';

/** Cases run side by side, each lane with a table of its own. */
const LANES = 4;
const runs = Number(process.env.MODEL_RUNS ?? 60);
const seed = process.env.MODEL_SEED === undefined ? {} : { seed: Number(process.env.MODEL_SEED) };
/** Cases that prove nothing, because the table did not answer in time. */
let wasted = 0;

const started: TestTable[] = [];
const tables: DynamoDbTable[] = [];
beforeAll(async () => {
  for (let lane = 0; lane < LANES; lane++) {
    const one = await startTable();
    started.push(one);
    tables.push(openDynamoDbTable(one));
  }
});
afterAll(async () => {
  for (const table of tables) table.close();
  for (const one of started) await one.stop();
});

test(
  `${runs} cases: every living watcher ends with the lamps of the model, numbered without a gap, never an older state`,
  async () => {
    const startedAtMs = performance.now();
    let done = 0;
    const check = (lane: number) =>
      fc.asyncProperty(plan, async (given) => {
        await runCase(given, lane);
        done += 1;
      });
    const numRuns = Math.ceil(runs / LANES);
    await Promise.all(Array.from({ length: LANES }, (_, lane) => fc.assert(check(lane), { numRuns, ...seed })));
    const eachMs = ((performance.now() - startedAtMs) / done).toFixed(0);
    process.stdout.write(`model: ${done} cases, ${eachMs} ms each, ${wasted} wasted on a table that did not answer\n`);
    expect(wasted).toBeLessThan(Math.max(5, done / 10));
  },
  Math.max(90_000, runs * 500),
);

async function runCase(given: Plan, lane: number): Promise<void> {
  const table = tables[lane];
  if (table === undefined) throw new Error(`no table for lane ${lane}`);
  const world = new World(table);
  const cast = new Cast(world, given, randomUUID().slice(0, 13));
  try {
    for (const step of given.commands) await cast.run(step);
    await world.settle();
    await end(world, cast);
  } catch (error) {
    if (!world.table.hasFailed) throw error;
    wasted += 1;
  } finally {
    world.nowMs += 7_200_000;
    await world.sweep().catch(() => undefined);
  }
}

/** Everything on its way arrives; then everyone comes back; then all that was published runs out. */
async function end(world: World, cast: Cast): Promise<void> {
  for (const watcher of cast.watchers) {
    watcher.answers = 200;
    watcher.answerHeld();
  }
  await world.drain();
  // Timer F lets go of the NOTIFYs that were never answered.
  await world.pass(33_000);
  await world.drain();
  requireLamps(world, cast);

  for (const watcher of cast.watchers) {
    if (!watcher.isConnected) watcher.connect(0, true);
    world.start(watcher.subscribe(7_200, false));
  }
  await world.settle();
  await world.drain();
  requireLamps(world, cast);

  await world.pass(700_000);
  await world.drain();
  requireLamps(world, cast);
  for (const watcher of cast.watchers) requireCounting(watcher);
}

function requireLamps(world: World, cast: Cast): void {
  for (const watcher of cast.watchers) {
    if (!watcher.isConnected || watcher.living === undefined) continue;
    const lamps = lampsOf(cast.published[watcher.presentity] ?? [], world.nowMs);
    expect(watcher.living.told.at(-1)?.lamps, `lamps of ${watcher.living.callId}`).toEqual(lamps);
  }
}

/** CSeq and document version by one from NOTIFY to NOTIFY of a gateway, up from gateway to gateway; states never back. */
function requireCounting(watcher: Watcher): void {
  for (const { told, written, callId } of watcher.dialogs) {
    told.forEach((one, n) => {
      const before = told[n - 1];
      if (before === undefined) return;
      expect(one.stateVersion, `state of NOTIFY ${n} of ${callId}`).toBeGreaterThanOrEqual(before.stateVersion);
      expect(one.cseq, `CSeq of NOTIFY ${n} of ${callId}`).toBeGreaterThan(before.cseq);
      expect(one.documentVersion, `version of NOTIFY ${n} of ${callId}`).toBeGreaterThan(before.documentVersion);
      expect(before.subscriptionState, `NOTIFY ${n} after the last one of ${callId}`).toMatch(/^active/);
    });
    written.forEach((one, n) => {
      const before = written[n - 1];
      if (before === undefined || before.gateway !== one.gateway || one.mayJump) return;
      const step = [one.cseq - before.cseq, one.documentVersion - before.documentVersion];
      expect(step, `step to NOTIFY ${n} of ${callId}`).toEqual([1, 1]);
    });
    expect(written[0]?.documentVersion ?? 0, `first version of ${callId}`).toBe(0);
  }
}
