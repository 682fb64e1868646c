/** Whatever order, duplication, crash and overlap of the same words and snapshots: the lamps at the end are the same. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DIALOG_RANK, type DialogState } from '#core/dialog.ts';
import { DependencyUnavailable } from '#core/error.ts';
import { dialogWord } from '#core/ingest.ts';
import { composeDialogs } from '#core/presentity.ts';
import { type IngesterPorts, ingest, reconcile } from '#roles/ingester.ts';
import { sweep } from '#roles/sweeper.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { loadPresentity } from '#table/presentity-item.ts';
import type { Table } from '#table/table.ts';
import { userItem } from '#table/user-item.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { T0 } from '#test/support/envelope.ts';
import { openMemoryTable } from '#test/support/memory-table.ts';

const USERS = ['1001', '1002'];
const IDS = ['a', 'b'];
const STATES = ['trying', 'early', 'confirmed', 'terminated'] as const satisfies DialogState[];
/** All of a case happens before what ended is forgotten. */
const STEP_MS = 9_000;
const LEASE_SECONDS = 3_600;

const named = fc.record({ user: fc.constantFrom(...USERS), id: fc.constantFrom(...IDS) });
const event = fc.record({ kind: fc.constant('event' as const), of: named, state: fc.constantFrom(...STATES) });
const snapshot = fc.record({
  kind: fc.constant('snapshot' as const),
  dialogs: fc.uniqueArray(fc.record({ of: named, state: fc.constantFrom(...STATES) }), {
    maxLength: 3,
    selector: ({ of }) => `${of.user} ${of.id}`,
  }),
});
const said = fc.record({
  sequence: fc.nat(8),
  what: fc.oneof({ weight: 4, arbitrary: event }, { weight: 1, arbitrary: snapshot }),
});
type Said = typeof said extends fc.Arbitrary<infer T> ? T : never;
/** No two snapshots with one number: they would be two truths of one moment. */
const history = fc
  .array(said, { minLength: 1, maxLength: 10 })
  .map((all) =>
    all.filter(
      ({ what, sequence }, at) =>
        what.kind === 'event' ||
        all.findIndex((other) => other.what.kind === 'snapshot' && other.sequence === sequence) === at,
    ),
  );
/** The same things in another order, some of them twice. */
const disorder = history.chain((all) =>
  fc.record({
    all: fc.constant(all),
    order: fc
      .shuffledSubarray(
        [...all.keys()].flatMap((index) => [index, index]),
        { minLength: all.length * 2 },
      )
      .chain((order) => fc.nat(all.length).map((dropped) => withoutRepeats(order, dropped))),
    faults: fc.array(fc.constantFrom('none', 'none', 'none', 'before', 'after'), { maxLength: 60 }),
  }),
);

/** Leaves the second mention of so many away. */
function withoutRepeats(order: readonly number[], dropped: number): number[] {
  return order.filter((index, at) => index >= dropped || order.indexOf(index) === at);
}

/** What must show at the end, by a rule that looks at all at once: the latest word of each dialog, by number and rank. */
function expectedLamps(all: readonly Said[]): Record<string, string[]> {
  const lamps = USERS.map((user): [string, string[]] => {
    const live = IDS.flatMap((id) => {
      const words = all.flatMap(({ sequence, what }) => wordsAbout(user, id, sequence, what));
      const [latest] = words.toSorted((left, right) => right.sequence - left.sequence || right.rank - left.rank);
      return latest === undefined || latest.state === 'terminated' ? [] : [`${id} ${latest.state}`];
    });
    return [user, live];
  });
  return Object.fromEntries(lamps);
}

function wordsAbout(user: string, id: string, sequence: number, what: Said['what']) {
  // A snapshot knows all up to its number.
  const most = what.kind === 'snapshot' ? 10 : 0;
  const wordOf = (state: DialogState) => [{ sequence, state, rank: most + DIALOG_RANK[state] }];
  const isMeant = ({ of }: { of: { user: string; id: string } }): boolean => of.user === user && of.id === id;
  if (what.kind === 'event') return isMeant(what) ? wordOf(what.state) : [];
  return wordOf(what.dialogs.find(isMeant)?.state ?? 'terminated');
}

interface World {
  readonly domain: string;
  readonly ports: IngesterPorts;
}

async function take({ domain, ports }: World, { sequence, what }: Said, nowMs: number): Promise<boolean> {
  const isOfSnapshot = what.kind === 'snapshot';
  const from = { source: 'pbx', sequence, leaseSeconds: LEASE_SECONDS, isOfSnapshot };
  if (what.kind === 'event') {
    const word = dialogWord({ id: what.of.id, state: what.state }, from, nowMs);
    const [result] = await ingest([{ user: what.of.user, word }], domain, ports, nowMs);
    return result?.kind === 'applied' || result?.kind === 'late';
  }
  const words = what.dialogs.map(({ of, state }) => ({
    user: of.user,
    word: dialogWord({ id: of.id, state }, from, nowMs),
  }));
  const answer = await reconcile({ domain, source: 'pbx', sequence, words }, ports, nowMs);
  return answer.kind === 'applied' || answer.kind === 'late';
}

/** The source repeats what was not taken, as HTTP clients do. */
async function takeAtLast(world: World, one: Said, nowMs: number): Promise<void> {
  for (let attempt = 0; attempt < 30; attempt += 1) {
    try {
      if (await take(world, one, nowMs)) return;
    } catch (error) {
      if (!(error instanceof DependencyUnavailable)) throw error;
    }
  }
  throw new Error('never taken');
}

async function lampsIn(table: Table, domain: string, nowMs: number): Promise<Record<string, string[]>> {
  const lamps = USERS.map(async (user): Promise<[string, string[]]> => {
    const { publications } = await loadPresentity(table, { domain, user });
    const live = composeDialogs(publications, nowMs).filter(({ state }) => state !== 'terminated');
    return [user, live.map(({ id, state }) => `${id} ${state}`).toSorted()];
  });
  return Object.fromEntries(await Promise.all(lamps));
}

/** A table some of whose writes are cut short: before they are made, or before their answer. */
function faulty(table: Table, faults: readonly string[]): Table {
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
    put: (...given) => meet(() => table.put(...given)),
    update: (...given) => meet(() => table.update(...given)),
    delete: (...given) => meet(() => table.delete(...given)),
    writeBatch: (...given) => meet(() => table.writeBatch(...given)),
  };
}

let count = 0;

async function worldOn(table: Table, faults: readonly string[]): Promise<World> {
  const domain = `i${++count}.example`;
  for (const user of USERS) await table.put(userItem({ domain, user, role: 'user', sealedHa1: 'sealed' }));
  return { domain, ports: { table: faulty(table, faults), uniqueText: () => String(++count) } };
}

type Case = typeof disorder extends fc.Arbitrary<infer T> ? T : never;

/** @param workers how many take the next one side by side */
async function holds({ all, order, faults }: Case, table: Table, workers: number): Promise<void> {
  const world = await worldOn(table, faults);
  let nowMs = T0;
  const queue = order.values();
  const worker = async (): Promise<void> => {
    for (const index of queue) {
      const one = all[index];
      if (one) await takeAtLast(world, one, nowMs);
      nowMs += STEP_MS;
      await sweep({ table, telemetry: { log: () => undefined }, startWebhook: async () => undefined }, nowMs);
    }
  };
  await Promise.all(Array.from({ length: workers }, worker));
  expect(await lampsIn(table, world.domain, nowMs)).toEqual(expectedLamps(all));
}

const settings = { endOnFailure: true, seed: Number(process.env.INGEST_SEED ?? 1) };

it('holds on the table in memory, one after the other', async () => {
  await fc.assert(
    fc.asyncProperty(disorder, (given) => holds(given, openMemoryTable(), 1)),
    { ...settings, numRuns: Number(process.env.INGEST_RUNS ?? 300) },
  );
});

it('holds on the table in memory, with several at once', async () => {
  await fc.assert(
    fc.asyncProperty(disorder, (given) => holds(given, openMemoryTable(), 3)),
    { ...settings, numRuns: Number(process.env.INGEST_RUNS ?? 300) },
  );
});

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

it('holds on DynamoDB, with several at once', async () => {
  await fc.assert(
    fc.asyncProperty(disorder, (given) => holds(given, dynamoDb, 4)),
    { ...settings, numRuns: 40 },
  );
});
