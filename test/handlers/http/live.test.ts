import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Instruction, SentNotify } from '#contract/instruction.ts';
import { NO_RULES } from '#core/watch-policy.ts';
import { publish } from '#roles/compositor.ts';
import { subscribe } from '#roles/notifier.ts';
import { register } from '#roles/registrar.ts';
import { saveChanges } from '#table/history-item.ts';
import { saveLease } from '#table/lease-item.ts';
import { loadPresentity } from '#table/presentity-item.ts';
import { completeTenant, tenantItem } from '#table/tenant-item.ts';
import { type ApiRig, openApiRig } from '#test/support/api-rig.ts';
import { dialogElement, dialogInfo, publishOf, subscribeOf } from '#test/support/dialogs.ts';
import { envelopeOf, T0 } from '#test/support/envelope.ts';
import { TEST_SECRETS } from '#test/support/secrets.ts';

const DOMAIN = 'demo.example';
const T = `/v1/tenants/${DOMAIN}`;
const LAMP = { domain: DOMAIN, user: '1002' };

let rig: ApiRig;
let asked: Instruction[];
let notifies: Record<string, readonly SentNotify[]>;

beforeEach(async () => {
  [asked, notifies] = [[], {}];
  rig = openApiRig({
    gateways: {
      async deliver(gatewayId, _address, instructions) {
        if (gatewayId === 'gateway-2') return { kind: 'failed', reason: 'silent' };
        asked.push(...instructions);
        const ids = instructions.flatMap((each) => (each.kind === 'inspect' ? each.subscriptionIds : []));
        const inspected = ids.flatMap((id) =>
          notifies[id] ? [{ id, flowId: 'flow-1' as never, isWaiting: false, notifies: [...notifies[id]] }] : [],
        );
        return { kind: 'delivered', inspected, unknown: ids.filter((id) => !notifies[id]) };
      },
    },
  });
  for (const domain of [DOMAIN, 'other.example']) await rig.table.put(tenantItem(domain, {}));
  for (const gatewayId of ['gateway-1', 'gateway-2']) {
    const lease = { gatewayId, address: 'http://x', grantedAtMs: T0, leaseEndsAtMs: T0 + 60_000 };
    await saveLease(rig.table, { ...lease, flows: 0, subscriptions: 0, draining: false });
  }
  for (const user of ['1001', '1002']) await rig.ask('PUT', `${T}/users/${user}`, { body: {} });
});

const sipPorts = () => ({
  ...{ table: rig.table, randomBytes, chance: () => 0, ...TEST_SECRETS, loadUser: rig.ports.loadTenant as never },
  loadTenant: async (domain: string) => completeTenant(domain, {}),
  ...{ findList: async () => undefined, findWatchRules: async () => NO_RULES },
});
async function lamp(state: string, presentity = '1002', ifMatch?: string): Promise<string> {
  const document = dialogInfo(dialogElement('1', state, '<remote><identity>sip:1009@demo.example</identity></remote>'));
  const aor = `sip:${presentity}@${DOMAIN}`;
  const wish = publishOf({ presentity: aor, body: document, ...(ifMatch && { ifMatch }) });
  const { response } = await publish(wish, sipPorts(), rig.nowMs);
  return response.headers.find(([name]) => name === 'SIP-ETag')?.[1] ?? '';
}
const watch = (id: string, presentity = '1002', gatewayId = 'gateway-1') =>
  subscribe(subscribeOf({ to: `sip:${presentity}@${DOMAIN}`, toTag: id, gatewayId }), sipPorts(), rig.nowMs);

/** All pages of a list. */
async function pages(url: string): Promise<unknown[][]> {
  const all: unknown[][] = [];
  for (let next: string | undefined = ''; next !== undefined; ) {
    const { body } = await rig.ask('GET', `${url}?limit=2${next === '' ? '' : `&cursor=${next}`}`);
    all.push(body.items);
    next = body.next;
  }
  return all;
}

describe('presentities', () => {
  it('are those of whom anything was told, by name, in pages', async () => {
    expect(await pages(`${T}/presentities`)).toEqual([[]]);
    for (const user of ['1003', '1001', '1002']) await lamp(user === '1002' ? 'confirmed' : 'early', user);
    const [first, second] = await pages(`${T}/presentities`);
    expect(first).toMatchObject([
      { user: '1001', aor: 'sip:1001@demo.example', lamp: 'ringing', presence: 'open', registered: false },
      { user: '1002', lamp: 'busy', version: T0 + 1, changedAt: new Date(T0).toISOString() },
    ]);
    expect(second).toMatchObject([{ user: '1003', lamp: 'ringing' }]);
    expect(await pages('/v1/tenants/other.example/presentities')).toEqual([[]]);
  });

  it('show their dialogs and where these come from', async () => {
    const etag = await lamp('confirmed');
    const { status, body, headers } = await rig.ask('GET', `${T}/presentities/1002`);
    expect([status, headers.etag]).toEqual([200, `"${(T0 + 1).toString(36)}"`]);
    const [id] = etag.split('.');
    expect(body).toMatchObject({
      lamp: 'busy',
      presence: { basic: 'open', activities: ['on-the-phone'] },
      dialogs: [{ state: 'confirmed', callId: 'call-1', remote: { uri: 'sip:1009@demo.example' }, publications: [id] }],
      publications: [{ id, event: 'dialog', publisher: 'sip:pbx@demo.example', entityTag: etag, dialogs: 1 }],
    });
    rig.nowMs = T0 + 3_600_000;
    expect((await rig.ask('GET', `${T}/presentities/1002`)).body).toMatchObject({
      ...{ lamp: 'idle', dialogs: [], publications: [] },
    });
  });

  it('are unknown while nobody has told anything, and not there if they are no user either', async () => {
    expect((await rig.ask('GET', `${T}/presentities/1002`)).body).toMatchObject({ lamp: 'unknown', version: 0 });
    for (const path of ['', '/history', '/subscriptions']) {
      expect(await rig.ask('GET', `${T}/presentities/nobody${path}`)).toMatchObject({ status: 404 });
    }
  });
});

describe('subscriptions and bindings', () => {
  it('are listed of a presentity and of the tenant, in pages; not when they have run out', async () => {
    for (const [id, user] of [
      ['s1', '1002'],
      ['s2', '1002'],
      ['s3', '1002'],
      ['s4', '1001'],
    ] as const)
      await watch(id, user);
    const idsOf = (all: unknown[][]) => all.map((items) => items.map((item) => (item as { id: string }).id));
    expect(idsOf(await pages(`${T}/presentities/1002/subscriptions`))).toEqual([['s1', 's2'], ['s3']]);
    expect(idsOf(await pages(`${T}/subscriptions`))).toEqual([
      ['s4', 's1'],
      ['s2', 's3'],
    ]);
    const [[first]] = (await pages(`${T}/presentities/1001/subscriptions`)) as [[object]];
    expect(first).toEqual({
      ...{ id: 's4', user: '1001', event: 'dialog', watcher: 'sip:1001@demo.example', gateway: 'gateway-1' },
      ...{ flow: 'flow-1', callId: 'call-1', contentType: 'application/dialog-info+xml' },
      ...{ createdAt: new Date(T0).toISOString(), expiresAt: new Date(T0 + 3_600_000).toISOString() },
    });
    rig.nowMs = T0 + 3_600_000;
    expect((await pages(`${T}/subscriptions`)).flat()).toEqual([]);
    expect((await pages(`${T}/presentities/1002/subscriptions`)).flat()).toEqual([]);
  });

  it('of devices: who is registered, where', async () => {
    const account = { domain: DOMAIN, user: '1001', role: 'user' as const };
    const headers = [
      ['Contact', '<sip:1001@a.invalid;transport=ws>;+sip.instance="<urn:x>"'],
      ['User-Agent', 'phone'],
    ] as const;
    await register(envelopeOf({ method: 'REGISTER', identity: account, headers }), sipPorts(), rig.nowMs);
    const { body } = await rig.ask('GET', `${T}/users/1001/bindings`);
    expect(body.items).toMatchObject([
      {
        user: '1001',
        contact: 'sip:1001@a.invalid;transport=ws',
        instance: '<urn:x>',
        userAgent: 'phone',
        flow: 'flow-1',
      },
    ]);
    expect((await rig.ask('GET', `${T}/bindings`)).body.items).toEqual(body.items);
    expect((await rig.ask('GET', `${T}/users/1002/bindings`)).body.items).toEqual([]);
    expect(await rig.ask('GET', `${T}/users/nobody/bindings`)).toMatchObject({ status: 404 });
    rig.nowMs = T0 + 7_200_001;
    expect((await rig.ask('GET', `${T}/bindings`)).body.items).toEqual([]);
  });
});

describe('why a lamp is as it is', () => {
  const sent = (cseq: number, more: Partial<SentNotify> = {}): SentNotify => ({
    ...{ cseq, documentVersion: 1, presentityVersion: T0 + 1, sentAtMs: T0 + 20, answer: 200, roundTripMs: 12 },
    ...more,
  });

  it('its changes, and for each subscription what its gateway remembers, with one instruction a gateway', async () => {
    await lamp('confirmed');
    for (const [id, gateway] of [
      ['s1', 'gateway-1'],
      ['s2', 'gateway-1'],
      ['s3', 'gateway-2'],
    ] as const)
      await watch(id, '1002', gateway);
    notifies = { s1: [sent(101, { answer: 0, roundTripMs: 32_000 }), sent(100)] };
    const change = {
      version: 7,
      atMs: T0,
      from: 'idle',
      to: 'busy',
      dialogs: [],
      sources: [{ cause: 'call' }],
    } as const;
    await saveChanges(rig.table, [{ presentity: LAMP, change }], 24);
    const { status, body } = await rig.ask('GET', `${T}/presentities/1002/history`);
    expect(status).toBe(200);
    expect(body.presentity).toMatchObject({ user: '1002', lamp: 'busy' });
    expect(body.items).toEqual([
      {
        at: new Date(T0).toISOString(),
        version: 7,
        from: 'idle',
        to: 'busy',
        dialogs: [],
        sources: [{ cause: 'call' }],
      },
    ]);
    expect(body.subscriptions).toMatchObject([
      {
        ...{ id: 's1', state: 'live', isWaiting: false, watcher: 'sip:1001@demo.example' },
        notifies: [
          { cseq: 101, timedOut: true, roundTripMs: 32_000 },
          { cseq: 100, documentVersion: 1, presentityVersion: T0 + 1, answer: 200, roundTripMs: 12 },
        ],
      },
      { id: 's2', state: 'lost', notifies: [] },
      { id: 's3', state: 'unreachable', notifies: [] },
    ]);
    expect(asked).toEqual([{ kind: 'inspect', subscriptionIds: ['s1', 's2'] }]);
  });

  it('is paged back in time; gateways are asked once', async () => {
    const at = (version: number) =>
      ({ version, atMs: T0 + version, from: 'idle', to: 'busy', dialogs: [], sources: [] }) as const;
    await lamp('early');
    await watch('s1');
    await saveChanges(
      rig.table,
      [1, 2, 3].map((version) => ({ presentity: LAMP, change: at(version) })),
      24,
    );
    const all = (await pages(`${T}/presentities/1002/history`)) as { version: number }[][];
    expect(all.map((items) => items.map(({ version }) => version))).toEqual([[3, 2], [1]]);
    expect(asked).toHaveLength(1);
  });
});

describe('a reset', () => {
  const shown = () => loadPresentity(rig.table, LAMP);

  it('removes what stands, says who did, and leaves a line in the audit trail; publishers have to begin anew', async () => {
    const etag = await lamp('confirmed');
    const before = await shown();
    const { status, body } = await rig.ask('DELETE', `${T}/presentities/1002/publications`);
    expect([status, body]).toEqual([200, { removed: [etag.split('.')[0]], kept: [] }]);
    const after = await shown();
    expect(after).toMatchObject({ version: before.version + 1, publications: [], reset: { by: 'admin', atMs: T0 } });
    expect(await lamp('early', '1002', etag)).toBe('');
    expect(await lamp('early')).not.toBe('');
    const lines = await rig.table.query({ keyCondition: 'PK = :a', values: { ':a': `AUDIT#${DOMAIN}` } });
    expect(lines.find(({ action }) => action === 'reset')).toMatchObject({
      action: 'reset',
      by: 'admin',
      before: { publications: [{ publisher: 'sip:pbx@demo.example' }] },
    });
    const again = await rig.ask('DELETE', `${T}/presentities/1002/publications?force=1`);
    expect(again.body.removed).toHaveLength(1);
    expect((await rig.ask('DELETE', `${T}/presentities/1002/publications`)).body).toEqual({ removed: [], kept: [] });
  });

  it('of one publication leaves the others', async () => {
    const [one, other] = [await lamp('confirmed'), await lamp('early')];
    const url = `${T}/presentities/1002/publications/${one.split('.')[0]}`;
    const { etag = '' } = (await rig.ask('GET', `${T}/presentities/1002`)).headers;
    expect(await rig.ask('DELETE', url, { headers: { 'if-match': '"old"' } })).toMatchObject({ status: 412 });
    expect(await rig.ask('DELETE', url, { headers: { 'if-match': etag } })).toMatchObject({ status: 200 });
    expect((await shown()).publications.map(({ entityTag }) => entityTag)).toEqual([other]);
    expect(await rig.ask('DELETE', url)).toMatchObject({ status: 404 });
    expect(await rig.ask('DELETE', `${T}/presentities/nobody/publications`)).toMatchObject({ status: 404 });
  });
});
