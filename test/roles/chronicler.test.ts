import { marshall } from '@aws-sdk/util-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DependencyUnavailable } from '#core/error.ts';
import { type ChroniclerPorts, chronicle } from '#roles/chronicler.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { listChanges } from '#table/history-item.ts';
import { stateKey } from '#table/keys.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { T0 } from '#test/support/envelope.ts';

let started: TestTable;
let table: DynamoDbTable;
let users = 0;
let presentity: { domain: string; user: string };
const logged: unknown[][] = [];

beforeAll(async () => {
  started = await startTable();
  table = openDynamoDbTable(started);
});
afterAll(async () => {
  table.close();
  await started.stop();
});
beforeEach(() => {
  presentity = { domain: 'demo.example', user: `20${users++}` };
  logged.length = 0;
});

const portsWith = (more: Partial<ChroniclerPorts> = {}): ChroniclerPorts => ({
  ...{ table, telemetry: { log: (...all: unknown[]) => logged.push(all) }, historyHours: 24 },
  ...{ isServed: async () => true, pause: () => new Promise(() => undefined) },
  ...more,
});

/** A stream record of the state before and after, of a presentity that is registered or not. */
function record(version: number, registered: boolean, user = presentity.user): unknown {
  const key = stateKey(presentity.domain, user);
  const image = (at: number, isRegistered: boolean) =>
    marshall({ ...key, version: at, changedAtMs: T0 + at, registered: isRegistered });
  return {
    eventName: 'MODIFY',
    dynamodb: {
      ...{ SequenceNumber: String(version), Keys: marshall(key) },
      ...{ OldImage: image(version - 1, !registered), NewImage: image(version, registered) },
    },
  };
}
const changes = async (limit = 50) => (await listChanges(table, presentity, limit)).items;

describe('chronicle', () => {
  it('writes the changes of a batch, 25 at once, and nothing twice', async () => {
    const lamps = [presentity.user, `${presentity.user}-b`, `${presentity.user}-c`];
    const records = Array.from({ length: 60 }, (_, i) => record((i % 20) + 1, i % 2 === 0, lamps[Math.floor(i / 20)]));
    const before = { ...table.requestCounts };
    await chronicle(records, portsWith());
    expect(table.requestCounts).toEqual({ ...before, BatchWriteItem: before.BatchWriteItem + 3 });
    await chronicle([...records, ...records], portsWith());
    const all = await changes(200);
    expect(all.map(({ version }) => version)).toEqual(Array.from({ length: 20 }, (_, i) => 20 - i));
    expect(all[0]).toMatchObject({ atMs: T0 + 20, registered: false, sources: [{ cause: 'registration' }] });
    expect(logged).toEqual([]);
  });

  it('writes of a lamp in a storm only the newest changes, and all of the others', async () => {
    const other = `${presentity.user}-other`;
    const storm = Array.from({ length: 100 }, (_, i) => record(i + 1, i % 2 === 0));
    await chronicle([record(1, true, other), ...storm, record(2, false, other)], portsWith());
    expect((await changes(200)).map(({ version }) => version)).toEqual(Array.from({ length: 20 }, (_, i) => 100 - i));
    expect((await listChanges(table, { ...presentity, user: other }, 10)).items).toHaveLength(2);
  });

  it('is paged, the newest first', async () => {
    await chronicle(
      [1, 2, 3].map((version) => record(version, version % 2 === 1)),
      portsWith(),
    );
    const first = await listChanges(table, presentity, 2);
    expect(first.items.map(({ version }) => version)).toEqual([3, 2]);
    const second = await listChanges(table, presentity, 2, first.place);
    expect(second).toMatchObject({ items: [{ version: 1 }] });
    expect(second.place).toBeUndefined();
  });

  it('writes nothing of a tenant that is being removed, nor when it is switched off', async () => {
    await chronicle([record(1, true)], portsWith({ isServed: async () => false }));
    await chronicle([record(1, true)], portsWith({ historyHours: 0 }));
    expect(await changes()).toEqual([]);
  });

  it('never fails, and never waits long: the lamps of the next batch are behind it', async () => {
    const away = { ...table, writeBatch: () => Promise.reject(new DependencyUnavailable('away')) };
    await chronicle([record(1, true)], portsWith({ table: away }));
    expect(logged).toMatchObject([['warn', 'history', { error: 'DependencyUnavailable' }]]);
    const hanging = { ...table, writeBatch: () => new Promise<void>(() => undefined) };
    await chronicle([record(1, true)], portsWith({ table: hanging, pause: async () => undefined }));
    expect(logged[1]).toMatchObject(['warn', 'history', { outcome: 'late' }]);
  });

  it('leaves what cannot be read to the fan-out', async () => {
    await chronicle([{ dynamodb: {} }, record(2, true)], portsWith());
    expect(await changes()).toHaveLength(1);
  });
});
