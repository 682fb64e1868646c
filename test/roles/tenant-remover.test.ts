import { beforeEach, describe, expect, it } from 'vitest';
import type { Instruction } from '#contract/instruction.ts';
import { closeRemovedTenants, continueRemoval } from '#roles/tenant-remover.ts';
import { LISTED_INDEX } from '#table/keys.ts';
import { saveLease } from '#table/lease-item.ts';
import type { Item } from '#table/table.ts';
import { type ApiRig, openApiRig } from '#test/support/api-rig.ts';
import { T0 } from '#test/support/envelope.ts';
import { type MemoryTable, openMemoryTable } from '#test/support/memory-table.ts';
import { populateTenant } from '#test/support/tenant-world.ts';

const A = 'a.example';
const B = 'b.example';
let table: MemoryTable;
let rig: ApiRig;
let told: [string, Instruction][];

beforeEach(async () => {
  table = openMemoryTable();
  told = [];
  rig = openApiRig({
    table,
    gateways: {
      async deliver(gatewayId, _address, instructions) {
        told.push(...instructions.map((each): [string, Instruction] => [gatewayId, each]));
        return gatewayId === 'silent' ? { kind: 'failed', reason: 'x' } : { kind: 'delivered', unknown: [] };
      },
    },
  });
  for (const domain of [A, B]) await populateTenant(rig, domain);
});

/** What names a tenant, anywhere in it; the trail of operators keeps who removed it. */
const itemsOf = (domain: string): Item[] =>
  table.items().filter((item) => item.PK !== 'AUDIT#' && JSON.stringify(item).includes(domain));
const kindsOf = (items: readonly Item[]) =>
  [...new Set(items.map(({ PK, SK }) => `${PK.split('#')[0]} ${SK.split('#')[0]}`))].sort();

/** Passes of the sweep until the tenant is gone. */
async function removeAll(domain: string, startMs: number): Promise<number> {
  for (let pass = 1; pass < 100; pass += 1) {
    await continueRemoval(table, domain, startMs + pass * 2_000);
    if ((await rig.ask('GET', `/v1/tenants/${domain}`)).status === 404) return pass;
  }
  throw new Error('the tenant is still there');
}

describe('the removal of a tenant', () => {
  it('takes everything of it, and nothing of another', async () => {
    const ofB = JSON.stringify(itemsOf(B));
    expect(kindsOf(itemsOf(A))).toEqual([
      ...['AUDIT CHANGE', 'CALL CALL', 'HISTORY CHANGE', 'KEY KEY', 'LIST LIST', 'MESSAGES MESSAGE'],
      ...['PRESENTITY DEVICE', 'PRESENTITY STATE', 'PRESENTITY WATCHER', 'RECORDS RECORD'],
      ...['SOURCE PRESENTITY', 'SOURCE SOURCE', 'TENANT COUNT', 'TENANT SIZE', 'TENANT STATISTICS'],
      ...['TENANT TENANT', 'TENANT TRUNK', 'TENANT WEBHOOK', 'USER BINDING', 'USER PROFILE', 'WAITING NEWS'],
    ]);
    const { status, body } = await rig.ask('DELETE', `/v1/tenants/${A}`);
    expect([status, body]).toMatchObject([202, { domain: A, state: 'deleting', removal: { items: 0 } }]);
    await removeAll(A, T0);
    expect(itemsOf(A)).toEqual([]);
    expect(JSON.stringify(itemsOf(B))).toBe(ofB);
  });

  it('waits until nobody can write any more; gateways are told again meanwhile', async () => {
    await rig.ask('DELETE', `/v1/tenants/${A}`);
    const before = itemsOf(A).length;
    expect(await continueRemoval(table, A, T0 + 11_999)).toBe(0);
    expect(itemsOf(A)).toHaveLength(before);
    const item = await table.get({ PK: `TENANT#${A}`, SK: 'TENANT' });
    expect(item).toMatchObject({ dueAtMs: T0 + 15_999, removedSinceMs: T0 });
    expect(await continueRemoval(table, A, T0 + 12_000)).toBeGreaterThan(before / 2);
  });

  it('says how far it is, refuses everything else meanwhile, and can be asked for again', async () => {
    const first = await rig.ask('DELETE', `/v1/tenants/${A}`);
    rig.nowMs = T0 + 1_000;
    expect((await rig.ask('DELETE', `/v1/tenants/${A}`)).body).toEqual(first.body);
    for (const [method, path, body] of [
      ['GET', '/users'],
      ['PUT', '', {}],
      ['PUT', '/users/9', {}],
      ['GET', '/presentities'],
    ] as const)
      expect(await rig.ask(method, `/v1/tenants/${A}${path}`, { body })).toMatchObject({ status: 409 });
    expect((await rig.ask('GET', `/v1/tenants/${A}/export`)).status).toBe(200);
    await continueRemoval(table, A, T0 + 12_000);
    const { body } = await rig.ask('GET', `/v1/tenants/${A}`);
    expect(body).toMatchObject({
      state: 'deleting',
      removal: { since: new Date(T0).toISOString(), items: expect.any(Number) },
    });
    expect(body.removal.items).toBeGreaterThan(0);
  });

  it('survives that it breaks off anywhere', async () => {
    await rig.ask('DELETE', `/v1/tenants/${A}`);
    for (let writes = 1; ; writes += 1) {
      let left = writes;
      const breaking = {
        ...table,
        writeBatch: async (batch: Parameters<typeof table.writeBatch>[0]) => {
          if (left-- <= 0) throw new Error('broken off');
          await table.writeBatch(batch);
        },
      };
      const isDone = await continueRemoval(breaking, A, T0 + 20_000).then(
        () => true,
        () => false,
      );
      if (isDone) break;
    }
    await removeAll(A, T0 + 20_000);
    expect(itemsOf(A)).toEqual([]);
  });

  it('leaves the name free: who makes it anew sees nothing of the old', async () => {
    await rig.ask('DELETE', `/v1/tenants/${A}`);
    await removeAll(A, T0);
    expect((await rig.ask('PUT', `/v1/tenants/${A}`, { body: {} })).status).toBe(201);
    for (const path of ['users', 'lists', 'keys', 'presentities', 'subscriptions', 'bindings', 'calls', 'records'])
      expect((await rig.ask('GET', `/v1/tenants/${A}/${path}`)).body.items).toEqual([]);
    expect((await rig.ask('GET', `/v1/tenants/${A}/statistics`)).body).toMatchObject({ processed: 0 });
    expect((await rig.ask('GET', `/v1/tenants/${A}/audit`)).body.items).toHaveLength(1);
  });

  it('is for operators', async () => {
    const { body } = await rig.ask('POST', `/v1/tenants/${A}/keys`, { body: { name: 'x', permission: 'admin' } });
    expect(await rig.ask('DELETE', `/v1/tenants/${A}`, { key: body.key })).toMatchObject({ status: 403 });
    expect(await rig.ask('DELETE', `/v1/tenants/${B}`, { key: body.key })).toMatchObject({ status: 404 });
  });

  it('tells all gateways, and again those that were not reached', async () => {
    for (const gatewayId of ['one', 'two']) await leaseOf(gatewayId);
    const record = (after: object) => ({
      eventName: 'MODIFY',
      dynamodb: {
        SequenceNumber: '7',
        Keys: { PK: { S: `TENANT#${A}` }, SK: { S: 'TENANT' } },
        NewImage: { PK: { S: `TENANT#${A}` }, SK: { S: 'TENANT' }, ...after },
      },
    });
    const ports = { ...rig.ports, telemetry: { log: () => undefined } };
    expect(await closeRemovedTenants([record({}), { dynamodb: {} }], ports, T0)).toEqual([]);
    expect(told).toEqual([]);
    const removed = record({ removedSinceMs: { N: '5' } });
    expect(await closeRemovedTenants([removed, removed], ports, T0)).toEqual([]);
    const instruction = { kind: 'closeTenant', domain: A };
    expect(told).toEqual([
      ['one', instruction],
      ['two', instruction],
    ]);
    await leaseOf('silent');
    expect(await closeRemovedTenants([removed], ports, T0)).toEqual(['7']);
  });
});

const leaseOf = (gatewayId: string) =>
  saveLease(table, {
    ...{ gatewayId, address: 'http://x', grantedAtMs: T0, leaseEndsAtMs: T0 + 60_000 },
    ...{ flows: 0, subscriptions: 0, draining: false },
  });

describe('the export of a tenant', () => {
  const exported = async (limit: number): Promise<Record<string, unknown>[]> => {
    const lines: string[] = [];
    for (let cursor: string | undefined = ''; cursor !== undefined; ) {
      const url = `/v1/tenants/${A}/export?limit=${limit}${cursor === '' ? '' : `&cursor=${cursor}`}`;
      const { status, headers, text } = await rig.ask('GET', url);
      expect([status, headers['content-type']]).toEqual([200, 'application/jsonl']);
      lines.push(...text.split('\n').filter((line) => line !== ''));
      cursor = headers['x-next-cursor'];
    }
    return lines.map((line) => JSON.parse(line));
  };

  it('has everything, whatever the pages, and no secrets', async () => {
    const all = await exported(200);
    expect(await exported(1)).toEqual(all);
    expect(await exported(7)).toEqual(all);
    expect([...new Set(all.map(({ kind }) => kind))].sort()).toEqual([
      ...['audit', 'binding', 'call', 'change', 'counter', 'device', 'key', 'list', 'message', 'presentity'],
      ...['record', 'source', 'subscription', 'tenant', 'trunk', 'user', 'webhook'],
    ]);
    const text = JSON.stringify(all);
    expect(text).not.toContain(B);
    for (const secret of [/sealed/i, /ha1/i, /"hash"/, /[pP]assword/, /trunk password/])
      expect(text).not.toMatch(secret);
    expect(all).toContainEqual({ kind: 'user', user: '1001', role: 'user' });
    expect(all).toContainEqual(expect.objectContaining({ kind: 'presentity', user: '1002', lamp: 'busy' }));
  });

  it('goes by lists and partitions of the tenant: no other is read', async () => {
    const queries: string[] = [];
    const watched: typeof table = {
      ...table,
      query: (query) => {
        queries.push(`${query.index === LISTED_INDEX ? 'listed' : 'table'} ${JSON.stringify(query.values)}`);
        return table.query(query);
      },
    };
    rig = openApiRig({ table: watched });
    await exported(200);
    expect(queries.length).toBeGreaterThan(10);
    expect(queries.filter((query) => !query.includes(A))).toEqual([]);
  });
});
