/** GET /v1/tenants/{tenant}/limits, and how fast the keys of a tenant may ask. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { LimitUse } from '#contract/instruction.ts';
import type { GatewayLimit } from '#contract/schemas.ts';
import { hashSecret, keyText, makeKeySecret } from '#core/api-key.ts';
import { ApiRates } from '#core/api-rate.ts';
import { apiKeyItem } from '#table/key-item.ts';
import { saveLease } from '#table/lease-item.ts';
import type { Table } from '#table/table.ts';
import { countWrite } from '#table/tenant-counts.ts';
import { tenantItem } from '#table/tenant-item.ts';
import { openApiRig } from '#test/support/api-rig.ts';
import { T0 } from '#test/support/envelope.ts';

const use = (limit: GatewayLimit, used: number, refused = 0): LimitUse => ({ limit, share: 10, used, refused });

const lease = (table: Table, gatewayId: string) =>
  saveLease(table, {
    ...{ gatewayId, address: `http://${gatewayId}`, grantedAtMs: T0, leaseEndsAtMs: T0 + 60_000 },
    ...{ flows: 0, subscriptions: 0, draining: false },
  });

/** Two gateways, and a tenant with quotas. */
async function rigWith(uses: Record<string, readonly LimitUse[] | undefined>, quotas = {}) {
  const asked: string[] = [];
  const rig = openApiRig({
    gateways: {
      deliver: async (gatewayId, address, instructions) => {
        const [asking] = instructions;
        if (asking?.kind !== 'use') return { kind: 'failed', reason: 'something else was asked' };
        asked.push(`${gatewayId} ${address} ${asking.tenant}`);
        const known = uses[gatewayId];
        return known ? { kind: 'delivered', unknown: [], uses: [known] } : { kind: 'failed', reason: 'silence' };
      },
    },
  });
  await rig.table.put(tenantItem('a.example', {}, { quotas }));
  for (const id of ['g1', 'g2']) await lease(rig.table, id);
  return { rig, asked };
}

// biome-ignore lint/suspicious/noExplicitAny: looks into an answer as a client does
const named = (body: any, name: string) => body.items.find((each: { name: string }) => each.name === name);

describe('limits of a tenant', () => {
  it('are summed over the gateways, with users and lists, and say what is near and what is full', async () => {
    const { rig, asked } = await rigWith(
      {
        g1: [use('flows', 5), use('subscriptions', 30, 2), use('requestsPerSecond', 1.5)],
        g2: [use('flows', 3), use('subscriptions', 20, 1)],
      },
      { flows: 10, subscriptions: 50, users: 4, requestsPerSecond: 100 },
    );
    await rig.table.transact([countWrite('a.example', 'users', '1001', 1), countWrite('a.example', 'lists', 'x', 1)]);
    await rig.table.transact([countWrite('a.example', 'users', '1002', 1)]);
    const { status, body } = await rig.ask('GET', '/v1/tenants/a.example/limits');
    expect(status).toBe(200);
    expect([body.gateways, body.answered]).toEqual([2, 2]);
    expect(asked.toSorted()).toEqual(['g1 http://g1 a.example', 'g2 http://g2 a.example']);
    expect(named(body, 'flows')).toEqual({ name: 'flows', limit: 10, use: 8, share: 0.8, state: 'near', refused: 0 });
    expect(named(body, 'subscriptions')).toMatchObject({ limit: 50, use: 50, share: 1, state: 'full', refused: 3 });
    expect(named(body, 'requestsPerSecond')).toMatchObject({ limit: 100, use: 1.5, share: 0.015, state: 'normal' });
    expect(named(body, 'users')).toEqual({ name: 'users', limit: 4, use: 2, share: 0.5, state: 'normal' });
    expect(named(body, 'lists')).toMatchObject({ limit: 1_000, use: 1 });
    expect(named(body, 'webhooks')).toMatchObject({ limit: 10, use: 0 });
    expect(body.items).toHaveLength(9);
  });

  it('say when a gateway does not answer', async () => {
    const { rig } = await rigWith({ g1: [use('flows', 5)], g2: undefined });
    const { body } = await rig.ask('GET', '/v1/tenants/a.example/limits');
    expect(body).toMatchObject({ gateways: 2, answered: 1 });
    expect(named(body, 'flows').use).toBe(5);
  });

  it('of a tenant that does not exist are 404', async () => {
    const { rig } = await rigWith({});
    expect((await rig.ask('GET', '/v1/tenants/b.example/limits')).status).toBe(404);
  });
});

describe("the rate of a tenant's own keys", () => {
  const rates = new ApiRates('tenant');
  const takeRequest = async (tenant: string, nowMs: number) => rates.take(tenant, 1, nowMs);

  it('is told with each answer, refused with 429 beyond, and costs operators nothing', async () => {
    const rig = openApiRig({ takeRequest });
    await rig.table.put(tenantItem('a.example', {}));
    const secret = makeKeySecret(randomBytes);
    const facts = { id: '0123456789ab', tenant: 'a.example', permission: 'read', name: 'x', createdAtMs: T0 } as const;
    await rig.table.put(apiKeyItem({ ...facts, hash: hashSecret(secret), version: 1 }));
    const key = keyText(facts.id, secret);
    const path = '/v1/tenants/a.example/limits';
    const first = await rig.ask('GET', path, { key });
    expect([first.status, first.headers.ratelimit, first.headers['ratelimit-policy']]).toEqual([
      ...[200, '"tenant";r=4;t=1', '"tenant";q=5;w=5'],
    ]);
    for (let i = 0; i < 4; i++) await rig.ask('GET', path, { key });
    const refused = await rig.ask('GET', path, { key });
    expect(refused.status).toBe(429);
    expect(refused.headers).toMatchObject({ 'retry-after': '1', 'content-type': 'application/problem+json' });
    expect(refused.body).toMatchObject({ status: 429, title: 'Too Many Requests' });
    const operator = await rig.ask('GET', path);
    expect([operator.status, operator.headers.ratelimit]).toEqual([200, undefined]);
    rig.nowMs += 1_000;
    expect((await rig.ask('GET', path, { key })).status).toBe(200);
  });
});

describe('users and lists beyond the quota', () => {
  it('are refused with 409; those that are there can be changed, and one that goes makes room', async () => {
    const rig = openApiRig();
    await rig.table.put(tenantItem('a.example', {}, { quotas: { users: 2, lists: 1 } }));
    const at = '/v1/tenants/a.example';
    const put = async (path: string, body: object): Promise<number> =>
      (await rig.ask('PUT', `${at}${path}`, { body })).status;
    expect([await put('/users/1001', {}), await put('/publishers/pbx', {}), await put('/users/1002', {})]).toEqual([
      ...[201, 201, 409],
    ]);
    const refused = await rig.ask('PUT', `${at}/users/1002`, { body: {} });
    expect(refused.body).toMatchObject({ title: 'Conflict', detail: 'The tenant may have 2 users, and has 2.' });
    expect(await put('/users/1001', { displayName: 'Ada' })).toBe(200);
    expect((await rig.ask('DELETE', `${at}/users/1001`)).status).toBe(204);
    expect(await put('/users/1002', {})).toBe(201);
    const members = [{ uri: 'sip:1002@a.example' }];
    expect([await put('/lists/one', { members }), await put('/lists/two', { members })]).toEqual([201, 409]);
    expect(await put('/lists/one', { members: [] })).toBe(200);
  });
});
