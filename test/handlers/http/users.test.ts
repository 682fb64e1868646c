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
