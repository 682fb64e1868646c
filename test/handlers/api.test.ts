import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DependencyUnavailable } from '#core/error.ts';
import { routeCall } from '#roles/call-router.ts';
import { reportCalls } from '#roles/dialog-monitor.ts';
import { identifyCaller } from '#roles/key-authenticator.ts';
import { createGatewayClient } from '#runtime/gateway-client.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { openLeaseBook } from '#table/lease-book.ts';
import { loadTenant } from '#table/tenant-item.ts';
import { apiEventOf } from '#test/support/api-rig.ts';
import { bind, inviteOf, lease, routerPorts, seedTenant, snapshotOf, type TestCall } from '#test/support/calls.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { T0 } from '#test/support/envelope.ts';
import { type FakeGateway, INSTRUCTION_SECRET, startFakeGateway } from '#test/support/fake-gateway.ts';
import { TEST_VAULT } from '#test/support/secrets.ts';
import type { ApiPorts } from '../../lambdas/handlers/http/ports.ts';
import { readRequest, refusal } from '../../lambdas/handlers/http/request.ts';
import { answerApi } from '../../lambdas/handlers/http/router.ts';

let started: TestTable;
let table: DynamoDbTable;
let gateway: FakeGateway;
let client: ReturnType<typeof createGatewayClient>;
let ports: ApiPorts;
let count = 0;
let domain: string;

beforeAll(async () => {
  started = await startTable();
  table = openDynamoDbTable(started);
  gateway = await startFakeGateway();
  client = createGatewayClient(async () => [INSTRUCTION_SECRET]);
  await lease(table, T0, 'gateway-1', gateway.address);
});
afterAll(async () => {
  client.close();
  table.close();
  await gateway.stop();
  await started.stop();
});
beforeEach(async () => {
  domain = `a${String(++count).padStart(2, '0')}.example`;
  await seedTenant(table, domain, { limits: [{ profile: 'user', limit: 7, status: 486 }] });
  await bind(table, domain, '1002', T0);
  ports = {
    table,
    leases: openLeaseBook(table),
    loadTenant: (each) => loadTenant(table, each),
    gateways: client,
    random: randomBytes,
    refusedTarget: () => undefined,
    takeRequest: async () => ({}),
    takeChanges: () => undefined,
    vault: async () => TEST_VAULT,
  };
  gateway.batches.length = 0;
  gateway.behaviour = {};
});

/** As API Gateway would hand it over. */
const event = (method: string, url: string, headers: Record<string, string> = {}) => apiEventOf(method, url, headers);
const asOperator = async () => ({ key: 'admin', permission: 'admin' }) as const;
async function ask(method: string, url: string, over: Partial<ApiPorts> = {}) {
  const response = await Promise.resolve()
    .then(() => answerApi(readRequest(event(method, url)), { ...ports, ...over }, T0 + 30_000, asOperator))
    .catch(refusal);
  const { statusCode, headers, body } = response;
  return { statusCode, headers, body: body === '' ? undefined : JSON.parse(body) };
}
const get = (path: string) => ask('GET', `/v1/tenants/${domain}${path}`);

async function call(callId: string, from = '1001'): Promise<TestCall> {
  const { route } = await routeCall(inviteOf({ domain, callId, from }), routerPorts(table), T0);
  if (!route) throw new Error('a route was expected');
  return { ...route, headers: [], callId };
}
const answered = (of: TestCall) => ({
  answeredAtMs: T0 + 5_000,
  callee: { aor: of.callee, tag: 'to-0', contactUri: 'sip:1002-a@client.invalid', cseq: 4 },
});
async function talk(of: TestCall) {
  const told = {
    sequence: 1,
    state: 'confirmed' as const,
    forks: [{ tag: 'to-0', state: 'confirmed' as const }],
    more: answered(of),
  };
  await reportCalls({ snapshots: [snapshotOf(of, T0, told)] }, { table, telemetry: { log: () => undefined } }, T0);
}
async function hangUp(of: TestCall, endedAtMs = T0 + 65_000) {
  const more = { ...answered(of), endedAtMs, cause: 'bye' as const };
  const told = { sequence: 2, state: 'terminated' as const, more };
  await reportCalls({ snapshots: [snapshotOf(of, T0, told)] }, { table, telemetry: { log: () => undefined } }, T0);
}

describe('the admin key', () => {
  const key = (headers: Record<string, string>) =>
    identifyCaller(
      { table, adminKey: async () => 's3cret-key' },
      readRequest(event('GET', '/v1/calls', headers)).headers.authorization,
      T0,
    ).catch(refusal);

  it('is a bearer token, and without it there is nothing to see (RFC 6750, RFC 9457)', async () => {
    const root = { key: 'admin', permission: 'admin' };
    expect(await key({ authorization: 'Bearer s3cret-key' })).toEqual(root);
    expect(await key({ Authorization: 'bearer s3cret-key' })).toEqual(root);
    for (const authorization of ['Bearer s3cret-kez', 'Bearer s3cret-key2', 'Basic s3cret-key', 'Bearer ', '']) {
      expect(await key({ authorization })).toMatchObject({
        statusCode: 401,
        headers: { 'www-authenticate': 'Bearer', 'content-type': 'application/problem+json' },
      });
    }
    expect(await key({})).toMatchObject({ statusCode: 401 });
  });
});

describe('calls', () => {
  it('show what dlg.list of Kamailio shows', async () => {
    const one = await call('call/1@x');
    await talk(one);
    const { body } = await get(`/calls/${encodeURIComponent('call/1@x')}`);
    expect(body).toEqual({
      ...{ id: one.callKey, callId: 'call/1@x', tenant: domain, from: one.caller, to: one.callee, state: 'confirmed' },
      ...{ type: 'local', gateway: 'gateway-1', duration: 25, lifetime: 3_600 },
      init: new Date(T0).toISOString(),
      start: new Date(T0 + 5_000).toISOString(),
      timeout: new Date(T0 + 3_600_000).toISOString(),
      caller: { uri: one.caller, tag: 'from-1', contact: 'sip:1001-x@client.invalid;transport=ws' },
      callee: { uri: one.callee, tag: 'to-0', contact: 'sip:1002-a@client.invalid', cseq: 4 },
      forks: [{ tag: 'to-0', state: 'confirmed' }],
      profiles: [
        { profile: 'total', value: '' },
        { profile: 'type', value: 'local' },
        { profile: 'user', value: '1001' },
        { profile: 'user', value: '1002' },
      ],
      variables: {},
    });
    expect((await ask('GET', `/v1/calls/call%2F1%40x?tenant=${domain}`)).body).toEqual(body);
    await hangUp(one);
    expect((await get('/calls/call%2F1%40x')).body).toMatchObject({ state: 'terminated', duration: 60, cause: 'bye' });
  });

  it('are listed while they live, page by page, the oldest first', async () => {
    const all = [await call('c1'), await call('c2'), await call('c3', '1003')];
    const [, second] = all;
    const ids = async (query: string) => {
      const { body } = await get(`/calls${query}`);
      return [body.items.map((each: { callId: string }) => each.callId), body.next];
    };
    const [first, next] = await ids('?limit=2');
    const [rest, end] = await ids(`?limit=2&cursor=${next}`);
    expect([...first, ...rest].toSorted()).toEqual(['c1', 'c2', 'c3']);
    expect(first).toHaveLength(2);
    expect(end).toBeUndefined();
    if (second) await hangUp(second);
    expect((await ids(''))[0].toSorted()).toEqual(['c1', 'c3']);
  });

  it('of all tenants are listed without a tenant, over all pages once', async () => {
    await call('here');
    const seen: string[] = [];
    for (let cursor = ''; cursor !== undefined; ) {
      const { body } = await ask('GET', `/v1/calls?limit=2${cursor && `&cursor=${cursor}`}`);
      seen.push(...body.items.map((each: { tenant: string; callId: string }) => `${each.tenant} ${each.callId}`));
      cursor = body.next;
    }
    expect(seen).toContain(`${domain} here`);
    expect(seen).toContain('a03.example c1');
    expect(new Set(seen).size).toBe(seen.length);
  });
});

describe('ending a call', () => {
  it('is asked of its home gateway (204), and refused when there is none or it has ended', async () => {
    const one = await call('c1');
    const { statusCode } = await ask('DELETE', `/v1/tenants/${domain}/calls/c1`);
    expect(statusCode).toBe(204);
    const instructions = gateway.batches.flatMap((batch) => batch.instructions);
    expect(instructions).toEqual([{ kind: 'endCall', callKey: one.callKey, cause: 'admin' }]);
    expect(await ask('DELETE', `/v1/tenants/${domain}/calls/none`)).toMatchObject({ statusCode: 404 });
    await hangUp(one);
    expect(await ask('DELETE', `/v1/tenants/${domain}/calls/c1`)).toMatchObject({ statusCode: 409 });
    expect(gateway.batches).toHaveLength(1);
  });

  it('fails with 503 when the gateway does not take it', async () => {
    await call('c1');
    gateway.behaviour = { status: 500 };
    expect(await ask('DELETE', `/v1/tenants/${domain}/calls/c1`)).toMatchObject({
      statusCode: 503,
      headers: { 'retry-after': '5' },
    });
  });
});

describe('profiles, statistics and records', () => {
  it('say how many calls there are, of whom, and which', async () => {
    await talk(await call('c1'));
    await call('c2', '1003');
    expect((await get('/profiles')).body.items).toEqual(
      expect.arrayContaining([
        { tenant: domain, profile: 'total', size: 2 },
        { tenant: domain, profile: 'emergency', size: 0 },
        { tenant: domain, profile: 'type', value: 'local', size: 2 },
        { tenant: domain, profile: 'user', value: '1002', size: 2, limit: 7 },
        { tenant: domain, profile: 'user', value: '1003', size: 1, limit: 7 },
      ]),
    );
    expect((await get('/profiles/total')).body).toEqual({ tenant: domain, profile: 'total', size: 2 });
    expect((await get('/profiles/user')).body).toMatchObject({ size: 4, values: expect.arrayContaining([]) });
    const user = await get('/profiles/user/1003?calls=1');
    expect(user.body).toMatchObject({ profile: 'user', value: '1003', size: 1, limit: 7, calls: [{ callId: 'c2' }] });
    expect((await get('/profiles/user/1004')).body).toMatchObject({ size: 0, limit: 7 });
    expect((await ask('GET', `/v1/profiles/type/local?tenant=${domain}`)).body).toMatchObject({ size: 2 });
    const statistics = { tenant: domain, processed: 2, failed: 0, early: 1, active: 1 };
    expect((await get('/statistics')).body).toEqual(statistics);
    expect((await ask('GET', '/v1/statistics')).body.items).toContainEqual(statistics);
  });

  it('list records of ended calls, the newest first', async () => {
    for (const [index, callId] of ['c1', 'c2', 'c3'].entries()) {
      const one = await call(callId);
      await talk(one);
      await hangUp(one, T0 + 65_000 + index);
    }
    const { body } = await get('/records?limit=2');
    expect(body.items.map(({ callId }: { callId: string }) => callId)).toEqual(['c3', 'c2']);
    expect(body.items[1]).toMatchObject({
      ...{ SetupTime: new Date(T0).toISOString(), AnswerTime: new Date(T0 + 5_000).toISOString(), BillSec: 60 },
      ...{ EndTime: new Date(T0 + 65_001).toISOString(), cause: 'bye', from: `sip:1001@${domain}` },
    });
    const rest = await get(`/records?limit=2&cursor=${body.next}`);
    expect(rest.body.items.map(({ callId }: { callId: string }) => callId)).toEqual(['c1']);
    expect(rest.body.next).toBeUndefined();
  });
});

describe('what is wrong with a request', () => {
  it.each([
    ['GET', '/', 404],
    ['GET', '/v2/calls', 404],
    ['GET', '/v1/nothing', 404],
    ['GET', '/v1/constructor', 404],
    ['GET', '/v1/calls/c1/', 400],
    ['GET', '/v1/calls/none?tenant=TENANT', 404],
    ['GET', '/v1/tenants/no.example/calls', 404],
    ['GET', '/v1/tenants/no..%20/calls', 400],
    ['GET', '/v1/tenants/%E0%A4/calls', 400],
    ['GET', '/v1/tenants/TENANT/calls?limit=0', 400],
    ['GET', '/v1/tenants/TENANT/calls?limit=201', 400],
    ['GET', '/v1/tenants/TENANT/calls?limit=1e1', 400],
    ['GET', '/v1/tenants/TENANT/calls?cursor=%7B', 400],
    ['GET', '/v1/tenants/TENANT/calls?colour=red', 400],
    ['GET', '/v1/calls?tenant=TENANT&tenant=TENANT', 400],
    ['GET', '/v1/tenants/TENANT/profiles/nothing', 404],
    ['GET', '/v1/tenants/TENANT/profiles/total/1', 404],
    ['POST', '/v1/tenants/TENANT/calls', 405],
    ['DELETE', '/v1/tenants/TENANT/records', 405],
  ])('%s %s: %s, as a problem (RFC 9457)', async (method, url, status) => {
    const { statusCode, headers, body } = await ask(method, url.replaceAll('TENANT', domain));
    expect({ statusCode, type: headers['content-type'] }).toEqual({
      statusCode: status,
      type: 'application/problem+json',
    });
    expect(body).toEqual({ type: 'about:blank', title: expect.any(String), status, detail: expect.any(String) });
    if (status === 405) expect(headers.allow).toMatch(/GET/);
  });

  it('is told apart from what is wrong here: 503 without the table, 500 for a defect', async () => {
    const failing = (error: Error): Partial<ApiPorts> => ({ loadTenant: () => Promise.reject(error) });
    const url = `/v1/tenants/${domain}/calls`;
    expect(await ask('GET', url, failing(new DependencyUnavailable('away')))).toMatchObject({ statusCode: 503 });
    const defect = await ask('GET', url, failing(new TypeError('secret detail')));
    expect(defect).toMatchObject({ statusCode: 500 });
    expect(JSON.stringify(defect)).not.toContain('secret detail');
  });
});
