import { beforeEach, describe, expect, it } from 'vitest';
import { trunkKey } from '#table/keys.ts';
import { loadList } from '#table/list-item.ts';
import { loadCounts } from '#table/tenant-counts.ts';
import { tenantItem } from '#table/tenant-item.ts';
import { loadTrunk } from '#table/trunk-item.ts';
import { type ApiRig, openApiRig } from '#test/support/api-rig.ts';
import { TEST_VAULT } from '#test/support/secrets.ts';

const A = '/v1/tenants/a.example';
const MEMBERS = [{ uri: 'sip:1001@a.example' }, { uri: 'sip:1002@a.example', displayName: 'Bob' }];
let rig: ApiRig;

beforeEach(async () => {
  rig = openApiRig();
  await rig.table.put(tenantItem('a.example', {}));
});

describe('an event list', () => {
  const put = (name: string, members: readonly object[]) => rig.ask('PUT', `${A}/lists/${name}`, { body: { members } });

  it('is created, read, put back unchanged, listed and removed', async () => {
    const made = await put('team', MEMBERS);
    expect(made).toMatchObject({ status: 201, body: { name: 'team', members: MEMBERS } });
    expect(await loadList(rig.table, { domain: 'a.example', user: 'team' })).toEqual(MEMBERS);
    rig.nowMs += 1_000;
    const again = await rig.ask('PUT', `${A}/lists/team`, { body: (await rig.ask('GET', `${A}/lists/team`)).body });
    expect([again.status, again.headers.etag]).toEqual([200, made.headers.etag]);
    await put('all', []);
    expect((await rig.ask('GET', `${A}/lists`)).body.items.map(({ name }: { name: string }) => name)).toEqual([
      'all',
      'team',
    ]);
    expect(await loadCounts(rig.table, 'a.example')).toEqual({ users: 0, lists: 2, webhooks: 0 });
    expect((await rig.ask('DELETE', `${A}/lists/team`)).status).toBe(204);
    expect((await rig.ask('GET', `${A}/lists/team`)).status).toBe(404);
    expect(await loadCounts(rig.table, 'a.example')).toEqual({ users: 0, lists: 1, webhooks: 0 });
  });

  it.each([
    ['no SIP URI', [{ uri: 'mailto:1001@a.example' }], '#/members/0/uri'],
    ['the same twice', [...MEMBERS, { uri: 'sip:1001@a.example' }], '#/members/2/uri'],
    ['more than 200', Array.from({ length: 201 }, (_, i) => ({ uri: `sip:${i}@a.example` })), '#/members'],
    [
      'names over 20 KiB',
      Array.from({ length: 200 }, (_, i) => ({ uri: `sip:${i}${'x'.repeat(120)}@a.example` })),
      undefined,
    ],
  ])('is refused with %s', async (_what, members, pointer) => {
    const answer = await put('team', members);
    expect([answer.status, answer.body.errors?.[0]?.pointer]).toEqual([400, pointer]);
  });
});

describe('a trunk', () => {
  const put = (body: object) => rig.ask('PUT', `${A}/trunk`, { body });
  const account = { username: 'acme', password: 'secret of the trunk' };
  const trunk = { transport: 'TLS', host: 'sip.provider.example', port: 5061, addresses: ['192.0.2.0/24'] };

  it('is set; its password goes in, and never comes out', async () => {
    const made = await put({ ...trunk, account });
    const shown = { ...trunk, callerId: {}, account: { username: 'acme', realm: trunk.host } };
    expect(made).toMatchObject({ status: 201, body: shown });
    expect((await rig.ask('GET', `${A}/trunk`)).body).toEqual(shown);
    expect(
      JSON.stringify([await rig.table.get(trunkKey('a.example')), (await rig.ask('GET', `${A}/audit`)).body]),
    ).not.toMatch(/secret of the trunk|ha1|[0-9a-f]{32}/);
    const stored = await loadTrunk(rig.table, async () => TEST_VAULT, 'a.example');
    expect(stored).toMatchObject({ host: trunk.host, account: { username: 'acme', ha1: { md5: expect.any(String) } } });
  });

  it('keeps the password of the same account; another account needs one', async () => {
    const made = await put({ ...trunk, account });
    const stored = await loadTrunk(rig.table, async () => TEST_VAULT, 'a.example');
    const again = await put((await rig.ask('GET', `${A}/trunk`)).body);
    expect([again.status, again.headers.etag]).toEqual([200, made.headers.etag]);
    expect(await loadTrunk(rig.table, async () => TEST_VAULT, 'a.example')).toEqual(stored);
    const other = await put({ ...trunk, account: { username: 'other' } });
    expect(other).toMatchObject({ status: 400, body: { errors: [{ pointer: '#/account/password' }] } });
    expect((await put({ ...trunk, account: { ...account, password: 'another' } })).headers.etag).not.toBe(
      made.headers.etag,
    );
    const { port: _port, ...bare } = trunk;
    await put(bare);
    expect((await rig.ask('GET', `${A}/trunk`)).body).toEqual({ ...bare, callerId: {} });
    expect((await rig.ask('DELETE', `${A}/trunk`)).status).toBe(204);
    expect((await rig.ask('GET', `${A}/trunk`)).status).toBe(404);
  });
});
