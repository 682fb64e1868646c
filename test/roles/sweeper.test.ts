import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { composeDialogs } from '#core/presentity.ts';
import { publish } from '#roles/compositor.ts';
import { sweep } from '#roles/sweeper.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { bindingKey, heldByGateway, leaseKey, stateKey } from '#table/keys.ts';
import { saveLease } from '#table/lease-item.ts';
import { loadPresentity } from '#table/presentity-item.ts';
import type { Table } from '#table/table.ts';
import { completeTenant } from '#table/tenant-item.ts';
import { dialogElement, dialogInfo, publishOf, type TestPublish } from '#test/support/dialogs.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { T0 } from '#test/support/envelope.ts';
import { TEST_SECRETS } from '#test/support/secrets.ts';

let started: TestTable;
let table: DynamoDbTable;
let requestPorts: Parameters<typeof publish>[1];
const logged: unknown[] = [];
const telemetry = { log: (...all: unknown[]) => logged.push(all) };
let presentityCount = 0;
let user: string;

beforeAll(async () => {
  started = await startTable();
  table = openDynamoDbTable(started);
  requestPorts = {
    table,
    randomBytes,
    ...TEST_SECRETS,
    loadUser: async () => undefined,
    loadTenant: async (domain) => completeTenant(domain, {}),
  };
});

afterAll(async () => {
  table.close();
  await started.stop();
});

beforeEach(() => {
  presentityCount += 1;
  user = `50${presentityCount}`;
  logged.length = 0;
});

const key = () => stateKey('demo.example', user);
const item = () => table.get(key(), { consistent: true });
const sweepAt = (nowMs: number, over: Table = table) =>
  sweep({ table: over, telemetry, startWebhook: async () => undefined }, nowMs);

async function change(request: TestPublish, nowMs = T0): Promise<string> {
  const { response } = await publish(
    publishOf({ presentity: `sip:${user}@demo.example`, ...request }),
    requestPorts,
    nowMs,
  );
  return response.headers.find(([header]) => header === 'SIP-ETag')?.[1] ?? '';
}
const early = (id: string) => dialogInfo(dialogElement(id, 'early'));

describe('sweep of publications', () => {
  it('removes what has expired as a new version, and leaves the rest', async () => {
    await change({ body: early('1'), expires: 60 });
    await change({ body: early('2'), expires: 90 });
    expect(await sweepAt(T0 + 59_999)).toEqual({
      publications: 0,
      gateways: 0,
      bindings: 0,
      calls: 0,
      ...{ webhooks: 0, removed: 0 },
      failures: 0,
    });
    expect(await sweepAt(T0 + 60_000)).toEqual({
      publications: 1,
      gateways: 0,
      bindings: 0,
      calls: 0,
      ...{ webhooks: 0, removed: 0 },
      failures: 0,
    });
    const { version, changedAtMs, publications } = await loadPresentity(table, { domain: 'demo.example', user });
    expect([version, changedAtMs]).toEqual([T0 + 3, T0 + 60_000]);
    expect(composeDialogs(publications, T0).map(({ id }) => id)).toEqual(['2']);
    expect(await item()).toMatchObject({ pubCount: 1, dueAtMs: T0 + 90_000 });
  });

  it('takes a presentity out of the index when nothing is left', async () => {
    await change({ body: early('1'), expires: 60 });
    expect(await sweepAt(T0 + 60_000)).toMatchObject({ publications: 1 });
    const swept = await item();
    expect(swept).toMatchObject({ pubCount: 0, version: T0 + 2 });
    expect(swept).not.toHaveProperty('dueAtMs');
    expect(swept).not.toHaveProperty('dueShard');
    await sweepAt(T0 + 120_000);
    const before = { ...table.requestCounts };
    await sweepAt(T0 + 120_000);
    expect(table.requestCounts).toEqual({ ...before, Query: before.Query + 4 });
  });

  it('only looks again later at what was refreshed, without a new version', async () => {
    const tag = await change({ body: early('1'), expires: 60 });
    await change({ ifMatch: tag, expires: 60 }, T0 + 30_000);
    expect(await sweepAt(T0 + 60_000)).toEqual({
      publications: 0,
      gateways: 0,
      bindings: 0,
      calls: 0,
      ...{ webhooks: 0, removed: 0 },
      failures: 0,
    });
    expect(await item()).toMatchObject({ version: T0 + 2, dueAtMs: T0 + 90_000 });
    expect(await sweepAt(T0 + 90_000)).toMatchObject({ publications: 1 });
  });

  it('forgets a publication that was removed', async () => {
    const tag = await change({ body: early('1'), expires: 60 });
    await change({ ifMatch: tag, expires: 0 });
    expect(await sweepAt(T0 + 60_000)).toEqual({
      publications: 0,
      gateways: 0,
      bindings: 0,
      calls: 0,
      ...{ webhooks: 0, removed: 0 },
      failures: 0,
    });
    expect((await item())?.dueAtMs).toBeUndefined();
  });

  it('decides again when a PUBLISH comes in between, and loses neither', async () => {
    await change({ body: early('1'), expires: 60 });
    let isFirst = true;
    const raced: Table = {
      ...table,
      async update(...all) {
        if (isFirst) await change({ body: early('2'), expires: 65 }, T0 + 60_000);
        isFirst = false;
        return table.update(...all);
      },
    };
    expect(await sweepAt(T0 + 60_000, raced)).toEqual({
      publications: 1,
      gateways: 0,
      bindings: 0,
      calls: 0,
      ...{ webhooks: 0, removed: 0 },
      failures: 0,
    });
    expect(await item()).toMatchObject({ pubCount: 1, dueAtMs: T0 + 125_000 });
  });

  it('goes on when one item fails, and says so', async () => {
    await change({ body: early('1'), expires: 60 });
    const failing: Table = { ...table, update: () => Promise.reject(new Error('away')) };
    expect(await sweepAt(T0 + 60_000, failing)).toEqual({
      publications: 0,
      gateways: 0,
      bindings: 0,
      calls: 0,
      ...{ webhooks: 0, removed: 0 },
      failures: 1,
    });
    expect(logged).toHaveLength(1);
    expect(await sweepAt(T0 + 60_000)).toMatchObject({ publications: 1 });
  });
});

describe('sweep of gateways', () => {
  const lease = (gatewayId: string, leaseEndsAtMs: number) =>
    saveLease(table, {
      ...{ gatewayId, address: 'http://192.0.2.1:1', grantedAtMs: T0, leaseEndsAtMs },
      ...{ flows: 1, subscriptions: 0, draining: false },
    });
  const binding = (gatewayId: string) => ({
    ...bindingKey('demo.example', user, gatewayId),
    heldBy: heldByGateway(gatewayId),
  });

  it('removes the bindings and the lease of one whose lease has lapsed, and no others', async () => {
    await lease('dead', T0 + 15_000);
    await lease('alive', T0 + 60_000);
    await table.put(binding('dead'));
    await table.put(binding('alive'));
    expect(await sweepAt(T0 + 14_999)).toMatchObject({ gateways: 0 });
    expect(await sweepAt(T0 + 15_000)).toMatchObject({ gateways: 1, failures: 0 });
    expect(await table.get(binding('dead'), { consistent: true })).toBeUndefined();
    expect(await table.get(leaseKey('dead'), { consistent: true })).toBeUndefined();
    expect(await table.get(binding('alive'), { consistent: true })).toBeDefined();
    expect(await table.get(leaseKey('alive'), { consistent: true })).toBeDefined();
  });
});
