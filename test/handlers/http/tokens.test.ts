import { beforeEach, describe, expect, it } from 'vitest';
import { identityOfToken } from '#roles/token-checker.ts';
import { listAudit } from '#table/audit-item.ts';
import { loadSignInSecrets, openShared } from '#table/sign-in-secrets-item.ts';
import { loadTenant, tenantItem } from '#table/tenant-item.ts';
import { loadUser } from '#table/user-item.ts';
import { type ApiRig, openApiRig } from '#test/support/api-rig.ts';
import { T0 } from '#test/support/envelope.ts';
import { TEST_SECRETS, TEST_VAULT } from '#test/support/secrets.ts';

const TENANT = '/v1/tenants/a.example';
let rig: ApiRig;

beforeEach(async () => {
  rig = openApiRig();
  for (const domain of ['a.example', 'b.example']) await rig.table.put(tenantItem(domain, {}));
  await rig.ask('PUT', `${TENANT}/users/1001`, { body: { password: 'correct horse' } });
  await rig.ask('PUT', `${TENANT}/publishers/pbx`, { body: {} });
});

const prove = (token: string, nowMs = T0, domain = 'a.example') => {
  const { table } = rig;
  const ports = {
    ...TEST_SECRETS,
    loadTenant: (name: string) => loadTenant(table, name),
    loadUser: (name: string, user: string) => loadUser(table, name, user),
    loadSignInSecrets: (name: string) => loadSignInSecrets(table, name),
  };
  return identityOfToken(token, domain, ports, nowMs);
};
const auditText = async () => JSON.stringify(await listAudit(rig.table, 'a.example', { limit: 50 }));

describe('a token', () => {
  it('is handed out for a user and proves it until its end', async () => {
    const made = await rig.ask('POST', `${TENANT}/tokens`, { body: { user: '1001', expiresSeconds: 60 } });
    expect(made).toMatchObject({ status: 201, body: { user: '1001', expiresAt: new Date(T0 + 60_000).toISOString() } });
    const { token } = made.body;
    expect(await prove(token)).toEqual({
      ...{ domain: 'a.example', user: '1001', role: 'user', expiresAtMs: T0 + 60_000 },
      proof: { way: 'token', tokenId: made.body.id, issuedAtMs: T0 },
    });
    expect(await prove(token, T0 + 60_000)).toBeUndefined();
    expect(await prove(token, T0, 'b.example')).toBeUndefined();
    expect(await auditText()).toContain('hand out token');
    expect(await auditText()).not.toContain(token.split('.')[2]);
  });

  it('lasts an hour unless asked, a day at most', async () => {
    const made = await rig.ask('POST', `${TENANT}/tokens`, { body: { user: '1001' } });
    expect(made.body.expiresAt).toBe(new Date(T0 + 3_600_000).toISOString());
    for (const expiresSeconds of [0, 86_401, 1.5, '60']) {
      const refused = await rig.ask('POST', `${TENANT}/tokens`, { body: { user: '1001', expiresSeconds } });
      expect(refused).toMatchObject({ status: 400, body: { errors: [{ pointer: '#/expiresSeconds' }] } });
    }
  });

  it('is for users who are there, not for publishers', async () => {
    expect(await rig.ask('POST', `${TENANT}/tokens`, { body: { user: '9999' } })).toMatchObject({ status: 404 });
    expect(await rig.ask('POST', `${TENANT}/tokens`, { body: { user: 'pbx' } })).toMatchObject({ status: 409 });
    expect(await rig.ask('POST', '/v1/tenants/no.example/tokens', { body: { user: '1001' } })).toMatchObject({
      status: 404,
    });
  });

  it('is revoked with all of its tenant; later ones are good', async () => {
    const old = await rig.ask('POST', `${TENANT}/tokens`, { body: { user: '1001' } });
    for (let n = 0; n < 2; n++) expect(await rig.ask('DELETE', `${TENANT}/tokens`)).toMatchObject({ status: 204 });
    expect(await prove(old.body.token)).toBeUndefined();
    const made = await rig.ask('POST', `${TENANT}/tokens`, { body: { user: '1001' } });
    expect(await prove(made.body.token)).toMatchObject({ user: '1001' });
    expect(await auditText()).toContain('revoke tokens');
  });

  it('is revoked alone, by its id; others are good', async () => {
    const [one, other] = [
      await rig.ask('POST', `${TENANT}/tokens`, { body: { user: '1001' } }),
      await rig.ask('POST', `${TENANT}/tokens`, { body: { user: '1001' } }),
    ];
    expect(await prove(one.body.token)).toMatchObject({ user: '1001' });
    for (let n = 0; n < 2; n++)
      expect(await rig.ask('DELETE', `${TENANT}/tokens/${one.body.id}`)).toMatchObject({ status: 204 });
    expect(await prove(one.body.token)).toBeUndefined();
    expect(await prove(other.body.token)).toMatchObject({ user: '1001' });
    expect(await rig.ask('DELETE', `${TENANT}/tokens/short`)).toMatchObject({ status: 400 });
    expect(await auditText()).toContain('revoke token');
  });

  it('of which 200 are revoked at once at most: who needs more revokes all, and begins anew', async () => {
    const revoke = (n: number) => rig.ask('DELETE', `${TENANT}/tokens/${String(n).padStart(16, '0')}`);
    for (let n = 0; n < 200; n++) expect((await revoke(n)).status).toBe(204);
    expect(await revoke(200)).toMatchObject({ status: 409 });
    rig.nowMs += 86_400_001;
    expect((await revoke(200)).status).toBe(204);
    expect((await loadSignInSecrets(rig.table, 'a.example')).revoked).toHaveLength(1);
    await rig.ask('DELETE', `${TENANT}/tokens`);
    expect((await loadSignInSecrets(rig.table, 'a.example')).revoked).toEqual([]);
  });

  it('of a user who is signed out is worth nothing, a later one is good', async () => {
    const old = await rig.ask('POST', `${TENANT}/tokens`, { body: { user: '1001' } });
    rig.nowMs += 1;
    expect(await rig.ask('DELETE', `${TENANT}/users/1001/tokens`)).toMatchObject({ status: 204 });
    const made = await rig.ask('POST', `${TENANT}/tokens`, { body: { user: '1001' } });
    expect(await prove(old.body.token, rig.nowMs)).toBeUndefined();
    expect(await prove(made.body.token, rig.nowMs)).toMatchObject({ user: '1001' });
    expect(await rig.ask('DELETE', `${TENANT}/users/9999/tokens`)).toMatchObject({ status: 404 });
    expect(await auditText()).toContain('sign out');
  });
});

describe('a shared secret', () => {
  const SECRETS = `${TENANT}/shared-secrets`;
  const SECRET = 'a-secret-that-nobody-else-can-know';
  const stored = async () => {
    const { domain, shared } = await loadSignInSecrets(rig.table, 'a.example');
    return Object.fromEntries(shared.map((each) => [each.id, openShared(TEST_VAULT, domain, each)]));
  };

  it('is set, listed without itself, replaced and removed', async () => {
    const made = await rig.ask('PUT', `${SECRETS}/portal`, { body: { secret: SECRET } });
    expect(made).toMatchObject({ status: 201, body: { id: 'portal', createdAt: new Date(T0).toISOString() } });
    expect(made.body).not.toHaveProperty('secret');
    expect(await stored()).toEqual({ portal: SECRET });
    expect(JSON.stringify(await rig.table.get({ PK: 'TENANT#a.example', SK: 'SIGN-IN' }))).not.toContain(SECRET);

    const again = await rig.ask('PUT', `${SECRETS}/portal`, { body: { secret: SECRET } });
    expect(again).toMatchObject({ status: 200, headers: { etag: made.headers.etag } });
    rig.nowMs += 1_000;
    const other = await rig.ask('PUT', `${SECRETS}/portal`, { body: { secret: `${SECRET}2` } });
    expect(other.headers.etag).not.toBe(made.headers.etag);
    expect(await rig.ask('GET', SECRETS)).toMatchObject({ status: 200, body: { items: [{ id: 'portal' }] } });
    expect(await auditText()).not.toContain(SECRET);

    expect(await rig.ask('DELETE', `${SECRETS}/portal`)).toMatchObject({ status: 204 });
    expect(await rig.ask('DELETE', `${SECRETS}/portal`)).toMatchObject({ status: 404 });
    expect(await stored()).toEqual({});
  });

  it('is made up when none is given, and shown that once', async () => {
    const made = await rig.ask('PUT', `${SECRETS}/portal`);
    expect(made.body.secret).toMatch(/^[\w-]{43}$/);
    expect(await stored()).toEqual({ portal: made.body.secret });
    expect((await rig.ask('GET', SECRETS)).text).not.toContain(made.body.secret);
  });

  it('has five at most at a tenant, and 32 characters at least', async () => {
    for (const id of ['a', 'b', 'c', 'd', 'e']) await rig.ask('PUT', `${SECRETS}/${id}`);
    expect(await rig.ask('PUT', `${SECRETS}/f`)).toMatchObject({ status: 409 });
    expect(await rig.ask('PUT', `${SECRETS}/a`)).toMatchObject({ status: 200 });
    const short = await rig.ask('PUT', `${SECRETS}/a`, { body: { secret: 'short' } });
    expect(short).toMatchObject({ status: 400, body: { errors: [{ pointer: '#/secret' }] } });
    expect(short.text).not.toContain('"short"');
  });
});
