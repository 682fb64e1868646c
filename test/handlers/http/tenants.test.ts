import { beforeEach, describe, expect, it } from 'vitest';
import { loadTenant } from '#table/tenant-item.ts';
import { type ApiRig, openApiRig } from '#test/support/api-rig.ts';

const A = '/v1/tenants/a.example';
let rig: ApiRig;

beforeEach(() => {
  rig = openApiRig();
});
const put = (body: unknown, headers?: Record<string, string>) =>
  rig.ask('PUT', A, { body, ...(headers && { headers }) });

describe('a tenant', () => {
  it('is created by PUT, found, listed, and what it sets is in force', async () => {
    const body = { displayName: 'A', policy: { minExpiresSeconds: 30, calls: { federation: ['b.example'] } } };
    const made = await put(body);
    expect(made).toMatchObject({ status: 201, headers: { location: A }, body: { domain: 'a.example', ...body } });
    expect((await rig.ask('GET', '/v1/tenants/A.Example')).body).toEqual(made.body);
    expect((await rig.ask('GET', '/v1/tenants')).body).toEqual({ items: [made.body] });
    const { policy } = (await loadTenant(rig.table, 'a.example')) ?? {};
    expect(policy).toMatchObject({
      minExpiresSeconds: 30,
      maxExpiresSeconds: 7_200,
      calls: { federation: ['b.example'] },
    });
    expect(await put({})).toMatchObject({ status: 200, body: { domain: 'a.example' } });
    expect((await loadTenant(rig.table, 'a.example'))?.policy.minExpiresSeconds).toBe(60);
  });

  it('can be put back as it was read, which changes nothing and leaves no line', async () => {
    const made = await put({ displayName: 'A', policy: { calls: { limits: [{ profile: 'total', limit: 5 }] } } });
    const before = (await rig.ask('GET', `${A}/audit`)).body.items.length;
    rig.nowMs += 1_000;
    const again = await put((await rig.ask('GET', A)).body);
    expect(again.status).toBe(200);
    expect(again.headers.etag).toBe(made.headers.etag);
    expect((await rig.ask('GET', `${A}/audit`)).body.items).toHaveLength(before);
  });

  it.each([
    ['a domain of no sense', '/v1/tenants/a..example', {}, undefined],
    ['a dash at the end', '/v1/tenants/a-.example', {}, undefined],
    ['an unknown member', A, { colour: 'red' }, '#/colour'],
    ['an unknown member of a member', A, { policy: { calls: { limitz: [] } } }, '#/policy/calls/limitz'],
    [
      'an unknown member in an array',
      A,
      { policy: { calls: { limits: [{ profile: 'a', limit: 1, x: 1 }] } } },
      '#/policy/calls/limits/0/x',
    ],
    ['another type', A, { policy: { storeAndForward: 'yes' } }, '#/policy/storeAndForward'],
    ['a number out of bounds', A, { policy: { maxMessageBytes: 70_000 } }, '#/policy/maxMessageBytes'],
    ['times that do not rise', A, { policy: { minExpiresSeconds: 100, maxExpiresSeconds: 99 } }, '#/policy'],
    ['another domain', A, { domain: 'b.example' }, '#/domain'],
    ['no object', A, [], '#'],
    ['a member that only prototypes have', A, '{"__proto__":{"displayName":"A"}}', '#/__proto__'],
  ])('is refused with %s, pointing at it (RFC 9457)', async (_what, url, body, pointer) => {
    const answer = await rig.ask('PUT', url, { body });
    expect(answer).toMatchObject({ status: 400, headers: { 'content-type': 'application/problem+json' } });
    expect(answer.body.errors?.[0]?.pointer).toBe(pointer);
    expect((await rig.ask('GET', '/v1/tenants')).body.items).toEqual([]);
  });

  it('is changed only as it was read, when If-Match says so (RFC 9110)', async () => {
    expect((await put({}, { 'if-match': '*' })).status).toBe(412);
    const first = (await put({}, { 'if-none-match': '*' })).headers.etag ?? '';
    expect(await put({ displayName: 'B' }, { 'if-none-match': '*' })).toMatchObject({ status: 412 });
    const second = await put({ displayName: 'B' }, { 'if-match': `"x", ${first}` });
    expect(second.status).toBe(200);
    expect(await put({ displayName: 'C' }, { 'if-match': first })).toMatchObject({ status: 412 });
    expect(await put({ displayName: 'C' }, { 'if-match': `W/${second.headers.etag}` })).toMatchObject({ status: 412 });
    expect(await put({ displayName: 'C' }, { 'if-match': 'no tag' })).toMatchObject({ status: 400 });
    expect((await rig.ask('GET', A)).body.displayName).toBe('B');
    const known = await rig.ask('GET', A, { headers: { 'if-none-match': `W/${second.headers.etag}` } });
    expect(known).toMatchObject({ status: 304, text: '', headers: { etag: second.headers.etag } });
    expect(await rig.ask('GET', A, { headers: { 'if-none-match': first } })).toMatchObject({ status: 200 });
  });

  it('of two who change it at once, one is told that it has changed', async () => {
    const etag = (await put({})).headers.etag ?? '';
    const both = await Promise.all(['B', 'C'].map((displayName) => put({ displayName }, { 'if-match': etag })));
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 412]);
  });

  it('may change its own policy with its key, but neither its quotas nor its trunk', async () => {
    await put({ displayName: 'A' });
    const { key } = (await rig.ask('POST', `${A}/keys`, { body: { name: 'k', permission: 'admin' } })).body;
    expect((await rig.ask('PUT', A, { key, body: { displayName: 'Mine' } })).status).toBe(200);
    const trunk = { transport: 'TCP', host: 'sip.example', addresses: [] };
    expect((await rig.ask('PUT', `${A}/trunk`, { key, body: trunk })).status).toBe(403);
    expect((await rig.ask('PUT', `${A}/trunk`, { body: trunk })).status).toBe(201);
    expect((await rig.ask('GET', `${A}/trunk`, { key })).status).toBe(200);
  });

  it('has no way in for a key of a tenant that is not there: it cannot make tenants', async () => {
    await put({});
    const { key } = (await rig.ask('POST', `${A}/keys`, { body: { name: 'k', permission: 'admin' } })).body;
    expect((await rig.ask('PUT', '/v1/tenants/new.example', { key, body: {} })).status).toBe(404);
    expect(await loadTenant(rig.table, 'new.example')).toBeUndefined();
  });
});

describe('the audit trail', () => {
  it('has who changed what, when, from what to what, the newest first', async () => {
    await put({ displayName: 'A', policy: {} });
    rig.nowMs += 1_000;
    const { key, prefix } = (await rig.ask('POST', `${A}/keys`, { body: { name: 'k', permission: 'admin' } })).body;
    rig.nowMs += 1_000;
    await rig.ask('PUT', A, { key, body: { displayName: 'B', policy: {} } });
    rig.nowMs += 1_000;
    await rig.ask('PUT', `${A}/users/1001`, { key, body: { password: 'correct horse' } });
    const { items } = (await rig.ask('GET', `${A}/audit`, { key })).body;
    expect(items).toMatchObject([
      { by: prefix, action: 'create', resource: `${A}/users/1001`, after: { user: '1001', role: 'user' } },
      { by: prefix, action: 'update', resource: A, before: { displayName: 'A' }, after: { displayName: 'B' } },
      { by: 'admin', action: 'create', after: { name: 'k' } },
      { by: 'admin', action: 'create', resource: A, requestId: 'request-1' },
    ]);
    expect(items[1].before).toEqual({ displayName: 'A' });
    expect(JSON.stringify(items)).not.toContain('horse');
    expect((await rig.ask('GET', '/v1/audit')).body.items).toMatchObject([{ action: 'create', resource: A }]);
  });

  it('is read page by page', async () => {
    for (const displayName of ['A', 'B', 'C']) {
      rig.nowMs += 1_000;
      await put({ displayName });
    }
    const first = (await rig.ask('GET', `${A}/audit?limit=2`)).body;
    const rest = (await rig.ask('GET', `${A}/audit?limit=2&cursor=${first.next}`)).body;
    const names = [...first.items, ...rest.items].map(({ after }) => after.displayName);
    expect([names, rest.next]).toEqual([['C', 'B', 'A'], undefined]);
  });
});
