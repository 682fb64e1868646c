import { beforeEach, describe, expect, it } from 'vitest';
import { flowIdOf, gatewayIdOf, subscriptionIdOf } from '#contract/ids.ts';
import { tenantItem } from '#table/tenant-item.ts';
import { loadUser } from '#table/user-item.ts';
import { putWatcher } from '#table/watcher-item.ts';
import { type ApiRig, openApiRig } from '#test/support/api-rig.ts';
import { T0 } from '#test/support/envelope.ts';

const WATCHERS = '/v1/tenants/a.example/presentities/1002/watchers';
let rig: ApiRig;

beforeEach(async () => {
  rig = openApiRig();
  await rig.table.put(tenantItem('a.example', {}));
  await rig.ask('PUT', '/v1/tenants/a.example/users/1002', { body: {} });
});

const watching = (id: string, watcher: string, rendering: string, event = 'dialog') =>
  putWatcher(
    rig.table,
    {
      ...{ presentity: { domain: 'a.example', user: '1002' }, event, id: subscriptionIdOf(id) },
      ...{ callId: 'c', fromTag: 'f', watcher },
    },
    { gatewayId: gatewayIdOf('g'), flowId: flowIdOf('f'), contentType: 'x/y', rendering },
    { cseq: 1, expiresAtMs: T0 + 60_000 },
    T0,
  );
const watchOf = async () => (await loadUser(rig.table, 'a.example', '1002'))?.watch;

describe('who watches a user', () => {
  beforeEach(async () => {
    await watching('s1', 'sip:1001@a.example', '');
    await watching('s2', 'sip:1003@a.example', 'access=pending');
    await watching('s3', 'sip:1004@a.example', 'access=blocked');
    await watching('s4', 'sip:1005@a.example', 'hold=early access=polite', 'presence');
  });

  it('is listed with what each sees, in pages', async () => {
    const all = await rig.ask('GET', WATCHERS);
    expect(all.body.items).toEqual([
      {
        ...{ watcher: 'sip:1001@a.example', event: 'dialog', state: 'active', access: 'full', byList: false },
        ...{ createdAt: new Date(T0).toISOString(), expiresAt: new Date(T0 + 60_000).toISOString() },
      },
      expect.objectContaining({ watcher: 'sip:1003@a.example', state: 'pending', access: 'pending' }),
      expect.objectContaining({ watcher: 'sip:1005@a.example', state: 'active', access: 'polite' }),
    ]);
    const first = await rig.ask('GET', `${WATCHERS}?limit=2`);
    const second = await rig.ask('GET', `${WATCHERS}?limit=2&cursor=${first.body.next}`);
    expect([...first.body.items, ...second.body.items]).toEqual(all.body.items);
    expect(second.body.next).toBeUndefined();
    rig.nowMs = T0 + 60_000;
    expect((await rig.ask('GET', WATCHERS)).body.items).toEqual([]);
  });

  it('can be asked for those who wait', async () => {
    const { body } = await rig.ask('GET', `${WATCHERS}?state=pending`);
    expect(body.items.map(({ watcher }: { watcher: string }) => watcher)).toEqual(['sip:1003@a.example']);
    expect((await rig.ask('GET', `${WATCHERS}?state=other`)).status).toBe(400);
  });
});

describe('what a user says of a watcher', () => {
  it('is one word, which replaces the one before, whatever the watcher was called', async () => {
    const allowed = await rig.ask('PUT', `${WATCHERS}/1003`, { body: { access: 'allow' } });
    expect(allowed).toMatchObject({ status: 200, body: { watcher: '1003', access: 'allow' } });
    expect(await watchOf()).toEqual({ allow: ['1003'] });
    await rig.ask('PUT', `${WATCHERS}/${encodeURIComponent('sip:1003@a.example')}`, { body: { access: 'block' } });
    expect(await watchOf()).toEqual({ block: ['1003'] });
    await rig.ask('PUT', `${WATCHERS}/${encodeURIComponent('sip:7@b.example')}`, { body: { access: 'politeBlock' } });
    expect(await watchOf()).toEqual({ block: ['1003'], politeBlock: ['sip:7@b.example'] });
    expect((await rig.ask('GET', `${WATCHERS}/1003`)).body).toEqual({ watcher: '1003', access: 'block' });
    expect((await rig.ask('DELETE', `${WATCHERS}/1003`)).status).toBe(204);
    expect(await watchOf()).toEqual({ politeBlock: ['sip:7@b.example'] });
    expect((await rig.ask('GET', `${WATCHERS}/1003`)).body).toEqual({ watcher: '1003' });
  });

  it('leaves the rest of the account alone, and is in the audit trail', async () => {
    await rig.ask('PUT', '/v1/tenants/a.example/users/1002', {
      body: { displayName: 'Bob', watch: { confirm: true, allow: ['group:sales'] } },
    });
    await rig.ask('PUT', `${WATCHERS}/1003`, { body: { access: 'allow' } });
    const { body } = await rig.ask('GET', '/v1/tenants/a.example/users/1002');
    expect(body).toMatchObject({ displayName: 'Bob', watch: { confirm: true, allow: ['group:sales', '1003'] } });
    const audit = await rig.ask('GET', '/v1/tenants/a.example/audit');
    expect(JSON.stringify(audit.body.items)).toContain(
      '"resource":"/v1/tenants/a.example/presentities/1002/watchers/1003"',
    );
  });

  it('is idempotent and conditional', async () => {
    const first = await rig.ask('PUT', `${WATCHERS}/1003`, { body: { access: 'allow' } });
    rig.nowMs += 1;
    const again = await rig.ask('PUT', `${WATCHERS}/1003`, { body: { access: 'allow' } });
    expect(again.headers.etag).toBe(first.headers.etag);
    const stale = await rig.ask('PUT', `${WATCHERS}/1003`, {
      body: { access: 'block' },
      headers: { 'if-match': '"1"' },
    });
    expect(stale.status).toBe(412);
    expect(await watchOf()).toEqual({ allow: ['1003'] });
  });

  it('is refused for nobody, for what is no watcher, for no word, and beyond 500 (409)', async () => {
    const nobody = '/v1/tenants/a.example/presentities/none/watchers/1003';
    expect((await rig.ask('PUT', nobody, { body: { access: 'allow' } })).status).toBe(404);
    expect((await rig.ask('PUT', `${WATCHERS}/sip:`, { body: { access: 'allow' } })).status).toBe(400);
    expect((await rig.ask('PUT', `${WATCHERS}/1003`, { body: { access: 'maybe' } })).status).toBe(400);
    const block = Array.from({ length: 500 }, (_, index) => `b${index}`);
    await rig.ask('PUT', '/v1/tenants/a.example/users/1002', { body: { watch: { block } } });
    expect((await rig.ask('PUT', `${WATCHERS}/1003`, { body: { access: 'block' } })).status).toBe(409);
  });
});

describe('what a tenant and a user are given', () => {
  it('is checked: unknown words, groups and members are refused', async () => {
    const tenant = (watch: unknown) => rig.ask('PUT', '/v1/tenants/a.example', { body: { watch } });
    const policy = {
      ...{ default: 'sameGroup', redact: { outsideGroup: 'identities' }, federation: ['b.example'] },
      publishers: [{ publisher: 'pbx', for: ['1002', 'group:sales'] }],
    };
    expect(await tenant(policy)).toMatchObject({ status: 200, body: { watch: policy } });
    for (const bad of [{ default: 'all' }, { redact: { everyone: 1 } }, { federation: ['*'] }, { other: 1 }])
      expect((await tenant(bad)).status).toBe(400);
    const user = (settings: unknown) => rig.ask('PUT', '/v1/tenants/a.example/users/1002', { body: settings });
    expect((await user({ groups: ['sales'], watch: { confirm: true } })).status).toBe(200);
    for (const bad of [
      { groups: ['a\nb'] },
      { watch: { allow: [''] } },
      { watch: { allow: ['\u0001'] } },
      { watch: { x: 1 } },
    ])
      expect((await user(bad)).status).toBe(400);
  });
});
