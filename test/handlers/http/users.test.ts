import { beforeEach, describe, expect, it } from 'vitest';
import { tenantItem } from '#table/tenant-item.ts';
import { loadUser, openHa1 } from '#table/user-item.ts';
import { type ApiRig, openApiRig } from '#test/support/api-rig.ts';
import { TEST_VAULT } from '#test/support/secrets.ts';

const USERS = '/v1/tenants/a.example/users';
let rig: ApiRig;

beforeEach(async () => {
  rig = openApiRig();
  await rig.table.put(tenantItem('a.example', {}));
});

const ha1 = async (user: string) => {
  const account = await loadUser(rig.table, 'a.example', user);
  return account && openHa1(TEST_VAULT, account);
};

describe('a user', () => {
  it('is created by PUT (201), read, replaced (200) and removed (204)', async () => {
    const made = await rig.ask('PUT', `${USERS}/1001`, { body: { displayName: 'Alice', groups: ['sales'] } });
    expect(made).toMatchObject({ status: 201, headers: { location: `${USERS}/1001`, etag: expect.any(String) } });
    expect(made.body).toEqual({ user: '1001', role: 'user', displayName: 'Alice', groups: ['sales'] });
    expect(await rig.ask('GET', `${USERS}/1001`)).toMatchObject({ status: 200, body: made.body });
    const replaced = await rig.ask('PUT', `${USERS}/1001`, { body: { role: 'publisher' } });
    expect(replaced).toMatchObject({ status: 200, body: { user: '1001', role: 'publisher' } });
    expect(replaced.body).not.toHaveProperty('displayName');
    expect(replaced.headers.etag).not.toBe(made.headers.etag);
    expect(await rig.ask('DELETE', `${USERS}/1001`)).toMatchObject({ status: 204, text: '' });
    expect(await rig.ask('GET', `${USERS}/1001`)).toMatchObject({ status: 404 });
    expect(await rig.ask('DELETE', `${USERS}/1001`)).toMatchObject({ status: 404 });
  });

  it('keeps its password when it is replaced, and gets the one that is given', async () => {
    await rig.ask('PUT', `${USERS}/1001`, { body: { password: 'correct horse' } });
    const first = await ha1('1001');
    await rig.ask('PUT', `${USERS}/1001`, { body: { displayName: 'Alice' } });
    expect(await ha1('1001')).toEqual(first);
    await rig.ask('PUT', `${USERS}/1001`, { body: { displayName: 'Alice', password: 'battery staple' } });
    expect(await ha1('1001')).not.toEqual(first);
  });
});

describe('the password of a user', () => {
  it.each([
    ['Xy7!', 'too short'],
    ['a@a.example', 'a name'],
    ['aaaaaaaaaaaaaaa', 'too few different'],
    ['with\u0000control', 'control characters'],
  ])('is refused when it is weak: %s', async (password, why) => {
    for (const url of [`${USERS}/a`, `${USERS}/a/credentials`]) {
      if (url.endsWith('credentials')) await rig.ask('PUT', `${USERS}/a`, { body: {} });
      const answer = await rig.ask('PUT', url, { body: { password } });
      expect(answer).toMatchObject({
        status: 400,
        body: { errors: [{ pointer: '#/password', detail: expect.stringContaining(why) }] },
      });
      expect(answer.text).not.toContain(password);
    }
  });

  it('is made up when none is given, shown once, and never the same', async () => {
    await rig.ask('PUT', `${USERS}/1001`, { body: {} });
    const made = await Promise.all([1, 2].map(() => rig.ask('PUT', `${USERS}/1001/credentials`)));
    const [one, two] = made.map(({ body }) => body.password);
    expect([one, two]).toEqual([expect.stringMatching(/^[\w-]{20}$/), expect.stringMatching(/^[\w-]{20}$/)]);
    expect(one).not.toBe(two);
    expect(await rig.ask('PUT', `${USERS}/none/credentials`)).toMatchObject({ status: 404 });
    for (const url of [USERS, `${USERS}/1001`, '/v1/tenants/a.example/audit']) {
      expect((await rig.ask('GET', url)).text).not.toMatch(new RegExp(`${one}|${two}|ha1`, 'i'));
    }
  });

  it('that is the same again changes nothing', async () => {
    const body = { password: 'correct horse' };
    const made = await rig.ask('PUT', `${USERS}/1001`, { body });
    rig.nowMs += 1_000;
    expect((await rig.ask('PUT', `${USERS}/1001`, { body })).headers.etag).toBe(made.headers.etag);
    expect((await rig.ask('GET', '/v1/tenants/a.example/audit')).body.items).toHaveLength(1);
  });
});

describe('users and publishers', () => {
  it('are the same accounts, by role', async () => {
    await rig.ask('PUT', `${USERS}/1001`, { body: {} });
    await rig.ask('PUT', '/v1/tenants/a.example/publishers/pbx', { body: { displayName: 'PBX' } });
    const names = async (url: string) =>
      (await rig.ask('GET', url)).body.items.map(({ user }: { user: string }) => user);
    expect(await names(USERS)).toEqual(['pbx', '1001']);
    expect(await names(`${USERS}?role=user`)).toEqual(['1001']);
    expect(await names('/v1/tenants/a.example/publishers')).toEqual(['pbx']);
    expect((await rig.ask('GET', '/v1/tenants/a.example/publishers/1001')).status).toBe(404);
    expect((await rig.ask('DELETE', '/v1/tenants/a.example/publishers/1001')).status).toBe(404);
    expect((await rig.ask('GET', `${USERS}/pbx`)).body).toEqual({ user: 'pbx', role: 'publisher', displayName: 'PBX' });
    expect((await rig.ask('DELETE', '/v1/tenants/a.example/publishers/pbx')).status).toBe(204);
  });

  it.each(['a/b', 'a@b', 'a b', 'a:b', '', 'x'.repeat(65), '%'])(
    'have names that need no escape in SIP: not %j',
    async (name) => {
      const { status } = await rig.ask('PUT', `${USERS}/${encodeURIComponent(name)}`, { body: {} });
      expect(status).toBe(name === '' ? 405 : 400);
    },
  );

  it('are changed and removed only as they were read, when If-Match says so', async () => {
    const first = (await rig.ask('PUT', `${USERS}/1001`, { body: {} })).headers.etag ?? '';
    const headers = { 'if-match': first };
    expect((await rig.ask('PUT', `${USERS}/1001`, { body: { displayName: 'A' }, headers })).status).toBe(200);
    expect((await rig.ask('PUT', `${USERS}/1001`, { body: { displayName: 'B' }, headers })).status).toBe(412);
    expect((await rig.ask('DELETE', `${USERS}/1001`, { headers })).status).toBe(412);
    const again = await rig.ask('PUT', `${USERS}/1001/credentials`, { headers });
    expect(again.status).toBe(412);
    expect((await rig.ask('GET', `${USERS}/1001`)).body.displayName).toBe('A');
    expect((await rig.ask('DELETE', `${USERS}/1001`)).status).toBe(204);
    rig.nowMs += 1;
    const made = await rig.ask('PUT', `${USERS}/1001`, { body: {} });
    expect(made.headers.etag).not.toBe(first);
  });
});
