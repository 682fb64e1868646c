import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CallSnapshot } from '#contract/call.ts';
import { composeDialogs } from '#core/presentity.ts';
import { saveCallDialogs } from '#table/call-publication.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { loadPresentity } from '#table/presentity-item.ts';
import { snapshotOf, type Told } from '#test/support/calls.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { T0 } from '#test/support/envelope.ts';

let started: TestTable;
let table: DynamoDbTable;
let count = 0;
let user: string;

beforeAll(async () => {
  started = await startTable();
  table = openDynamoDbTable(started);
});
afterAll(async () => {
  table.close();
  await started.stop();
});
beforeEach(() => {
  user = `70${++count}`;
});

const address = () => ({ domain: 'demo.example', user });
function tell(
  callId: string,
  told: Partial<Told> & Pick<Told, 'sequence' | 'state'>,
  more: Partial<CallSnapshot> = {},
) {
  const callee = `sip:${user}@demo.example`;
  const call = {
    ...{ domain: 'demo.example', callKey: callId, callId, caller: 'sip:1001@demo.example', callee, targets: [] },
    ...{ headers: [], noAnswerMs: 0, noAnswerStatus: 408, maxDurationMs: 0 },
  };
  const forks = [{ tag: 'to-0', state: told.state }];
  return saveCallDialogs(table, address(), snapshotOf(call, T0, { forks, ...told, more }), 'callee', T0);
}
const states = async (): Promise<string[]> =>
  composeDialogs((await loadPresentity(table, address())).publications, T0).map(({ state }) => state);
const item = () => loadPresentity(table, address());

describe('the dialogs of a call in the state of a party', () => {
  it('are replaced by a newer word only, in one UpdateItem', async () => {
    await tell('a', { sequence: 2, state: 'confirmed' });
    const before = await item();
    expect(await tell('a', { sequence: 1, state: 'early' })).toBe(true);
    expect(await tell('a', { sequence: 2, state: 'early' })).toBe(true);
    expect([await states(), (await item()).version]).toEqual([['confirmed'], before.version]);
    const writes = table.requestCounts.UpdateItem;
    await tell('a', { sequence: 3, state: 'terminated' });
    expect(table.requestCounts.UpdateItem).toBe(writes + 1);
    expect(await states()).toEqual(['terminated']);
    await tell('a', { sequence: 2, state: 'confirmed' });
    // Not even a later word takes a state back.
    await tell('a', { sequence: 4, state: 'confirmed' });
    expect(await states()).toEqual(['terminated']);
  });

  it('of several calls stand side by side, and the item is swept for the earliest of them', async () => {
    const dueAtMs = async () => ((await item()) as { dueAtMs?: number }).dueAtMs;
    await tell('a', { sequence: 1, state: 'confirmed' }, { expiresAtMs: T0 + 1_000_000 });
    await tell('b', { sequence: 1, state: 'early' }, { expiresAtMs: T0 + 500_000 });
    expect((await states()).toSorted()).toEqual(['confirmed', 'early']);
    expect(await dueAtMs()).toBe(T0 + 500_000 + 180_000);
    await tell('a', { sequence: 2, state: 'terminated' });
    expect(await dueAtMs()).toBe(T0 + 30_000);
    await tell('c', { sequence: 1, state: 'early' });
    expect(await dueAtMs()).toBe(T0 + 30_000);
    expect((await states()).toSorted()).toEqual(['early', 'early']);
  });

  it('are left out when the item has no room for them', async () => {
    const contactUri = `sip:${'x'.repeat(199_000)}@client.invalid`;
    const caller = { aor: 'sip:1001@demo.example', contactUri };
    expect(await tell('a', { sequence: 1, state: 'confirmed' }, { caller })).toBe(true);
    expect(await tell('b', { sequence: 1, state: 'confirmed' }, { caller })).toBe(true);
    expect(await tell('c', { sequence: 1, state: 'confirmed' }, { caller })).toBe(false);
    expect(await states()).toEqual(['confirmed', 'confirmed']);
  });
});
