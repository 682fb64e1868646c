import { beforeEach, describe, expect, it } from 'vitest';
import { apiKeyKey } from '#table/keys.ts';
import { tenantItem } from '#table/tenant-item.ts';
import { ADMIN_KEY, type Answered, type ApiRig, openApiRig } from '#test/support/api-rig.ts';
import { T0 } from '#test/support/envelope.ts';

const A = '/v1/tenants/a.example';
const B = '/v1/tenants/b.example';
let rig: ApiRig;

beforeEach(async () => {
  rig = openApiRig();
  await rig.table.put(tenantItem('a.example', {}));
  await rig.table.put(tenantItem('b.example', {}));
});

async function make(base: string, body: object, key?: string): Promise<Answered['body']> {
  const answer = await rig.ask('POST', `${base}/keys`, { body, key });
  expect(answer.status).toBe(201);
  return answer.body;
}
const status = async (method: string, url: string, key: string, body?: object) =>
  (await rig.ask(method, url, { key, body })).status;

describe('a key', () => {
  it('is shown once, and stands in the table as a hash only', async () => {
    const answer = await rig.ask('POST', `${A}/keys`, { body: { name: 'portal', permission: 'admin' } });
    const { key, ...shown } = answer.body;
    expect(key).toMatch(/^lf_[0-9a-f]{12}_[A-Za-z0-9_-]{43}$/);
    expect(shown).toEqual({
      ...{ id: shown.id, prefix: `lf_${shown.id}`, name: 'portal', permission: 'admin' },
      createdAt: new Date(T0).toISOString(),
    });
    expect(answer.headers.location).toBe(`${A}/keys/${shown.id}`);
    const secret = key.split('_').slice(2).join('_');
    expect(JSON.stringify(await rig.table.get(apiKeyKey(shown.id)))).not.toContain(secret);
    for (const url of [`${A}/keys`, `${A}/keys/${shown.id}`, `${A}/audit`]) {
      expect((await rig.ask('GET', url)).text).toContain(shown.prefix);
      expect((await rig.ask('GET', url)).text).not.toContain(secret);
    }
  });

  it('of a tenant sees this tenant only: another one looks as if it did not exist', async () => {
    const { key } = await make(A, { name: 'a', permission: 'admin' });
    expect(await status('GET', `${A}/users`, key)).toBe(200);
    for (const [method, rest, body] of [
      ['GET', '', undefined],
      ['PUT', '', {}],
      ['GET', '/users', undefined],
      ['PUT', '/users/1001', { nonsense: true }],
      ['GET', '/calls?limit=0', undefined],
      ['DELETE', '/users/1001', undefined],
    ] as const) {
      const other = await rig.ask(method, `${B}${rest}`, { key, body });
      const none = await rig.ask(method, `/v1/tenants/none.example${rest}`, { key, body });
      expect(other.status).toBe(404);
      expect(other.headers).toEqual(none.headers);
      expect(other.text.replaceAll('b.example', 'none.example')).toBe(none.text);
    }
    expect((await rig.ask('GET', '/v1/calls?tenant=b.example', { key })).status).toBe(404);
    expect((await rig.ask('GET', '/v1/statistics', { key })).body).toMatchObject({ tenant: 'a.example' });
    expect((await rig.ask('GET', '/v1/tenants', { key })).body.items).toEqual([{ domain: 'a.example', policy: {} }]);
    for (const url of ['/v1/keys', '/v1/audit']) expect(await status('GET', url, key)).toBe(403);
  });

  it('of another tenant or of an operator cannot be seen, rotated or revoked through a tenant', async () => {
    const { key } = await make(A, { name: 'a', permission: 'admin' });
    const others = [
      await make(B, { name: 'b', permission: 'admin' }),
      await make('/v1', { name: 'o', permission: 'admin' }),
    ];
    for (const { id, key: theirs } of others) {
      expect(await status('GET', `${A}/keys/${id}`, key)).toBe(404);
      expect(await status('POST', `${A}/keys/${id}/rotate`, key)).toBe(404);
      expect(await status('DELETE', `${A}/keys/${id}`, key)).toBe(404);
      expect(await status('GET', `${B}/users`, theirs)).toBe(200);
    }
  });

  it.each([
    ['admin', { read: 200, write: 201 }],
    ['read', { read: 200, write: 403 }],
    ['ingest', { read: 403, write: 403 }],
  ] as const)('with permission %s may do what it says', async (permission, { read, write }) => {
    const { key } = await make(A, { name: 'k', permission });
    expect(await status('GET', `${A}/users`, key)).toBe(read);
    expect(await status('PUT', `${A}/users/1001`, key, {})).toBe(write);
  });

  it('is refused when it is revoked, in the same words as one that never was', async () => {
    const { key, id } = await make(A, { name: 'k', permission: 'read' });
    expect(await status('GET', `${A}/users`, key)).toBe(200);
    expect((await rig.ask('DELETE', `${A}/keys/${id}`)).status).toBe(204);
    const revoked = await rig.ask('GET', `${A}/users`, { key });
    const never = await rig.ask('GET', `${A}/users`, { key: `lf_0123456789ab_${'A'.repeat(43)}` });
    const wrong = await rig.ask('GET', `${A}/users`, { key: 'nonsense' });
    expect(revoked).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } });
    expect([never, wrong]).toEqual([revoked, revoked]);
    expect((await rig.ask('DELETE', `${A}/keys/${id}`)).status).toBe(404);
  });

  it('with the id of one and the secret of another is refused', async () => {
    const [one, two] = [
      await make(A, { name: '1', permission: 'read' }),
      await make(A, { name: '2', permission: 'read' }),
    ];
    expect(await status('GET', `${A}/users`, `${one.prefix}_${two.key.slice(two.prefix.length + 1)}`)).toBe(401);
  });

  it('gets another secret by rotation; the old one is good for the grace and no longer', async () => {
    const { key, id } = await make(A, { name: 'k', permission: 'read' });
    const rotated = await rig.ask('POST', `${A}/keys/${id}/rotate`, { body: { graceSeconds: 60 } });
    expect(rotated.body).toMatchObject({ id, previousUntil: new Date(T0 + 60_000).toISOString() });
    const { key: next } = rotated.body;
    expect(next).not.toBe(key);
    expect([await status('GET', `${A}/users`, key), await status('GET', `${A}/users`, next)]).toEqual([200, 200]);
    rig.nowMs = T0 + 60_000;
    expect([await status('GET', `${A}/users`, key), await status('GET', `${A}/users`, next)]).toEqual([401, 200]);
    const atOnce = (await rig.ask('POST', `${A}/keys/${id}/rotate`)).body.key;
    expect([await status('GET', `${A}/users`, next), await status('GET', `${A}/users`, atOnce)]).toEqual([401, 200]);
  });

  it('ends when it says', async () => {
    const expiresAt = new Date(T0 + 5_000).toISOString();
    const { key } = await make(A, { name: 'k', permission: 'read', expiresAt });
    expect(await status('GET', `${A}/users`, key)).toBe(200);
    rig.nowMs = T0 + 5_000;
    expect(await status('GET', `${A}/users`, key)).toBe(401);
    const past = await rig.ask('POST', `${A}/keys`, { body: { name: 'k', permission: 'read', expiresAt } });
    expect(past).toMatchObject({ status: 400, body: { errors: [{ pointer: '#/expiresAt', detail: 'is past' }] } });
  });

  it('tells when it was used last, with one write a minute at most', async () => {
    const { key, id } = await make(A, { name: 'k', permission: 'read' });
    const lastUsed = async () => (await rig.ask('GET', `${A}/keys/${id}`)).body.lastUsedAt;
    expect(await lastUsed()).toBeUndefined();
    for (const [after, expected] of [
      [0, 0],
      [59_999, 0],
      [60_000, 60_000],
    ] as const) {
      rig.nowMs = T0 + after;
      await rig.ask('GET', `${A}/users`, { key });
      expect(await lastUsed()).toBe(new Date(T0 + expected).toISOString());
    }
  });

  it('of an operator sees all tenants, within its permission', async () => {
    const { key } = await make('/v1', { name: 'o', permission: 'read' });
    expect(await status('GET', `${A}/users`, key)).toBe(200);
    expect(await status('GET', `${B}/users`, key)).toBe(200);
    expect(await status('PUT', '/v1/tenants/c.example', key, {})).toBe(403);
    expect(await status('GET', '/v1/keys', key)).toBe(403);
    expect((await rig.ask('GET', '/v1/keys')).body.items).toMatchObject([{ name: 'o' }]);
    expect((await rig.ask('GET', `${A}/keys`)).body.items).toEqual([]);
  });

  it('that is none costs no read, one that looks right a single one', async () => {
    let reads = 0;
    const counted = {
      ...rig.table,
      get: (...args: Parameters<typeof rig.table.get>) => {
        reads++;
        return rig.table.get(...args);
      },
    };
    const guarded = openApiRig({ table: counted });
    for (const key of ['', 'x', 'lf_1_2', `${ADMIN_KEY}x`])
      expect((await guarded.ask('GET', `${A}/users`, { key })).status).toBe(401);
    expect(reads).toBe(0);
    expect((await guarded.ask('GET', `${A}/users`, { key: `lf_0123456789ab_${'A'.repeat(43)}` })).status).toBe(401);
    expect(reads).toBe(1);
  });
});
