import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Binding } from '#core/binding.ts';
import { DependencyUnavailable } from '#core/error.ts';
import { monitorRegistrations } from '#roles/registration-monitor.ts';
import { sweep } from '#roles/sweeper.ts';
import { loadBindings, removeBinding, saveBinding } from '#table/binding-item.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { countChangesUntil } from '#table/presentity-changes.ts';
import { loadPresentity } from '#table/presentity-item.ts';
import type { Table } from '#table/table.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { T0 } from '#test/support/envelope.ts';

let started: TestTable;
let table: DynamoDbTable;
let userCount = 0;
/** A user of its own for each test. */
let user: string;
const logged: unknown[] = [];
const telemetry = { log: (...all: unknown[]) => logged.push(all) };

beforeAll(async () => {
  started = await startTable();
  table = openDynamoDbTable(started);
});

afterAll(async () => {
  table.close();
  await started.stop();
});

beforeEach(() => {
  userCount += 1;
  user = `50${userCount}`;
  logged.length = 0;
});

const address = () => ({ domain: 'demo.example', user });
const state = () => loadPresentity(table, address());
const binding = (id: string, more: Partial<Binding> = {}): Binding => ({
  ...{ id, contactUri: `sip:${id}@x.invalid`, params: [], gatewayId: 'g', flowId: 'f', callId: 'c', cseq: 1 },
  ...{ updatedAtMs: T0, expiresAtMs: T0 + 60_000 },
  ...more,
});
const record = (eventName: 'INSERT' | 'MODIFY' | 'REMOVE', id = 'b1', sequenceNumber = '7') => {
  const Keys = { PK: { S: `USER#demo.example#${user}` }, SK: { S: `BINDING#${id}` } };
  return { eventName, dynamodb: { SequenceNumber: sequenceNumber, Keys } };
};
let isServed = true;
const settle = (records: readonly unknown[], nowMs = T0, through: Table = table) =>
  monitorRegistrations(records, { table: through, telemetry, isServed: async () => isServed }, nowMs);

describe('registration monitor', () => {
  it('writes nothing of a tenant that is being removed', async () => {
    isServed = false;
    await saveBinding(table, address(), binding('b1'));
    expect(await settle([record('INSERT')])).toEqual([]);
    expect(await settle([record('REMOVE')])).toEqual([]);
    isServed = true;
    expect((await state()).version).toBe(0);
  });

  it('marks a presentity as registered with the first binding, and says so once', async () => {
    await saveBinding(table, address(), binding('b1'));
    expect(await settle([record('INSERT')])).toEqual([]);
    const first = await state();
    expect([first.registered, first.version, first.changedAtMs]).toEqual([true, T0 + 1, T0]);
    await saveBinding(table, address(), binding('b2'));
    const before = { ...table.requestCounts };
    await settle([record('INSERT', 'b2')], T0 + 5);
    expect(await state()).toEqual(first);
    expect(table.requestCounts.UpdateItem - before.UpdateItem).toBe(1);
  });

  it('counts every change of bindings while somebody watches them', async () => {
    await countChangesUntil(table, address(), 'reg', T0 + 60_000, T0);
    await saveBinding(table, address(), binding('b1'));
    await settle([record('INSERT', 'b1')]);
    await settle([record('MODIFY', 'b1')]);
    expect(await state()).toMatchObject({ registered: true, changes: { reg: 2 } });
    await settle([record('MODIFY', 'b1')], T0 + 60_000);
    expect((await state()).changes).toEqual({ reg: 2 });
  });

  it('marks it as unregistered with the last binding, not before', async () => {
    await saveBinding(table, address(), binding('b1'));
    await saveBinding(table, address(), binding('b2'));
    await settle([record('INSERT', 'b1'), record('INSERT', 'b2')]);
    await removeBinding(table, address(), binding('b1'));
    await settle([record('REMOVE', 'b1')]);
    expect((await state()).registered).toBe(true);
    await removeBinding(table, address(), binding('b2'));
    await settle([record('REMOVE', 'b2')]);
    expect((await state()).registered).toBe(false);
  });

  it('does not count a binding that has expired', async () => {
    await saveBinding(table, address(), binding('b1', { expiresAtMs: T0 + 1_000 }));
    await settle([record('INSERT', 'b1')]);
    await settle([record('REMOVE', 'b2')], T0 + 1_000);
    expect((await state()).registered).toBe(false);
  });

  it('makes no state where there is none, so that nothing of a removed user comes back', async () => {
    await settle([record('REMOVE')]);
    expect((await state()).version).toBe(0);
  });

  it('takes the mark back when a binding comes between the look and the write', async () => {
    await saveBinding(table, address(), binding('b1'));
    await settle([record('INSERT', 'b1')]);
    await removeBinding(table, address(), binding('b1'));
    const late: Table = {
      ...table,
      async update(key, update) {
        await saveBinding(table, address(), binding('late'));
        return table.update(key, update);
      },
    };
    await settle([record('REMOVE')], T0, late);
    expect((await state()).registered).toBe(true);
  });

  it('reports what failed, and passes over what it cannot read', async () => {
    const away: Table = { ...table, query: () => Promise.reject(new DependencyUnavailable('away')) };
    expect(await settle(['x', record('REMOVE', 'b1', '42')], T0, away)).toEqual(['42']);
    expect(logged).toHaveLength(2);
  });

  it('ends in what is true, whatever runs at the same time (property)', async () => {
    const step = fc.record({ id: fc.constantFrom('b1', 'b2'), isComing: fc.boolean(), waits: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        userCount += 1;
        user = `50${userCount}`;
        const inOrder = new Map<string, Promise<unknown>>();
        for (const { id, isComing, waits } of steps) {
          if (isComing) await saveBinding(table, address(), binding(id, { callId: `c${Math.random()}` }));
          else
            for (const each of await loadBindings(table, address()))
              if (each.id === id) await removeBinding(table, address(), each);
          const records = [record(isComing ? 'INSERT' : 'REMOVE', id)];
          // The mapping keeps the order of one item only.
          const settled = (inOrder.get(id) ?? Promise.resolve()).then(() => settle(records));
          inOrder.set(id, settled);
          if (waits) await settled;
        }
        await Promise.all(inOrder.values());
        const isRegistered = (await loadBindings(table, address())).length > 0;
        expect((await state()).registered ?? false).toBe(isRegistered);
      }),
      { numRuns: 40 },
    );
  });
});

describe('sweep of bindings', () => {
  it('removes a binding that has run out, and leaves one that was refreshed', async () => {
    const pass = (nowMs: number) => sweep({ table, telemetry, startWebhook: async () => undefined }, nowMs);
    // What other tests left behind.
    await pass(T0 + 2_000);
    await saveBinding(table, address(), binding('short', { expiresAtMs: T0 + 3_000 }));
    await saveBinding(table, address(), binding('long', { expiresAtMs: T0 + 3_000 }));
    await saveBinding(table, address(), binding('long', { cseq: 2, expiresAtMs: T0 + 9_000 }), false);
    expect(await pass(T0 + 2_999)).toMatchObject({ bindings: 0 });
    expect(await pass(T0 + 3_000)).toMatchObject({ bindings: 1 });
    expect((await loadBindings(table, address())).map(({ id }) => id)).toEqual(['long']);
  });
});
