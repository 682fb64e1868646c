import { marshall } from '@aws-sdk/util-dynamodb';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { subscriptionIdOf } from '#contract/ids.ts';
import { endReplaced } from '#roles/replacement-monitor.ts';
import { createGatewayClient } from '#runtime/gateway-client.ts';
import { watcherKey } from '#table/keys.ts';
import { openLeaseBook } from '#table/lease-book.ts';
import { saveLease } from '#table/lease-item.ts';
import { markReplaced } from '#table/replaced-watcher.ts';
import type { Table } from '#table/table.ts';
import { putWatcher } from '#table/watcher-item.ts';
import { T0 } from '#test/support/envelope.ts';
import { type FakeGateway, INSTRUCTION_SECRET, startFakeGateway } from '#test/support/fake-gateway.ts';
import { openMemoryTable } from '#test/support/memory-table.ts';

const PRESENTITY = { domain: 'demo.example', user: '1002' };

let table: Table;
let one: FakeGateway;
let two: FakeGateway;
let client: ReturnType<typeof createGatewayClient>;
const logged: unknown[] = [];

beforeEach(async () => {
  table = openMemoryTable();
  logged.length = 0;
  client = createGatewayClient(async () => [INSTRUCTION_SECRET]);
  [one, two] = await Promise.all([startFakeGateway(), startFakeGateway()]);
  for (const [gatewayId, { address }] of [['gateway-1', one] as const, ['gateway-2', two] as const])
    await saveLease(table, {
      ...{ gatewayId, address, grantedAtMs: T0, leaseEndsAtMs: T0 + 60_000 },
      ...{ flows: 1, subscriptions: 1, draining: false },
    });
});
afterEach(async () => {
  client.close();
  await Promise.all([one.stop(), two.stop()]);
});

const run = (records: readonly unknown[], nowMs = T0) => {
  const telemetry = { log: (...all: unknown[]) => logged.push(all) };
  return endReplaced(records, { leases: openLeaseBook(table), gateways: client, telemetry }, nowMs);
};
const told = (gateway: FakeGateway) => gateway.batches.flatMap(({ instructions }) => instructions);

/** The stream's record of a subscription on a gateway, before or after it was replaced. */
async function recordOf(id: string, gatewayId: string, isReplaced = true) {
  const name = { presentity: PRESENTITY, event: 'dialog', id: subscriptionIdOf(id), callId: id, fromTag: 'f' };
  const place = { gatewayId, flowId: 'flow', contentType: 'application/dialog-info+xml', rendering: '' } as never;
  await putWatcher(table, { ...name, watcher: 'sip:a@b' }, place, { cseq: 1, expiresAtMs: T0 + 60_000 }, T0);
  if (isReplaced) await markReplaced(table, PRESENTITY, 'dialog', name.id, T0);
  const { PK, SK } = watcherKey('demo.example', '1002', 'dialog', id);
  const NewImage = marshall((await table.get({ PK, SK })) ?? {}, { removeUndefinedValues: true });
  return { eventName: 'MODIFY', dynamodb: { SequenceNumber: id, Keys: { PK: { S: PK }, SK: { S: SK } }, NewImage } };
}

it('ends replaced subscriptions on the gateways that hold them, one POST each', async () => {
  const records = [
    await recordOf('a', 'gateway-1'),
    await recordOf('b', 'gateway-2'),
    await recordOf('c', 'gateway-1'),
  ];
  expect(await run(records)).toEqual([]);
  expect(one.batches).toHaveLength(1);
  expect(told(one)).toEqual([{ kind: 'end', subscriptionIds: ['a', 'c'], reason: 'rejected' }]);
  expect(told(two)).toEqual([{ kind: 'end', subscriptionIds: ['b'], reason: 'rejected' }]);
});

it('leaves other records alone, also one that it cannot read', async () => {
  const { dynamodb } = await recordOf('a', 'gateway-1');
  const broken = { eventName: 'MODIFY', dynamodb: { ...dynamodb, NewImage: { replaced: { BOOL: true } } } };
  expect(await run([await recordOf('b', 'gateway-1', false), { Records: [] }, broken])).toEqual([]);
  expect(one.batches).toEqual([]);
  expect(logged).toHaveLength(2);
});

it('is tried again from the first record of a gateway that did not take it, not of one that is gone', async () => {
  one.behaviour = { status: 500 };
  const records = [
    await recordOf('a', 'gateway-1'),
    await recordOf('b', 'gateway-1'),
    await recordOf('c', 'gateway-9'),
  ];
  expect(await run(records)).toEqual(['a']);
  expect(await run(records, T0 + 61_000)).toEqual([]);
});
