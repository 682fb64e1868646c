import { beforeEach, describe, expect, it } from 'vitest';
import { composeDialogs, type Presentity } from '#core/presentity.ts';
import { routeCall } from '#roles/call-router.ts';
import { healConflict } from '#roles/conflict-healer.ts';
import { reportCalls } from '#roles/dialog-monitor.ts';
import { loadBindings, removeBinding } from '#table/binding-item.ts';
import { stateKey } from '#table/keys.ts';
import { markRegistered } from '#table/presentity-changes.ts';
import { loadPresentity } from '#table/presentity-item.ts';
import type { Item } from '#table/table.ts';
import { bind, inviteOf, lease, routerPorts, seedTenant, snapshotOf, type TestCall } from '#test/support/calls.ts';
import { T0 } from '#test/support/envelope.ts';
import { type MemoryTable, openMemoryTable } from '#test/support/memory-table.ts';

const DOMAIN = 'two.example';
const CALLEE = { domain: DOMAIN, user: '1002' };
let table: MemoryTable;
let call: TestCall;

beforeEach(async () => {
  table = openMemoryTable();
  await lease(table, T0);
  await seedTenant(table, DOMAIN);
  await bind(table, DOMAIN, '1002', T0);
  await markRegistered(table, CALLEE, T0);
  const { route } = await routeCall(inviteOf({ domain: DOMAIN, callId: 'call-1' }), routerPorts(table), T0);
  if (!route) throw new Error('a route was expected');
  call = { ...route, headers: [], callId: 'call-1' };
});

const ports = () => ({ table, telemetry: { log: () => undefined } });
const tell = (sequence: number, state: 'early' | 'terminated') => {
  const forks = [{ tag: 'to-0', state, contactUri: 'sip:1002-0@client.invalid' }];
  const ended = state === 'terminated' ? { more: { endedAtMs: T0, cause: 'bye' as const } } : {};
  return reportCalls({ snapshots: [snapshotOf(call, T0, { sequence, state, forks, ...ended })] }, ports(), T0);
};
const callee = (): Promise<Presentity> => loadPresentity(table, CALLEE);
const statesOf = (presentity: Presentity) => composeDialogs(presentity.publications, T0).map(({ state }) => state);

/** What stands in the region: the item of another one, which knew less, has taken the place of this one's. */
async function overwrite(version: number): Promise<{ before: Presentity; after: Presentity }> {
  const before = await callee();
  const item: Item = { ...stateKey(DOMAIN, '1002'), version, changedAtMs: T0, publications: {} };
  await table.put(item);
  return { before, after: await callee() };
}
const heal = (change: { before: Presentity; after: Presentity }) =>
  healConflict({ presentity: CALLEE, sequenceNumber: '1', ...change }, ports(), T0);

describe('a state that was overwritten by another region', () => {
  it('shows a call again that stands, under a version that no gateway has seen', async () => {
    await tell(1, 'early');
    const change = await overwrite(1);
    expect([statesOf(change.before), statesOf(change.after)]).toEqual([['early'], ['terminated']]);
    const { after } = await heal(change);
    expect(statesOf(after)).toEqual(['early']);
    expect(after.version).toBeGreaterThan(change.before.version);
    expect(await callee()).toEqual(after);
  });

  it('shows no call that is over by its own item', async () => {
    await tell(1, 'early');
    const before = await callee();
    await tell(2, 'terminated');
    const { after } = await overwrite(1);
    const healed = await heal({ before, after });
    expect([statesOf(healed.after), healed.after.publications]).toEqual([['terminated'], []]);
  });

  it('says again that its user is registered, as long as a binding does', async () => {
    const change = await overwrite(1);
    expect([change.before.registered, change.after.registered]).toEqual([true, undefined]);
    await heal(change);
    expect((await callee()).registered).toBe(true);
  });

  it('does not when no binding is left', async () => {
    const change = await overwrite(1);
    for (const binding of await loadBindings(table, CALLEE)) await removeBinding(table, CALLEE, binding);
    await heal(change);
    expect((await callee()).registered).toBeUndefined();
  });
});

it('a change that no conflict has made costs nothing and is left as it is', async () => {
  const before = await callee();
  await tell(1, 'early');
  const change = { presentity: CALLEE, sequenceNumber: '1', before, after: await callee() };
  expect(
    await healConflict(change, { ...ports(), table: new Proxy(table, { get: () => expect.unreachable() }) }, T0),
  ).toBe(change);
});
