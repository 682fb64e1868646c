import { beforeEach, describe, expect, it } from 'vitest';
import { refusalOf } from '#runtime/guarded-connection.ts';
import { tenantItem } from '#table/tenant-item.ts';
import { userItem } from '#table/user-item.ts';
import { type Answered, type ApiRig, openApiRig } from '#test/support/api-rig.ts';
import { T0 } from '#test/support/envelope.ts';

const A = '/v1/tenants/a.example';
const B = '/v1/tenants/b.example';
const URL_OF = 'https://hooks.example/in';
let rig: ApiRig;

beforeEach(async () => {
  rig = openApiRig({ refusedTarget: (url) => refusalOf(url, false) });
  await rig.table.put(tenantItem('a.example', {}, { quotas: { webhooks: 2 } }));
  await rig.table.put(tenantItem('b.example', {}));
  await rig.table.put(userItem({ domain: 'a.example', user: 'board', role: 'user', sealedHa1: 'sealed' }));
});

const make = async (body: object = {}, base = A): Promise<Answered> =>
  rig.ask('POST', `${base}/webhooks`, { body: { url: URL_OF, ...body } });
const keyOf = async (permission: string, base = A): Promise<string> =>
  (await rig.ask('POST', `${base}/keys`, { body: { name: permission, permission } })).body.key;

describe('a webhook', () => {
  it('is made with a secret that is shown once and stands nowhere readable', async () => {
    const { status, body, headers } = await make({ description: 'CRM' });
    expect([status, headers.location]).toEqual([201, `${A}/webhooks/${body.id}`]);
    expect(body).toEqual({
      ...{ id: expect.stringMatching(/^[0-9a-f]{12}$/), url: URL_OF, description: 'CRM', events: ['lamp'] },
      ...{ enabled: true, watcher: `webhook-${body.id}`, createdAt: new Date(T0).toISOString() },
      secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/),
      delivery: { state: 'fine', failures: 0 },
    });
    const shown = [`${A}/webhooks`, `${A}/webhooks/${body.id}`, `${A}/audit`, `${A}/export`];
    const texts = await Promise.all(shown.map(async (url) => (await rig.ask('GET', url)).text));
    for (const text of texts) expect(text).toContain(body.id);
    const stored = await rig.table.query({ keyCondition: 'PK = :a', values: { ':a': 'TENANT#a.example' } });
    expect(JSON.stringify([texts, stored])).not.toContain(body.secret.slice(6));
    expect((await rig.ask('GET', `${A}/webhooks/${body.id}`)).body.delivery.waiting).toBe(0);
  });

  it('is put back as it was read, changed only as it was read, and its secret stays', async () => {
    const made = await make({ users: ['1001'] });
    const url = `${A}/webhooks/${made.body.id}`;
    const read = await rig.ask('GET', url);
    expect(read.headers.etag).toBe(made.headers.etag);
    const same = await rig.ask('PUT', url, { body: read.body });
    expect([same.status, same.headers.etag]).toEqual([200, read.headers.etag]);
    const changed = { ...read.body, events: ['lamp', 'presence'], users: undefined };
    rig.nowMs += 1;
    const headers = { 'if-match': read.headers.etag ?? '' };
    expect((await rig.ask('PUT', url, { body: changed, headers })).body).toMatchObject({
      events: ['lamp', 'presence'],
    });
    expect((await rig.ask('PUT', url, { body: changed, headers })).status).toBe(412);
    const now = (await rig.ask('GET', url)).body;
    expect([now.users, now.delivery.state, now.previousSecretUntil]).toEqual([undefined, 'fine', undefined]);
    expect((await rig.ask('GET', `${A}/audit`)).body.items.map(({ action }: { action: string }) => action)).toEqual([
      ...['update', 'create'],
    ]);
  });

  it('shows how deliveries go, and that nobody but a failing receiver switched it off', async () => {
    const { body } = await make();
    const key = { PK: 'TENANT#a.example', SK: `WEBHOOK#${body.id}` };
    const since = new Date(T0).toISOString();
    const failing =
      'SET failures = :n, failingSinceMs = :at, lastFailureAtMs = :at, lastFailure = :why, dueAtMs = :due';
    const values = { ':n': 3, ':at': T0, ':why': 'answered 500', ':due': T0 + 20_000 };
    await rig.table.update(key, { update: failing, values });
    expect((await rig.ask('GET', `${A}/webhooks/${body.id}`)).body.delivery).toEqual({
      ...{ state: 'failing', failures: 3, failingSince: since, nextTryAt: new Date(T0 + 20_000).toISOString() },
      ...{ lastFailure: { at: since, reason: 'answered 500' }, waiting: 0 },
    });
    const off = 'SET #on = :no, disabledAtMs = :at, disabledReason = :why';
    await rig.table.update(key, {
      update: off,
      names: { '#on': 'enabled' },
      values: { ':no': false, ':at': T0, ':why': 'x' },
    });
    const { delivery } = (await rig.ask('GET', `${A}/webhooks`)).body.items[0];
    expect(delivery).toMatchObject({ state: 'disabled', disabled: { at: since, reason: 'x' } });
    const put = await rig.ask('PUT', `${A}/webhooks/${body.id}`, { body: { url: URL_OF } });
    expect(put.body.delivery).toMatchObject({ state: 'fine', failures: 0 });
    expect(await rig.table.get(key)).toMatchObject({ enabled: true, dueAtMs: T0, dueShard: expect.any(String) });
    await rig.ask('PUT', `${A}/webhooks/${body.id}`, { body: { url: URL_OF, enabled: false } });
    expect((await rig.table.get(key))?.dueAtMs).toBeUndefined();
    expect((await rig.ask('POST', `${A}/webhooks/${body.id}/test`)).status).toBe(409);
  });

  it('gets a new secret, and keeps the old one for a while', async () => {
    const { body } = await make();
    const rotated = await rig.ask('POST', `${A}/webhooks/${body.id}/rotate`, { body: { graceSeconds: 60 } });
    expect(rotated.body).toMatchObject({ previousSecretUntil: new Date(T0 + 60_000).toISOString() });
    expect(rotated.body.secret).not.toBe(body.secret);
    rig.nowMs += 60_000;
    expect((await rig.ask('GET', `${A}/webhooks/${body.id}`)).body.previousSecretUntil).toBeUndefined();
    expect((await rig.ask('POST', `${A}/webhooks/${body.id}/rotate`, { body: { graceSeconds: 700_000 } })).status).toBe(
      400,
    );
  });

  it('is tested in a moment: 202, and the message waits', async () => {
    const { body } = await make();
    const { status, body: sent } = await rig.ask('POST', `${A}/webhooks/${body.id}/test`);
    expect([status, sent.id]).toEqual([202, expect.stringMatching(/^msg_[\w-]{22}$/)]);
    expect(await rig.table.get({ PK: 'WAITING#a.example', SK: `NEWS#${body.id}#` })).toMatchObject({ testId: sent.id });
    const webhook = await rig.table.get({ PK: 'TENANT#a.example', SK: `WEBHOOK#${body.id}` });
    expect(webhook).toMatchObject({ dueAtMs: T0, asked: 1 });
    expect((await rig.ask('DELETE', `${A}/webhooks/${body.id}`)).status).toBe(204);
    expect(await rig.table.get({ PK: 'WAITING#a.example', SK: `NEWS#${body.id}#` })).toBeUndefined();
  });

  it('is one of as many as the tenant may have', async () => {
    const first = await make();
    await make();
    const third = await make();
    expect([third.status, third.body.detail]).toEqual([409, 'The tenant may have 2 webhooks, and has 2.']);
    await rig.ask('DELETE', `${A}/webhooks/${first.body.id}`);
    expect((await make()).status).toBe(201);
    const { body } = await rig.ask('GET', `${A}/webhooks?limit=1`);
    expect(body.items).toHaveLength(1);
    const next = await rig.ask('GET', `${A}/webhooks?limit=1&cursor=${body.next}`);
    expect([next.body.items.length, next.body.next]).toEqual([1, undefined]);
    expect(next.body.items[0].id).not.toBe(body.items[0].id);
  });
});

describe('what is refused', () => {
  it.each([
    ['plain http', 'http://hooks.example/'],
    ['an address of our own network', 'https://10.1.2.3/'],
    ['the address of the metadata', 'https://169.254.169.254/latest'],
    ['this machine', 'https://[::1]/'],
    ['this machine in disguise', 'https://[::ffff:127.0.0.1]/'],
    ['this machine as one number', 'https://2130706433/'],
    ['user information', 'https://u:p@hooks.example/'],
    ['a fragment', 'https://hooks.example/#x'],
    ['another protocol', 'ftp://hooks.example/'],
    ['no URL', 'hooks.example'],
  ])('%s', async (_name, url) => {
    const answer = await make({ url });
    expect([answer.status, answer.body.errors[0].pointer]).toEqual([400, '#/url']);
  });

  it('a watcher that is nobody, events that are none', async () => {
    expect((await make({ watcher: 'ghost' })).body.errors).toEqual([
      { pointer: '#/watcher', detail: 'is no user of the tenant' },
    ]);
    expect((await make({ events: [] })).status).toBe(400);
    expect((await make({ events: ['calls'] })).body.errors).toMatchObject([{ pointer: '#/events/0' }]);
    expect((await make({ watcher: 'board' })).body.watcher).toBe('board');
  });

  it('who may only look, and whatever is of another tenant, as if it were not there', async () => {
    const { body } = await make();
    const [reader, other] = [await keyOf('read'), await keyOf('admin', B)];
    expect((await rig.ask('GET', `${A}/webhooks`, { key: reader })).status).toBe(200);
    const changes: [string, string, object?][] = [
      ['POST', '/webhooks', { url: URL_OF }],
      ['PUT', `/webhooks/${body.id}`, { url: URL_OF }],
      ['DELETE', `/webhooks/${body.id}`],
      ['POST', `/webhooks/${body.id}/test`],
      ['POST', `/webhooks/${body.id}/rotate`],
    ];
    for (const [method, path, given] of changes) {
      expect((await rig.ask(method, `${A}${path}`, { key: reader, body: given })).status).toBe(403);
      const foreign = await rig.ask(method, `${A}${path}`, { key: other, body: given });
      const unknown = await rig.ask(method, `/v1/tenants/c.example${path}`, { key: other, body: given });
      expect([foreign.status, foreign.text.replaceAll('a.example', 'c.example')]).toEqual([404, unknown.text]);
    }
    // An id is worth nothing in another tenant.
    for (const [method, path, given] of changes.slice(1))
      expect((await rig.ask(method, `${B}${path}`, { key: other, body: given })).status).toBe(404);
    expect((await rig.ask('GET', `${A}/webhooks/${body.id}`)).body.enabled).toBe(true);
  });
});
