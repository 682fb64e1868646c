import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DependencyUnavailable } from '#core/error.ts';
import { composeDialogs } from '#core/presentity.ts';
import { routeCall } from '#roles/call-router.ts';
import { reportCalls } from '#roles/dialog-monitor.ts';
import { sweep } from '#roles/sweeper.ts';
import { loadSizes, loadStatistics } from '#table/call-counters.ts';
import { loadCalls } from '#table/call-item.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { recordPartition } from '#table/keys.ts';
import { loadPresentity } from '#table/presentity-item.ts';
import { partitionQuery, type Table } from '#table/table.ts';
import { bind, inviteOf, lease, routerPorts, seedTenant, snapshotOf, type TestCall } from '#test/support/calls.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { T0 } from '#test/support/envelope.ts';

let started: TestTable;
let table: DynamoDbTable;
let count = 0;
let domain: string;
let gatewayId: string;
let call: TestCall;
const telemetry = { log: () => undefined };

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
  domain = `s${++count}.example`;
  gatewayId = `home-${count}`;
  await seedTenant(table, domain);
  await bind(table, domain, '1002', T0);
  const { route } = await routeCall(inviteOf({ domain, gatewayId, callId: 'call-1' }), routerPorts(table), T0);
  if (!route) throw new Error('a route was expected');
  call = { ...route, headers: [], callId: 'call-1' };
});

const talk = (sequence: number, nowMs = T0) => {
  const forks = [{ tag: 'to-0', state: 'confirmed' as const }];
  const callee = { aor: call.callee, tag: 'to-0' };
  const told = { sequence, state: 'confirmed' as const, forks, more: { answeredAtMs: T0 + 1_000, callee } };
  return reportCalls({ snapshots: [snapshotOf(call, T0, told)] }, { table, telemetry }, nowMs);
};
const sweepAt = (nowMs: number, on: Table = table) =>
  sweep({ table: on, telemetry, startWebhook: async () => undefined }, nowMs);
const stateOf = async (user: string) =>
  composeDialogs((await loadPresentity(table, { domain, user })).publications, T0).map(({ state, event }) => [
    state,
    event,
  ]);
const snapshot = async () => (await loadCalls(table, domain, 'call-1'))[0]?.snapshot;
const records = () => table.query(partitionQuery(recordPartition(domain)));

describe('calls of a dead gateway', () => {
  it('end when its lease has lapsed: at both parties, in the counters, in one record', async () => {
    await lease(table, T0 - 3_600_000, gatewayId);
    await talk(1);
    expect(await stateOf('1002')).toEqual([['confirmed', undefined]]);
    expect(await sweepAt(T0 + 1)).toMatchObject({ calls: 1, gateways: 1, failures: 0 });
    expect([await stateOf('1001'), await stateOf('1002')]).toEqual([
      [['terminated', 'error']],
      [['terminated', 'error']],
    ]);
    expect(await loadStatistics(table, domain)).toEqual({ processed: 1, failed: 0, early: 0, active: 0 });
    expect(await loadSizes(table, domain)).toEqual([]);
    expect(await records()).toMatchObject([{ cause: 'gatewayLost', answeredAtMs: T0 + 1_000, endedAtMs: T0 + 1 }]);
  });

  it('stay ended when the gateway speaks again, and other gateways keep theirs', async () => {
    await lease(table, T0 - 3_600_000, gatewayId);
    await lease(table, T0, `${gatewayId}-living`);
    const other = inviteOf({ domain, gatewayId: `${gatewayId}-living`, callId: 'call-2' });
    await routeCall(other, routerPorts(table), T0);
    await talk(1);
    await sweepAt(T0 + 1);
    expect(await talk(2)).toEqual({ taken: 0, stale: 1 });
    expect(await stateOf('1002')).toEqual([['terminated', 'error']]);
    expect((await loadCalls(table, domain, 'call-2'))[0]?.snapshot.state).toBe('trying');
  });

  it('are shown as ended by the next sweep when one broke off', async () => {
    await lease(table, T0 - 3_600_000, gatewayId);
    await talk(1);
    const broken: Table = {
      ...table,
      update: async (key, update) => {
        if (key.PK === `PRESENTITY#${domain}#1002`) throw new DependencyUnavailable('cut');
        return table.update(key, update);
      },
    };
    expect(await sweepAt(T0 + 1, broken)).toMatchObject({ failures: 1 });
    expect((await snapshot())?.state).toBe('terminated');
    expect(await stateOf('1002')).toEqual([['confirmed', undefined]]);
    expect(await sweepAt(T0 + 2_000)).toMatchObject({ failures: 0 });
    expect(await stateOf('1002')).toEqual([['terminated', 'error']]);
    expect(await records()).toHaveLength(1);
  });
});

describe('calls that nobody ends', () => {
  it('of which no gateway ever told are given up after all could have rung', async () => {
    await sweepAt(T0 + 119_000);
    expect((await snapshot())?.state).toBe('trying');
    await sweepAt(T0 + 120_000);
    expect((await snapshot())?.state).toBe('terminated');
    expect(await records()).toMatchObject([{ cause: 'failed', status: 500 }]);
    expect(await stateOf('1001')).toEqual([['terminated', 'rejected']]);
    expect(await talk(1)).toEqual({ taken: 0, stale: 1 });
  });

  it('end a minute after the longest time that they may last', async () => {
    await talk(1);
    await sweepAt(T0 + 3_600_000 + 59_000);
    expect((await snapshot())?.state).toBe('confirmed');
    await sweepAt(T0 + 3_600_000 + 60_000);
    expect((await snapshot())?.state).toBe('terminated');
    expect(await records()).toMatchObject([{ cause: 'tooLong' }]);
    expect(await sweepAt(T0 + 3_600_000 + 61_000)).toMatchObject({ calls: 0, failures: 0 });
  });
});
