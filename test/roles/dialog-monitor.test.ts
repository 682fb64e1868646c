import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CallSnapshot } from '#contract/call.ts';
import { DependencyUnavailable } from '#core/error.ts';
import { composeDialogs } from '#core/presentity.ts';
import { routeCall } from '#roles/call-router.ts';
import { publish } from '#roles/compositor.ts';
import { reportCalls } from '#roles/dialog-monitor.ts';
import { sweep } from '#roles/sweeper.ts';
import { loadSizes, loadStatistics } from '#table/call-counters.ts';
import { loadCalls } from '#table/call-item.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { recordPartition } from '#table/keys.ts';
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
import { dialogElement, dialogInfo, publishOf } from '#test/support/dialogs.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { T0 } from '#test/support/envelope.ts';

let started: TestTable;
let table: DynamoDbTable;
let count = 0;
let domain: string;
let call: TestCall;
const telemetry = { log: () => undefined };
const IDLE = { id: '0000', state: 'terminated' };

beforeAll(async () => {
  started = await startTable();
  table = openDynamoDbTable(started);
  await lease(table, T0);
});
afterAll(async () => {
  table.close();
  await started.stop();
});
beforeEach(async () => {
  domain = `m${++count}.example`;
  await seedTenant(table, domain);
  await bind(table, domain, '1002', T0);
  const { route } = await routeCall(inviteOf({ domain, callId: 'call-1' }), routerPorts(table), T0);
  if (!route) throw new Error('a route was expected');
  call = { ...route, headers: [], callId: 'call-1' };
});

const forks = (...states: CallSnapshot['state'][]): CallSnapshot['forks'] =>
  states.map((state, index) => ({ tag: `to-${index}`, state, contactUri: `sip:1002-${index}@client.invalid` }));
const answered = (index: number) => ({
  answeredAtMs: T0 + 2_000,
  callee: { aor: call.callee, tag: `to-${index}`, contactUri: `sip:1002-${index}@client.invalid` },
});
const tell = (told: Told, nowMs = T0, on: Table = table) =>
  reportCalls({ snapshots: [snapshotOf(call, T0, told)] }, { table: on, telemetry }, nowMs);
const presentity = (user: string) => loadPresentity(table, { domain, user });
const dialogsOf = async (user: string, asOfMs = T0) => composeDialogs((await presentity(user)).publications, asOfMs);
const statesOf = async (user: string) =>
  (await dialogsOf(user)).map(({ state, event }) => (event ? `${state} ${event}` : state));
const records = () => table.query(partitionQuery(recordPartition(domain)));
const sizes = async () =>
  (await loadSizes(table, domain)).map(({ profile, value, size }) => `${profile} ${value} ${size}`);

const RINGING: Told = { sequence: 1, state: 'early', forks: forks('early') };
const talking = (): Told => ({ sequence: 2, state: 'confirmed', forks: forks('confirmed'), more: answered(0) });
const over = (more: Partial<CallSnapshot> = {}): Told => ({
  ...{ sequence: 3, state: 'terminated', forks: forks('terminated') },
  more: { ...answered(0), endedAtMs: T0 + 62_400, cause: 'bye', endedBy: 'caller', ...more },
});

describe('a call that is answered and ends', () => {
  it('shows at both parties, each with its own side of the dialog (RFC 4235)', async () => {
    expect(await statesOf('1001')).toEqual(['trying']);
    await tell(RINGING);
    expect(await statesOf('1001')).toEqual(['early']);
    expect(await dialogsOf('1002')).toEqual([
      {
        ...{ id: expect.any(String), callId: 'call-1', localTag: 'to-0', remoteTag: 'from-1', direction: 'recipient' },
        ...{ state: 'early', startedAtMs: T0 },
        local: { identity: { uri: call.callee }, target: { uri: 'sip:1002-0@client.invalid', params: [] } },
        remote: {
          identity: { uri: call.caller },
          target: { uri: 'sip:1001-x@client.invalid;transport=ws', params: [] },
        },
      },
    ]);
    const [ringing] = await dialogsOf('1002');
    await tell(talking());
    expect(await statesOf('1002')).toEqual(['confirmed']);
    expect((await dialogsOf('1002'))[0]?.id).toBe(ringing?.id);
    expect(await dialogsOf('1001')).toMatchObject([{ state: 'confirmed', localTag: 'from-1', remoteTag: 'to-0' }]);
    await tell(over());
    expect([await statesOf('1001'), await statesOf('1002')]).toEqual([
      ['terminated local-bye'],
      ['terminated remote-bye'],
    ]);
  });

  it('counts early, then active, then no more, and leaves one record', async () => {
    const user = ['user 1001 1', 'user 1002 1'];
    expect(await sizes()).toEqual(expect.arrayContaining(['type local 1', ...user]));
    await tell(RINGING);
    expect(await loadStatistics(table, domain)).toEqual({ processed: 1, failed: 0, early: 1, active: 0 });
    await tell(talking());
    await tell({ ...talking(), sequence: 3 });
    expect(await loadStatistics(table, domain)).toEqual({ processed: 1, failed: 0, early: 0, active: 1 });
    expect(await records()).toEqual([]);
    await tell({ ...over(), sequence: 4 });
    expect(await loadStatistics(table, domain)).toEqual({ processed: 1, failed: 0, early: 0, active: 0 });
    expect(await sizes()).toEqual([]);
    expect(await records()).toMatchObject([
      {
        ...{
          id: call.callKey,
          callId: 'call-1',
          caller: call.caller,
          callee: call.callee,
          cause: 'bye',
          endedBy: 'caller',
        },
        ...{ setupAtMs: T0, answeredAtMs: T0 + 2_000, endedAtMs: T0 + 62_400, billSeconds: 60, type: 'local' },
        ttl: Math.floor((T0 + 62_400) / 1_000) + 90 * 24 * 3_600,
      },
    ]);
  });

  it('has its end counted and recorded once, however often it is told', async () => {
    await tell(RINGING);
    await Promise.all([1, 2, 3, 4].map(() => tell(over())));
    await tell({ ...over({ cause: 'admin' }), sequence: 9 });
    expect(await records()).toMatchObject([{ cause: 'bye' }]);
    expect(await loadStatistics(table, domain)).toEqual({ processed: 1, failed: 0, early: 0, active: 0 });
  });
});

describe('words out of order', () => {
  it('never undo a later one, at the call and at its parties', async () => {
    await tell(talking());
    expect(await tell(RINGING)).toEqual({ taken: 0, stale: 1 });
    expect([await statesOf('1001'), await statesOf('1002')]).toEqual([['confirmed'], ['confirmed']]);
    await tell(over());
    expect(await tell({ ...talking(), sequence: 7 })).toEqual({ taken: 0, stale: 1 });
    expect(await tell({ ...RINGING, sequence: 8 })).toEqual({ taken: 0, stale: 1 });
    const calls = await loadCalls(table, domain, 'call-1');
    expect(calls).toMatchObject([{ snapshot: { state: 'terminated', sequence: 3 } }]);
    expect(await statesOf('1002')).toEqual(['terminated remote-bye']);
  });

  it('of a call that nobody knows change nothing', async () => {
    call = { ...call, callKey: 'unknown' };
    expect(await tell(RINGING)).toEqual({ taken: 0, stale: 1 });
    expect(await dialogsOf('1002')).toEqual([IDLE]);
    expect(await tell(over())).toEqual({ taken: 0, stale: 1 });
    expect(await records()).toEqual([]);
  });

  it('are taken up where a report broke off', async () => {
    const broken: Table = {
      ...table,
      update: async (key, update) => {
        if (key.PK.startsWith('PRESENTITY#')) throw new DependencyUnavailable('cut');
        return table.update(key, update);
      },
    };
    for (const told of [RINGING, talking(), over()]) {
      await expect(tell(told, T0, broken)).rejects.toThrow('cut');
      // Its end is nowhere known as long as the lamp may not show it.
      expect(await records()).toEqual([]);
      expect(await tell(told)).toEqual({ taken: 1, stale: 0 });
      expect(await statesOf('1002')).toEqual([told.state === 'terminated' ? 'terminated remote-bye' : told.state]);
    }
    expect(await records()).toHaveLength(1);
  });
});

describe('forks', () => {
  it('each show as a dialog; the loser does not clear the lamp of the winner', async () => {
    await tell({ sequence: 1, state: 'early', forks: forks('early', 'early') });
    expect(await statesOf('1002')).toEqual(['early', 'early']);
    await tell({ sequence: 2, state: 'confirmed', forks: forks('terminated', 'confirmed'), more: answered(1) });
    expect(await dialogsOf('1002')).toMatchObject([{ state: 'confirmed', localTag: 'to-1' }]);
    await tell({
      sequence: 3,
      state: 'terminated',
      forks: forks('terminated', 'terminated'),
      more: over(answered(1)).more,
    });
    expect((await statesOf('1002')).toSorted()).toEqual(['terminated cancelled', 'terminated remote-bye']);
  });

  it.each([
    ['rejected', 603, 603, 'terminated rejected', 'terminated rejected'],
    ['cancelled', 487, 487, 'terminated cancelled', 'terminated cancelled'],
    ['noAnswer', 408, 487, 'terminated timeout', 'terminated timeout'],
    ['rejected', 486, 487, 'terminated rejected', 'terminated rejected'],
  ] as const)('of a call that ends as %s (%s) say why', async (cause, status, forkStatus, atCaller, atCallee) => {
    await tell(RINGING);
    const ended = forks('terminated').map((fork) => ({ ...fork, status: forkStatus }));
    const more = { cause, status, endedAtMs: T0 + 9_000 };
    await tell({ sequence: 2, state: 'terminated', forks: ended, more });
    expect([await statesOf('1001'), await statesOf('1002')]).toEqual([[atCaller], [atCallee]]);
    expect(await loadStatistics(table, domain)).toEqual({ processed: 1, failed: 1, early: 0, active: 0 });
    expect(await records()).toMatchObject([{ cause, status, billSeconds: 0 }]);
  });
});

describe('a call to another tenant', () => {
  it('shows at each party in its own tenant, and counts in that of the caller', async () => {
    const callee = { aor: `sip:1002@other-${domain}`, tag: 'to-0' };
    await tell({ ...talking(), more: { ...answered(0), callee } });
    const abroad = await loadPresentity(table, { domain: `other-${domain}`, user: '1002' });
    expect(composeDialogs(abroad.publications, T0)).toMatchObject([{ state: 'confirmed', direction: 'recipient' }]);
    expect(await dialogsOf('1002')).toEqual([IDLE]);
    expect(await loadStatistics(table, domain)).toMatchObject({ active: 1 });
    expect(await loadStatistics(table, `other-${domain}`)).toMatchObject({ processed: 0, active: 0 });
  });
});

describe('beside publications', () => {
  it('a call keeps what others publish, and is not counted among it', async () => {
    await tell(talking());
    const ports = { ...routerPorts(table), randomBytes: (size: number) => new Uint8Array(size).fill(7) };
    const identity = { domain, user: 'pbx', role: 'publisher' as const };
    const body = dialogInfo(dialogElement('p', 'early'));
    await publish(publishOf({ presentity: `sip:1002@${domain}`, identity, body, expires: 3_600 }), ports, T0);
    expect((await statesOf('1002')).toSorted()).toEqual(['confirmed', 'early']);
    await tell(over());
    expect(await statesOf('1002')).toEqual(['early']);
    await sweep({ table, telemetry, startWebhook: async () => undefined }, T0 + 31_000);
    const { publications } = await presentity('1002');
    expect(publications.map(({ publisher }) => publisher)).toEqual([`sip:pbx@${domain}`]);
    expect(await presentity('1002')).toMatchObject({ publicationCount: 1, dueAtMs: T0 + 3_600_000 });
  });

  it('what is left of a call is swept after half a minute without a new version', async () => {
    await tell(talking());
    await tell(over());
    const before = await presentity('1002');
    expect(before.publications).toHaveLength(1);
    await sweep({ table, telemetry, startWebhook: async () => undefined }, T0 + 29_000);
    expect((await presentity('1002')).publications).toHaveLength(1);
    await sweep({ table, telemetry, startWebhook: async () => undefined }, T0 + 31_000);
    const after = await presentity('1002');
    expect([after.publications, after.version]).toEqual([[], before.version]);
    expect(await tell({ ...talking(), sequence: 8 }, T0 + 62_000)).toEqual({ taken: 0, stale: 1 });
    expect(await dialogsOf('1002')).toEqual([IDLE]);
  });
});
