import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flowClosedReport } from '#contract/gateway-report.ts';
import type { Binding } from '#core/binding.ts';
import { closeFlows } from '#roles/flow-closer.ts';
import { loadBindings, loadKeysHeldBy, removeBindingOf, saveBinding } from '#table/binding-item.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { bindingKey, watcherKey } from '#table/keys.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';

// In the future: DynamoDB Local removes items whose TTL has passed.
const T0 = 4_000_000_000_000;
const binding = (change: Partial<Binding>): Binding => ({
  id: 'b1',
  contactUri: 'sip:a@h',
  params: [],
  gatewayId: 'gateway-1',
  flowId: 'flow-1',
  callId: 'call-1',
  cseq: 1,
  updatedAtMs: T0,
  expiresAtMs: T0 + 600_000,
  ...change,
});

const reportOf = (report: { flows?: unknown[]; subscriptions?: unknown[] }) =>
  v.parse(flowClosedReport, { contractVersion: 1, gatewayId: 'gateway-1', flows: [], subscriptions: [], ...report });
const flowOf = (user: string, flowId = 'flow-1') => ({
  flowId,
  identity: { domain: 'demo.example', user, role: 'user' },
});

describe('flow-closed', () => {
  let local: TestTable;
  let table: DynamoDbTable;
  beforeAll(async () => {
    local = await startTable();
    table = openDynamoDbTable(local);
  });
  afterAll(async () => {
    table.close();
    await local.stop();
  });
  const address = (user: string) => ({ domain: 'demo.example', user });
  const idsOf = async (user: string) => (await loadBindings(table, address(user))).map(({ id }) => id);

  it('removes the bindings of the flow, and only those', async () => {
    await saveBinding(table, address('1001'), binding({ id: 'b1' }));
    await saveBinding(table, address('1001'), binding({ id: 'b2', flowId: 'flow-2' }));
    await saveBinding(table, address('1002'), binding({ id: 'b3' }));
    expect(await closeFlows(reportOf({ flows: [flowOf('1001')] }), table, T0)).toEqual({
      ...{ flows: 1, subscriptions: 0, messages: 0 },
    });
    expect([await idsOf('1001'), await idsOf('1002')]).toEqual([['b2'], ['b3']]);
  });

  it('leaves a binding that has moved to another flow, and may be repeated', async () => {
    await saveBinding(table, address('1003'), binding({ flowId: 'flow-9', callId: 'call-9' }));
    const report = reportOf({ flows: [flowOf('1003'), flowOf('nobody')] });
    await closeFlows(report, table, T0);
    await closeFlows(report, table, T0);
    expect(await idsOf('1003')).toEqual(['b1']);
  });

  it('removes watchers that the gateway still holds, not those that were taken over', async () => {
    const [own, taken] = ['s1', 's2'].map((id) => watcherKey('demo.example', '1001', 'dialog', id));
    if (!own || !taken) throw new Error('two keys were expected');
    await table.put({ ...own, gatewayId: 'gateway-1' });
    await table.put({ ...taken, gatewayId: 'gateway-2' });
    const presentity = 'sip:1001@demo.example';
    const subscriptions = ['s1', 's2', 's3'].map((id) => ({ id, presentity, event: 'dialog' }));
    await closeFlows(reportOf({ subscriptions }), table, T0);
    expect([await table.get(own), await table.get(taken)]).toEqual([undefined, { ...taken, gatewayId: 'gateway-2' }]);
  });

  it('leaves a watcher that was refreshed after the gateway saw it end, for however short a time', async () => {
    const key = watcherKey('demo.example', '1002', 'dialog', 's4');
    await table.put({ ...key, gatewayId: 'gateway-1', cseq: 8, expiresAtMs: T0 + 1 });
    const ended = { id: 's4', presentity: 'sip:1002@demo.example', event: 'dialog' };
    await closeFlows(reportOf({ subscriptions: [{ ...ended, cseq: 7 }] }), table, T0);
    expect(await table.get(key)).toBeDefined();
    await closeFlows(reportOf({ subscriptions: [{ ...ended, cseq: 8 }] }), table, T0);
    expect(await table.get(key)).toBeUndefined();
  });

  it('costs one Query a flow, one DeleteItem a binding and a subscription', async () => {
    const users = Array.from({ length: 40 }, (_, index) => `bulk-${index}`);
    for (const user of users) await saveBinding(table, address(user), binding({}));
    const subscriptions = [{ id: 's9', presentity: 'sip:1001@demo.example', event: 'dialog' }];
    const before = { ...table.requestCounts };
    await closeFlows(reportOf({ flows: users.map((user) => flowOf(user)), subscriptions }), table, T0);
    expect(table.requestCounts.Query - before.Query).toBe(40);
    expect(table.requestCounts.DeleteItem - before.DeleteItem).toBe(41);
    expect(await idsOf('bulk-39')).toEqual([]);
  });

  it('finds and removes what a dead gateway held', async () => {
    await saveBinding(table, address('1004'), binding({ gatewayId: 'gateway-7' }));
    await saveBinding(table, address('1005'), binding({ gatewayId: 'gateway-8' }));
    const key = bindingKey('demo.example', '1004', 'b1');
    expect(await loadKeysHeldBy(table, 'gateway-7')).toEqual([key]);
    await removeBindingOf(table, 'gateway-7', bindingKey('demo.example', '1005', 'b1'));
    await removeBindingOf(table, 'gateway-7', key);
    expect([await idsOf('1004'), await idsOf('1005')]).toEqual([[], ['b1']]);
  });
});
