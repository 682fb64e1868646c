/** What a PBX says over HTTP is what SIP watchers see, and what it says by SIP is told over HTTP: the whole local stack. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { dialogInfo, dialogStates, SipClient } from '#test/support/sip-client.ts';
import { isGoodSignature, type Received, startReceiver, type WebhookReceiver } from '#test/support/webhook-receiver.ts';

let stack: LocalStack;
beforeAll(async () => {
  stack = await startStack();
}, 90_000);
afterAll(() => stack.stop());

const SOON = { timeoutMs: 15_000 };
const VISIBLE = { timeout: 30_000, interval: 200 };

async function watch(user: string) {
  const client = await SipClient.connect(stack.url(), '1001', 'demo.example');
  onTestFinished(() => client.close());
  return client.subscribe(user);
}

async function ask(method: string, path: string, body?: object) {
  const response = await fetch(`${stack.apiUrl}/tenants/demo.example${path}`, {
    method,
    headers: { authorization: 'Bearer local-admin-key', 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
}

describe('a lamp that is driven by HTTP', () => {
  it('blinks, is red, and goes out when it is ended', async () => {
    const subscription = await watch('1005');
    const path = '/presentities/1005/dialogs/a1';
    const remote = { uri: 'sip:+4930123@example.com', displayName: 'Ann & Bob' };
    let sequence = 0;
    for (const state of ['early', 'confirmed']) {
      const since = subscription.client.received.length;
      sequence += 1;
      const put = await ask('PUT', path, { state, sequence, leaseSeconds: 60, direction: 'recipient', remote });
      expect(put).toEqual({ status: 200, body: { applied: true, sequence } });
      const notify = await subscription.nextNotify(`>${state}</state>`, { ...SOON, since });
      expect(dialogStates(notify)).toEqual([state]);
      expect(notify.body).toContain('display="Ann &amp; Bob"');
      expect(notify.body).toContain('id="a1"');
    }
    const since = subscription.client.received.length;
    await ask('DELETE', `${path}?sequence=9`);
    expect(dialogStates(await subscription.nextNotify('>terminated</state>', { ...SOON, since }))).toEqual([
      'terminated',
    ]);
  });

  it('goes out when its lease is over, and when a snapshot lacks it', async () => {
    const [leased, lost] = [await watch('1006'), await watch('1007')];
    const events = ['1006', '1007'].map((user, n) => ({
      ...{ type: 'dialog', user, id: 'x', state: 'confirmed', sequence: n, leaseSeconds: user === '1006' ? 3 : 600 },
    }));
    const { body } = await ask('POST', '/sources/pbx/events', { events });
    expect(body).toEqual({
      results: [0, 1].map((sequence) => ({ status: 200, applied: true, sequence })),
    });
    const busy = await leased.nextNotify('>confirmed</state>', { ...SOON, since: 0 });
    await lost.nextNotify('>confirmed</state>', { ...SOON, since: 0 });
    const after = leased.client.received.indexOf(busy) + 1;
    await leased.nextNotify('>terminated</state>', { ...SOON, since: after });
    const since = lost.client.received.length;
    const snapshot = await ask('PUT', '/sources/pbx/snapshot', { sequence: 10, leaseSeconds: 60, dialogs: [] });
    expect(snapshot.body).toMatchObject({ applied: true, ended: 1 });
    await lost.nextNotify('>terminated</state>', { ...SOON, since });
  });
});

describe('webhooks', () => {
  const AOR = 'sip:1015@demo.example';
  const lampOf =
    (state: string) =>
    ({ type, data }: Received): boolean =>
      type === 'lamp' && data.user === '1015' && data.state === state;

  async function open(): Promise<{ receiver: WebhookReceiver; id: string; secret: string }> {
    const receiver = await startReceiver();
    onTestFinished(() => receiver.stop());
    const made = await ask('POST', '/webhooks', { url: receiver.url, users: ['1015'] });
    expect(made).toMatchObject({ status: 201, body: { events: ['lamp'], delivery: { state: 'fine' } } });
    onTestFinished(async () => void (await fetchDelete(`/webhooks/${made.body.id}`)));
    return { receiver, ...made.body };
  }
  const fetchDelete = (path: string) =>
    fetch(`${stack.apiUrl}/tenants/demo.example${path}`, {
      method: 'DELETE',
      headers: { authorization: 'Bearer local-admin-key' },
    });
  const deliveryOf = async (id: string) => (await ask('GET', `/webhooks/${id}`)).body.delivery;

  it('are told what happens, the last state after an outage, by both secrets of a rotation, and what they may see', async () => {
    const [{ receiver, id, secret }, fence] = [await open(), await open()];
    const pbx = await SipClient.connect(stack.url(), 'pbx', 'demo.example');
    onTestFinished(() => pbx.close());
    let tag: string | undefined;
    const say = async (state: string): Promise<void> => {
      const body = dialogInfo(AOR, { state, callId: 'call-of-1015' });
      const { status, header } = await pbx.publish('1015', body, tag === undefined ? {} : { ifMatch: tag });
      expect(status).toBe(200);
      tag = header('sip-etag');
    };
    const sent = await ask('POST', `/webhooks/${id}/test`);
    expect((await receiver.next(({ type }) => type === 'test', 0)).id).toBe(sent.body.id);
    await vi.waitFor(async () => expect((await deliveryOf(id)).lastTest.outcome).toBe('delivered'), VISIBLE);

    // It is told of what happens five seconds after it was made, or sooner.
    await vi.waitFor(async () => {
      await say(tag === undefined ? 'early' : 'confirmed');
      await say('early');
      await Promise.all([receiver, fence.receiver].map((each) => each.next(lampOf('ringing'), 0, 1_000)));
    }, VISIBLE);
    const since = receiver.received.length;
    await say('confirmed');
    const busy = await receiver.next(lampOf('busy'), since);
    expect(isGoodSignature(secret, busy.headers, busy.text, Date.now())).toBe(true);
    expect(busy.data.dialogs).toMatchObject([{ state: 'confirmed', callId: 'call-of-1015' }]);

    await receiver.stop();
    await say('early');
    await vi.waitFor(async () => {
      expect(await deliveryOf(id)).toMatchObject({ state: 'failing', lastFailure: { reason: 'connection refused' } });
    }, VISIBLE);
    await say('terminated');
    const { body: rotated } = await ask('POST', `/webhooks/${id}/rotate`);
    const before = receiver.received.length;
    await receiver.start();
    const idle = await receiver.next(lampOf('idle'), before, 20_000);
    expect(receiver.received.slice(before).map(({ data }) => data.state)).toEqual(['idle']);
    expect(idle.data.sequence).toBeGreaterThan(busy.data.sequence);
    for (const each of [secret, rotated.secret])
      expect(isGoodSignature(each, idle.headers, idle.text, Date.now())).toBe(true);

    const blockedFrom = receiver.received.length;
    expect((await ask('PUT', '/users/1015', { watch: { block: [`webhook-${id}`] } })).status).toBe(200);
    expect((await receiver.next(({ type }) => type === 'ended', blockedFrom)).data).toMatchObject({
      ...{ user: '1015', reason: 'rejected' },
    });
    expect((await fetchDelete(`/webhooks/${id}`)).status).toBe(204);
    const fencedFrom = fence.receiver.received.length;
    await say('confirmed');
    await fence.receiver.next(lampOf('busy'), fencedFrom);
    expect(receiver.received.slice(blockedFrom).map(({ type }) => type)).toEqual(['ended']);
    expect((await ask('GET', `/webhooks/${id}`)).status).toBe(404);
    expect((await ask('PUT', '/users/1015', {})).status).toBe(200);
  }, 120_000);
});
