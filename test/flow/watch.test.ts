/** Who may watch whom, over the whole stack: policies by HTTP, watchers by SIP, sip.js among them. */
import { type Notification, Subscriber, SubscriptionState, UserAgent } from 'sip.js';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { readRlmi } from '#test/support/rlmi.ts';
import { dialogInfo, dialogStates, type ReceivedMessage, SipClient } from '#test/support/sip-client.ts';
import { Inbox, installWebSocket } from '../interop/watcher.ts';

const KEY = 'the-key-of-this-test';
const SECRET = /5550100|call-of-/;

let stack: LocalStack;
const clients: SipClient[] = [];

beforeAll(async () => {
  installWebSocket();
  stack = await startStack({ gateways: 2, env: { ADMIN_KEY: KEY } });
}, 90_000);
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(() => stack.stop());

async function connect(user: string, domain = 'demo.example', gateway = 0): Promise<SipClient> {
  const client = await SipClient.connect(stack.url(gateway), user, domain);
  clients.push(client);
  return client;
}

async function ask(method: string, path: string, body?: unknown) {
  const response = await fetch(`${stack.apiUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${KEY}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  expect(response.status, `${method} ${path} ${text}`).toBeLessThan(300);
  return text === '' ? undefined : JSON.parse(text);
}

const setUser = (user: string, settings: object, domain = 'demo.example') =>
  ask('PUT', `/tenants/${domain}/users/${user}`, settings);
/** What the local tenants have besides. */
const POLICY = { minExpiresSeconds: 3 };
const setTenant = (domain: string, watch: object) => ask('PUT', `/tenants/${domain}`, { policy: POLICY, watch });

/** The PBX says that a user talks to somebody who is nobody's business. */
async function talk(user: string, state = 'confirmed'): Promise<void> {
  const pbx = await connect('pbx');
  const body = dialogInfo(`sip:${user}@demo.example`, { state, callId: `call-of-${user}` });
  expect((await pbx.publish(user, body)).status).toBe(200);
}

const stateOf = (notify: ReceivedMessage | undefined): string => notify?.header('subscription-state') ?? '';

async function sipJsWatcher(user: string, watched: string) {
  const uriOf = (name: string) => UserAgent.makeURI(`sip:${name}@demo.example`) ?? expect.fail('no URI');
  const agent = new UserAgent({
    uri: uriOf(user),
    ...{ authorizationUsername: user, authorizationPassword: `demo-${user}`, gracefulShutdown: false },
    transportOptions: { server: stack.url(1) },
    logLevel: 'error',
  });
  await agent.start();
  onTestFinished(() => agent.stop());
  const seen = new Inbox<{ body: string; state: string }>();
  const states = new Inbox<SubscriptionState>();
  const subscriber = new Subscriber(agent, uriOf(watched), 'dialog', {
    expires: 600,
    extraHeaders: ['Accept: application/dialog-info+xml'],
    delegate: {
      onNotify(notification: Notification) {
        void notification.accept();
        const state = notification.request.getHeader('Subscription-State') ?? '';
        seen.put({ body: notification.request.body, state });
      },
    },
  });
  subscriber.stateChange.addListener(states.put);
  await subscriber.subscribe();
  return { seen, states };
}

describe('confirmation', () => {
  it('sip.js waits as pending, is told the state once it is allowed, and ends when it is blocked', async () => {
    await setUser('1005', { watch: { confirm: true } });
    await talk('1005');
    const owner = await connect('1005');
    const watchers = await owner.subscribe('1005', { event: 'dialog.winfo', accept: 'application/watcherinfo+xml' });
    const isPending = watchers.nextNotify('status="pending"');
    const { seen, states } = await sipJsWatcher('1006', '1005');
    const first = await seen.next(() => true);
    expect(first.state).toMatch(/^pending;expires=\d+/);
    expect(dialogStates(first)).toEqual(['terminated']);
    expect((await isPending).body).toContain('sip:1006@demo.example');
    const { items } = await ask('GET', '/tenants/demo.example/presentities/1005/watchers?state=pending');
    expect(items).toMatchObject([{ watcher: 'sip:1006@demo.example', event: 'dialog', access: 'pending' }]);

    const isActive = watchers.nextNotify('status="active"');
    await ask('PUT', '/tenants/demo.example/presentities/1005/watchers/1006', { access: 'allow' });
    const shown = await seen.next(({ body }) => body.includes('confirmed'), 0);
    expect(shown.state).toMatch(/^active;expires=\d+/);
    expect(shown.body).toMatch(SECRET);
    await isActive;

    await ask('PUT', '/tenants/demo.example/presentities/1005/watchers/1006', { access: 'block' });
    const last = await seen.next(({ state }) => state.startsWith('terminated'), 0);
    expect(last.state).toBe('terminated;reason=rejected');
    expect(last.body).not.toMatch(SECRET);
    await states.next((state) => state === SubscriptionState.Terminated);
    expect((await (await connect('1006')).subscribe('1005')).answer.status).toBe(403);
  });
});

describe('a changed policy', () => {
  it('redacts, hides and shows again what stands, by versions that count by one', async () => {
    await talk('1007');
    const watcher = await connect('1008');
    const subscription = await watcher.subscribe('1007');
    expect(subscription.notifies()[0]?.body).toMatch(SECRET);
    const settings: [object, (notify: ReceivedMessage) => boolean][] = [
      [{ redact: { everyone: 'identities' } }, ({ body }) => body.includes('confirmed') && !SECRET.test(body)],
      [{ politeBlock: ['1008'] }, ({ body }) => body.includes('<dialog id="0000"><state>terminated</state></dialog>')],
      [{}, ({ body }) => SECRET.test(body)],
    ];
    for (const [watch, isRight] of settings) {
      const next = subscription.nextNotify();
      await setUser('1007', { watch });
      const notify = await next;
      expect(isRight(notify), notify.text).toBe(true);
      expect(stateOf(notify)).toMatch(/^active;/);
    }
    const versions = subscription.notifies().map(({ body }) => Number(/version="(\d+)"/.exec(body)?.[1]));
    expect(versions).toEqual([0, 1, 2, 3]);
  });

  it('of a tenant ends within 5 s what it no longer allows, on every gateway, and lets oneself and the PBX watch', async () => {
    const [one, two] = [await connect('1009', 'acme.example'), await connect('1010', 'acme.example', 1)];
    const pbx = await connect('pbx', 'acme.example');
    const subscriptions = [await one.subscribe('1011'), await two.subscribe('1012'), await one.subscribe('1013')];
    const own = await one.subscribe('1009');
    const ofPbx = await pbx.subscribe('1011');
    const ends = subscriptions.map((each) => each.nextNotify('terminated;reason=rejected'));
    await setTenant('acme.example', { default: 'nobody' });
    onTestFinished(() => setTenant('acme.example', {}));
    await Promise.all(ends);
    expect([own.notifies().length, ofPbx.notifies().length]).toEqual([1, 1]);
    const there = await one.subscribe('1011');
    expect(there.answer.status).toBe(403);
    // Of a name without an account nothing says that it was decided anew: tenants are remembered for 5 s.
    const notThere = async () => withoutNames((await one.subscribe('no-such-name')).answer);
    await expect.poll(notThere, { timeout: 10_000 }).toEqual(withoutNames(there.answer));
    expect((await one.subscribe('1009')).answer.status).toBe(200);
  });
});

/** What of an answer does not name its own request. */
const withoutNames = ({ text, header }: ReceivedMessage): string =>
  ['call-id', 'to', 'from', 'via', 'cseq'].reduce((rest, name) => rest.replace(header(name), ''), text);

describe('an event list', () => {
  it('shows each member as it may be seen', async () => {
    await setUser('1001', { watch: { politeBlock: ['1014'] } });
    await setUser('1002', { watch: { block: ['1014'] } });
    await setUser('1003', { watch: { confirm: true } });
    for (const user of ['1001', '1002', '1003', '1004']) await talk(user);
    const watcher = await connect('1014');
    const subscription = await watcher.subscribe('blf-all', {
      headers: ['Supported: eventlist'],
      accept: 'application/dialog-info+xml, multipart/related, application/rlmi+xml',
    });
    const [first] = subscription.notifies();
    const seen = (notify: ReceivedMessage | undefined, user: string) => {
      const { resources } = readRlmi(notify?.header('content-type') ?? '', notify?.body ?? '');
      const resource = resources.find(({ uri }) => uri === `sip:${user}@demo.example`);
      return { ...resource?.instance, states: dialogStates({ body: resource?.body ?? '' }) };
    };
    expect(seen(first, '1001')).toMatchObject({ state: 'active', states: ['terminated'] });
    expect(seen(first, '1002')).toMatchObject({ state: 'terminated', reason: 'rejected', states: [] });
    expect(seen(first, '1003')).toMatchObject({ state: 'pending', states: [] });
    expect(seen(first, '1004')).toMatchObject({ state: 'active', states: ['confirmed'] });

    // What happens to one who hides makes no NOTIFY; an allowance does.
    const since = watcher.received.length;
    await talk('1001', 'early');
    const next = subscription.nextNotify('1003', { since });
    await ask('PUT', '/tenants/demo.example/presentities/1003/watchers/1014', { access: 'allow' });
    expect(seen(await next, '1003')).toMatchObject({ state: 'active', states: ['confirmed'] });
    expect(watcher.received.slice(since).filter(({ text }) => text.includes('sip:1001@'))).toEqual([]);
    const rejected = subscription.nextNotify('reason="rejected"');
    await setUser('1004', { watch: { block: ['1014'] } });
    expect(seen(await rejected, '1004')).toMatchObject({ state: 'terminated', reason: 'rejected' });
  });
});

describe('two tenants', () => {
  it('watch and write to each other by agreement of both, until one ends it', async () => {
    await talk('1015');
    const stranger = await connect('1001', 'acme.example');
    const uri = 'sip:1015@demo.example';
    const message = { method: 'MESSAGE', uri, headers: ['Content-Type: text/plain'], body: 'hello' };
    const strangers = async (name: string) => (await stranger.subscribe('', { uri: `sip:${name}` })).answer;
    const [there, notThere, noTenant] = [
      await strangers('1015@demo.example'),
      await strangers('none@demo.example'),
      await strangers('1015@no.example'),
    ];
    expect([there.status, (await stranger.request(message)).status]).toEqual([403, 403]);
    for (const answer of [notThere, noTenant]) expect(withoutNames(answer)).toEqual(withoutNames(there));

    await setTenant('acme.example', { federation: ['demo.example'] });
    onTestFinished(() => setTenant('acme.example', {}));
    await setTenant('demo.example', { federation: ['acme.example'] });
    onTestFinished(() => setTenant('demo.example', {}));
    // Functions may remember a tenant for 5 s.
    await expect.poll(async () => (await strangers('1015@demo.example')).status, { timeout: 10_000 }).toBe(200);
    const subscription = await stranger.subscribe('', { uri });
    const [first] = subscription.notifies();
    expect(dialogStates({ body: first?.body ?? '' })).toEqual(['confirmed']);
    expect(first?.body).not.toMatch(SECRET);
    const friend = await connect('1015');
    await friend.register();
    const arrives = friend.next(({ method }) => method === 'MESSAGE', { timeoutMs: 15_000 });
    void arrives.then((received) => friend.respond(received, 200));
    await expect.poll(async () => (await stranger.request(message)).status, { timeout: 10_000 }).toBe(200);
    expect((await arrives).body).toBe('hello');

    const end = subscription.nextNotify('terminated;reason=rejected');
    await setTenant('acme.example', {});
    await end;
  });
});
