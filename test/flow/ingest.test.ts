/** What a PBX says over HTTP is what SIP watchers see: the whole local stack. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { dialogStates, SipClient } from '#test/support/sip-client.ts';

let stack: LocalStack;
beforeAll(async () => {
  stack = await startStack();
}, 90_000);
afterAll(() => stack.stop());

const SOON = { timeoutMs: 15_000 };

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
