import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gatewayIdOf } from '#contract/ids.ts';
import { grantLease } from '#roles/lessor.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { DUE_INDEX, dueShardOf, leaseKey } from '#table/keys.ts';
import { listGateways, loadLease, removeLapsedLease } from '#table/lease-item.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';

// In the future: DynamoDB Local removes items whose TTL has passed.
const T0 = 4_000_000_000_000;
const report = (id: string, address = 'http://10.0.0.1:9090') => ({
  contractVersion: 1 as const,
  gatewayId: gatewayIdOf(id),
  address,
  leaseSeconds: 30,
  flows: 7,
  subscriptions: 70,
  draining: false,
});

describe('lease', () => {
  let local: TestTable;
  let table: DynamoDbTable;
  const ports = (region?: string) => ({ table, region });
  beforeAll(async () => {
    local = await startTable();
    table = openDynamoDbTable(local);
  });
  afterAll(async () => {
    table.close();
    await local.stop();
  });

  it('says where the gateway is and until when, with one PutItem and one Query', async () => {
    expect(await loadLease(table, 'g1')).toBeUndefined();
    const before = { ...table.requestCounts };
    expect(await grantLease(report('g1'), ports(), T0)).toEqual({
      ...{ leaseEndsAtMs: T0 + 30_000, gateways: 1, superseded: false },
    });
    expect(table.requestCounts).toEqual({ ...before, PutItem: before.PutItem + 1, Query: before.Query + 1 });
    expect(await loadLease(table, 'g1')).toEqual({
      gatewayId: 'g1',
      address: 'http://10.0.0.1:9090',
      grantedAtMs: T0,
      leaseEndsAtMs: T0 + 30_000,
      flows: 7,
      subscriptions: 70,
      draining: false,
    });
  });

  it('is renewed, and a late report changes nothing', async () => {
    await grantLease(report('g2', 'http://10.0.0.2:1'), ports(), T0 + 10_000);
    await grantLease(report('g2', 'http://10.0.0.2:0'), ports(), T0);
    expect(await loadLease(table, 'g2')).toMatchObject({ address: 'http://10.0.0.2:1', leaseEndsAtMs: T0 + 40_000 });
  });

  it('stands in the index of what is due, at its end', async () => {
    await grantLease(report('g3'), ports(), T0);
    const due = await table.query({
      index: DUE_INDEX,
      keyCondition: 'dueShard = :shard AND dueAtMs <= :now',
      values: { ':shard': dueShardOf(leaseKey('g3').PK), ':now': T0 + 30_000 },
    });
    expect(due).toContainEqual({ ...leaseKey('g3'), dueShard: dueShardOf(leaseKey('g3').PK), dueAtMs: T0 + 30_000 });
  });

  it('is removed once it has lapsed, not before', async () => {
    await grantLease(report('g4'), ports(), T0);
    expect(await removeLapsedLease(table, 'g4', T0 + 29_999)).toBe(false);
    expect(await loadLease(table, 'g4')).toBeDefined();
    expect(await removeLapsedLease(table, 'g4', T0 + 30_000)).toBe(true);
    expect(await loadLease(table, 'g4')).toBeUndefined();
  });

  it('tells how many gateways there are, without those whose lease was swept', async () => {
    const known = async (): Promise<string[]> => (await listGateways(table)).filter((id) => id.startsWith('n'));
    await grantLease(report('n1'), ports(), T0);
    await grantLease(report('n2'), ports(), T0);
    const { gateways } = await grantLease(report('n1'), ports(), T0 + 5_000);
    expect(gateways).toBe((await listGateways(table)).length);
    expect(await known()).toEqual(['n1', 'n2']);
    await removeLapsedLease(table, 'n1', T0 + 60_000);
    expect(await known()).toEqual(['n2']);
  });

  it('says where the gateway is, and whether a newer generation is there', async () => {
    const region = 'eu-north-1';
    const [older, newer] = ['r7.eu-north-1.g', 'r8.eu-north-1.g'];
    expect(await grantLease(report(older), ports(region), T0)).toMatchObject({ superseded: false });
    expect(await loadLease(table, older)).toMatchObject({ region });
    expect(await grantLease(report(newer), ports(region), T0)).toMatchObject({ superseded: false });
    expect(await grantLease(report(older), ports(region), T0)).toMatchObject({ superseded: true });
  });
});
