/** Whatever order, crash and redelivery: limits hold, every slot is released once, every call leaves one record. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DependencyUnavailable } from '#core/error.ts';
import { composeDialogs } from '#core/presentity.ts';
import { routeCall } from '#roles/call-router.ts';
import { reportCalls } from '#roles/dialog-monitor.ts';
import { sweep } from '#roles/sweeper.ts';
import { loadStatistics } from '#table/call-counters.ts';
import { type Call, loadCalls } from '#table/call-item.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { recordPartition, tenantKey } from '#table/keys.ts';
import { loadPresentity } from '#table/presentity-item.ts';
import { partitionQuery, type Table } from '#table/table.ts';
import {
  bind,
  inviteOf,
  lease,
  routerPorts,
  seedTenant,
  snapshotOf,
  type TestCall,
  type Told,
} from '#test/support/calls.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { T0 } from '#test/support/envelope.ts';

const RUNS = Number(process.env.CALLS_RUNS ?? 15);
const CALLS = 8;
const WORKERS = 4;
const STORM = 30;
const USERS = ['1001', '1002', '1003'] as const;
const LIMITS = { total: 4, user: 2 } as const;
/** The dead gateway of all calls; its lease lapsed before they began. */
const HOME = 'home';

let started: TestTable;
let table: DynamoDbTable;
let count = 0;

beforeAll(async () => {
  started = await startTable();
  table = openDynamoDbTable(started);
  await lease(table, T0);
});
afterAll(async () => {
  table.close();
  await started.stop();
});

/** What befalls a write: nothing, it is not made, or it is made and its answer is lost. */
const fault = fc.oneof(
  { weight: 6, arbitrary: fc.constant('none' as const) },
  { weight: 1, arbitrary: fc.constant('before' as const) },
  { weight: 1, arbitrary: fc.constant('after' as const) },
);
const step = fc.record({
  call: fc.nat(CALLS - 1),
  what: fc.constantFrom('start', 'start', 'ring', 'answer', 'end', 'endAgain'),
  faults: fc.array(fault, { minLength: 4, maxLength: 4 }),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The table of one step, whose writes meet its faults in order. */
function faulty(faults: readonly string[]): Table {
  const queue = faults.values();
  const meet = async <T>(write: () => Promise<T>): Promise<T> => {
    const kind = queue.next().value;
    if (kind === 'before') throw new DependencyUnavailable('cut before');
    const result = await write();
    if (kind === 'after') throw new DependencyUnavailable('cut after');
    return result;
  };
  return {
    ...table,
    update: (...given) => meet(() => table.update(...given)),
    transact: (...given) => meet(() => table.transact(...given)),
  };
}

interface World {
  readonly domain: string;
  /** Routed calls by number. */
  readonly routes: Map<number, TestCall>;
  readonly sequences: Map<number, number>;
  /** Users of the calls that have been routed and that nobody has tried to end. */
  readonly talking: Map<number, readonly string[]>;
}

const usersOf = (number: number): [caller: string, callee: string] => [
  USERS[number % 3] ?? '1001',
  USERS[(number + 1 + (number % 2)) % 3] ?? '1002',
];

async function take(world: World, { call, what, faults }: Step): Promise<void> {
  const on = faulty(faults);
  try {
    if (what === 'start') await start(world, call, on);
    else await tell(world, call, what, on);
  } catch (error) {
    // A table that was too slow is a fault like the others.
    if (!(error instanceof DependencyUnavailable)) throw error;
  }
}

async function start(world: World, number: number, on: Table): Promise<void> {
  if (world.routes.has(number)) return;
  const { domain } = world;
  const [from, to] = usersOf(number);
  const invite = inviteOf({ domain, from, to, callId: `call-${number}`, gatewayId: HOME });
  const { route, response } = await routeCall(invite, { ...routerPorts(table), table: on }, T0);
  if (route === undefined) {
    // 482: its answer was lost, and it has been ended since.
    expect([482, 486]).toContain(response.status);
    return;
  }
  if (!world.routes.has(number)) world.talking.set(number, [...new Set([from, to])]);
  world.routes.set(number, { ...route, headers: [], callId: `call-${number}` });
  requireWithinLimits([...world.talking.values()]);
}

function requireWithinLimits(talking: readonly (readonly string[])[]): void {
  expect(talking.length).toBeLessThanOrEqual(LIMITS.total);
  for (const user of USERS)
    expect(talking.filter((users) => users.includes(user)).length).toBeLessThanOrEqual(LIMITS.user);
}

const FORKS = { ring: 'early', answer: 'confirmed', end: 'terminated', endAgain: 'terminated' } as const;

async function tell(world: World, number: number, what: keyof typeof FORKS, on: Table): Promise<void> {
  const call = world.routes.get(number);
  if (call === undefined) return;
  const sequence = (world.sequences.get(number) ?? 0) + 1;
  world.sequences.set(number, sequence);
  const state = FORKS[what];
  if (state === 'terminated') world.talking.delete(number);
  const callee = { aor: call.callee, tag: 'to-0' };
  const isAnswered = state === 'confirmed' || what === 'endAgain';
  const more: Told['more'] = {
    ...(isAnswered && { answeredAtMs: T0 + 1_000, callee }),
    ...(state === 'terminated' && { endedAtMs: T0 + 2_000, cause: isAnswered ? 'bye' : 'cancelled' }),
  };
  const told = snapshotOf(call, T0, { sequence, state, forks: [{ tag: 'to-0', state }], more });
  await reportCalls({ snapshots: [told] }, { table: on, telemetry: { log: () => undefined } }, T0);
}

/** Everything ends, as with the home gateway: its lease has lapsed. */
async function sweepAll(world: World): Promise<void> {
  const ports = { table, telemetry: { log: () => undefined } };
  for (let attempt = 0; attempt < 20; attempt += 1) {
    await lease(table, T0 - 3_600_000 + attempt, HOME);
    await sweep({ ...ports, startWebhook: async () => undefined }, T0 + 10);
    const calls = await callsOf(world);
    if (calls.every(({ snapshot }) => snapshot.state === 'terminated')) return;
  }
  throw new Error('the sweep leaves calls behind');
}

const callsOf = async ({ domain }: World): Promise<Call[]> =>
  (await Promise.all(Array.from({ length: CALLS }, (_, number) => loadCalls(table, domain, `call-${number}`)))).flat();

async function check(world: World): Promise<void> {
  const { domain } = world;
  const calls = await callsOf(world);
  const records = await table.query(partitionQuery(recordPartition(domain), undefined, { consistent: true }));
  expect(records.map(({ id }) => id).toSorted()).toEqual(calls.map(({ snapshot }) => snapshot.callKey).toSorted());
  const sizes = await table.query(partitionQuery(tenantKey(domain).PK, 'SIZE#', { consistent: true }));
  expect(sizes.filter(({ size }) => size !== 0)).toEqual([]);
  const failed = records.filter(({ answeredAtMs }) => answeredAtMs === undefined).length;
  expect(await loadStatistics(table, domain)).toEqual({ processed: calls.length, failed, early: 0, active: 0 });
  for (const user of USERS) {
    const { publications } = await loadPresentity(table, { domain, user });
    expect(composeDialogs(publications, T0).filter(({ state }) => state !== 'terminated')).toEqual([]);
  }
}

it('holds for concurrent starts, ends, crashes and redeliveries of the calls of one tenant', async () => {
  let sawFullTenant = false;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
      const domain = `p${++count}.example`;
      const limits = Object.entries(LIMITS).map(([profile, limit]) => ({ profile, limit, status: 486 as const }));
      await seedTenant(table, domain, { limits });
      await Promise.all(USERS.map((user) => bind(table, domain, user, T0)));
      const world: World = { domain, routes: new Map(), sequences: new Map(), talking: new Map() };
      const queue = steps.values();
      const worker = async (): Promise<void> => {
        for (const one of queue) {
          await take(world, one);
          sawFullTenant ||= world.talking.size >= 3;
        }
      };
      await Promise.all(Array.from({ length: WORKERS }, worker));
      await sweepAll(world);
      await check(world);
    }),
    { numRuns: RUNS, endOnFailure: true, seed: Number(process.env.CALLS_SEED ?? 1) },
  );
  expect(sawFullTenant).toBe(true);
});

it('admits exactly as many of a storm of calls as the limit allows, and refuses the others as it says', async () => {
  const domain = 'storm.example';
  const limits = [{ profile: 'total', limit: 5, status: 486 as const, reason: 'All Lines Busy' }];
  await seedTenant(table, domain, { limits });
  await bind(table, domain, '1002', T0);
  const ports = routerPorts(table);
  // A table that is too slow means 503 and another try, which must not count twice.
  const placeCall = async (callId: string): ReturnType<typeof routeCall> => {
    for (;;) {
      try {
        return await routeCall(inviteOf({ domain, callId, gatewayId: 'gateway-1' }), ports, T0);
      } catch (error) {
        if (!(error instanceof DependencyUnavailable)) throw error;
      }
    }
  };
  const outcomes = await Promise.all(Array.from({ length: STORM }, (_, index) => placeCall(`storm-${index}`)));
  expect(outcomes.filter(({ route }) => route !== undefined)).toHaveLength(5);
  const refused = outcomes.filter(({ route }) => route === undefined).map(({ response }) => response);
  expect(new Set(refused.map(({ status, reason }) => `${status} ${reason}`))).toEqual(new Set(['486 All Lines Busy']));
  expect(await loadStatistics(table, domain)).toEqual({ processed: 5, failed: 0, early: 5, active: 0 });
}, 300_000);
