/** The life of a lamp over the wire: subscribe on one gateway, publish through the other. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import {
  dialogInfo,
  dialogStates,
  type ReceivedMessage,
  SipClient,
  type TestSubscription,
} from '#test/support/sip-client.ts';

let stack: LocalStack;
beforeAll(async () => {
  stack = await startStack({ gateways: 2 });
}, 90_000);
afterAll(() => stack.stop());

const SOON = { timeoutMs: 15_000 };
const entityOf = (user: string, domain = 'demo.example'): string => `sip:${user}@${domain}`;
const versionOf = (notify: ReceivedMessage): number => Number(/ version="(\d+)"/.exec(notify.body)?.[1]);
const cseqOf = (notify: ReceivedMessage): number => Number.parseInt(notify.header('cseq'), 10);
const stateOf = (notify: ReceivedMessage): string => notify.header('subscription-state');

async function connect(user: string, gateway = 0, domain = 'demo.example'): Promise<SipClient> {
  const client = await SipClient.connect(stack.url(gateway), user, domain);
  onTestFinished(() => client.close());
  return client;
}

async function watcherAndPublisher(domain = 'demo.example'): Promise<[SipClient, SipClient]> {
  return [await connect('1001', 0, domain), await connect('pbx', 1, domain)];
}

/** Publishes one dialog and gives the entity-tag. */
async function publish(
  pbx: SipClient,
  user: string,
  state: string,
  more: { ifMatch?: string; id?: string; expiresSeconds?: number } = {},
): Promise<string> {
  const { id = 'd1', ...options } = more;
  const body = dialogInfo(entityOf(user, pbx.domain), { id, callId: `call-${id}`, state });
  const answer = await pbx.publish(user, body, options);
  expect(answer.status).toBe(200);
  return answer.header('sip-etag');
}

/** Versions and CSeqs of a subscription's NOTIFYs count by one. */
function requireCounting(subscription: TestSubscription, client = subscription.client): void {
  const notifies = subscription.notifies(client);
  const [first] = notifies;
  if (first === undefined) throw new Error('no NOTIFY');
  expect(notifies.map(versionOf)).toEqual(notifies.map((_, i) => versionOf(first) + i));
  expect(notifies.map(cseqOf)).toEqual(notifies.map((_, i) => cseqOf(first) + i));
}

async function nextState(subscription: TestSubscription, state: string, since?: number): Promise<ReceivedMessage> {
  return subscription.nextNotify(`>${state}</state>`, { ...SOON, ...(since !== undefined && { since }) });
}

describe('one lamp', () => {
  it('goes from idle over early and confirmed to idle, through two gateways', async () => {
    const [watcher, pbx] = await watcherAndPublisher();
    const subscription = await watcher.subscribe('1002');
    const [first] = subscription.notifies();
    if (first === undefined) throw new Error('no first NOTIFY');
    expect(dialogStates(first)).toEqual(['terminated']);
    expect(first.body).toMatch(/<dialog-info[^>]* version="0" state="full" entity="sip:1002@demo.example"/);
    expect(first.header('content-type')).toBe('application/dialog-info+xml');
    expect(stateOf(first)).toMatch(/^active;expires=\d+$/);
    expect(first.header('event')).toBe('dialog');
    expect(first.header('contact')).toMatch(/^<sip:/);
    expect(first.startLine).toBe(`NOTIFY ${watcher.contact.slice(1, -1)} SIP/2.0`);
    expect(watcher.received.indexOf(subscription.answer)).toBeLessThan(watcher.received.indexOf(first));
    let ifMatch: string | undefined;
    for (const state of ['trying', 'early', 'confirmed', 'terminated']) {
      const since = watcher.received.length;
      ifMatch = await publish(pbx, '1002', state, ifMatch === undefined ? {} : { ifMatch });
      expect(dialogStates(await nextState(subscription, state, since))).toEqual([state]);
    }
    requireCounting(subscription);
    expect(subscription.notifies().flatMap(dialogStates)).toEqual([
      'terminated',
      'trying',
      'early',
      'confirmed',
      'terminated',
    ]);
  });

  it('carries what a pickup needs from PUBLISH to NOTIFY', async () => {
    const [watcher, pbx] = await watcherAndPublisher();
    const subscription = await watcher.subscribe('1003');
    const dialog = `<dialog id="a&amp;b" call-id="c&lt;1&gt;@h" local-tag="l&quot;t" remote-tag="rt" direction="recipient"><state event="replaced" code="180">early</state><replaces call-id="old" local-tag="x" remote-tag="y"/><referred-by display="R">sip:r@demo.example</referred-by><local><identity display="Ann &amp; &quot;Bo&quot;">sip:1003@demo.example</identity><target uri="sip:1003@10.0.0.1:5060;transport=udp"><param pname="+sip.rendering" pval="no"/></target></local><remote><identity display="Zoë">sip:+155501@pstn.example</identity><target uri="sip:+155501@pstn.example;user=phone"/></remote></dialog>`;
    const document = `<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="7" state="full" entity="sip:1003@demo.example">${dialog}</dialog-info>`;
    expect((await pbx.publish('1003', document)).status).toBe(200);
    const { body } = await nextState(subscription, 'early');
    const [start, ...parts] = dialog.split(/(?<=>)(?=<)/);
    expect(body).toContain(start);
    for (const part of parts) if (!part.startsWith('</')) expect(body).toContain(part.replace('"/>', '"'));
  });

  it('shows what several publishers say, and keeps one when the other ends', async () => {
    const [watcher, pbx] = await watcherAndPublisher();
    const phone = await connect('1004', 1);
    const subscription = await watcher.subscribe('1004');
    await publish(pbx, '1004', 'confirmed', { id: 'pbx' });
    await nextState(subscription, 'confirmed', 0);
    const own = await phone.publish(
      '1004',
      dialogInfo(entityOf('1004'), { id: 'own', callId: 'call-own', state: 'early' }),
    );
    expect(dialogStates(await nextState(subscription, 'early', 0)).sort()).toEqual(['confirmed', 'early']);
    const since = watcher.received.length;
    expect(
      (await phone.publish('1004', undefined, { ifMatch: own.header('sip-etag'), expiresSeconds: 0 })).status,
    ).toBe(200);
    expect(dialogStates(await nextState(subscription, 'confirmed', since))).toEqual(['confirmed']);
  });

  it('a PUBLISH that only refreshes, or says the same again, makes no NOTIFY', async () => {
    const [watcher, pbx] = await watcherAndPublisher();
    const subscription = await watcher.subscribe('1005');
    let ifMatch = await publish(pbx, '1005', 'early');
    await nextState(subscription, 'early', 0);
    const refreshed = await pbx.publish('1005', undefined, { ifMatch });
    expect(refreshed.header('sip-etag')).not.toBe(ifMatch);
    ifMatch = await publish(pbx, '1005', 'early', { ifMatch: refreshed.header('sip-etag') });
    await publish(pbx, '1005', 'confirmed', { ifMatch });
    await nextState(subscription, 'confirmed', 0);
    expect(subscription.notifies().flatMap(dialogStates)).toEqual(['terminated', 'early', 'confirmed']);
  });

  it('goes out when its publication expires, though its publisher is gone', async () => {
    const [watcher, pbx] = await watcherAndPublisher();
    const subscription = await watcher.subscribe('1006');
    await publish(pbx, '1006', 'confirmed', { expiresSeconds: 3 });
    const lit = await nextState(subscription, 'confirmed', 0);
    const since = watcher.received.length;
    pbx.cut();
    const out = await nextState(subscription, 'terminated', since);
    expect(out.atMs - lit.atMs).toBeGreaterThan(1_500);
    expect(out.atMs - lit.atMs).toBeLessThan(10_000);
  });

  it('of ten changes in a burst the last one arrives last', async () => {
    const [watcher, pbx] = await watcherAndPublisher();
    const subscription = await watcher.subscribe('1007');
    let ifMatch = await publish(pbx, '1007', 'early');
    for (let i = 0; i < 8; i++) ifMatch = await publish(pbx, '1007', i % 2 === 0 ? 'confirmed' : 'early', { ifMatch });
    await publish(pbx, '1007', 'proceeding', { ifMatch });
    await nextState(subscription, 'proceeding', 0);
    requireCounting(subscription);
  });

  it('a slow watcher gets one NOTIFY at a time, and the latest state', async () => {
    const [watcher, pbx] = await watcherAndPublisher();
    const prompt = await (await connect('1002')).subscribe('1008');
    const subscription = await watcher.subscribe('1008');
    watcher.answerNotify = undefined;
    let ifMatch = await publish(pbx, '1008', 'trying');
    const unanswered = await nextState(subscription, 'trying', 0);
    for (const state of ['early', 'confirmed', 'early', 'confirmed']) {
      ifMatch = await publish(pbx, '1008', state, { ifMatch });
    }
    await publish(pbx, '1008', 'proceeding', { ifMatch });
    await nextState(prompt, 'proceeding', 0);
    expect(subscription.notifies().at(-1)).toBe(unanswered);
    watcher.respond(unanswered, 200);
    await nextState(subscription, 'proceeding', 0);
    expect(subscription.notifies().flatMap(dialogStates)).toEqual(['terminated', 'trying', 'proceeding']);
  });

  it('when two publishers race, no watcher ends on or goes back to an older state', async () => {
    const [watcher, one] = await watcherAndPublisher();
    const two = await connect('pbx', 0);
    const watchers = await Promise.all(
      Array.from({ length: 10 }, async (_, i) => (await connect('1001', i % 2)).subscribe('1009')),
    );
    const call = async (pbx: SipClient, id: string) => {
      let ifMatch: string | undefined;
      for (const state of ['trying', 'early', 'confirmed', 'terminated']) {
        ifMatch = await publish(pbx, '1009', state, { id, ...(ifMatch !== undefined && { ifMatch }) });
      }
    };
    await Promise.all([call(one, 'a'), call(two, 'b')]);
    await publish(one, '1009', 'confirmed', { id: 'last' });
    const rank = (notify: ReceivedMessage, id: string): number => {
      const state = new RegExp(`id="${id}"[^>]*>\\s*<state[^>]*>(\\w+)`).exec(notify.body)?.[1];
      return ['trying', 'early', 'confirmed', 'terminated'].indexOf(state ?? '');
    };
    for (const subscription of watchers) {
      const last = await subscription.nextNotify('id="last"', { ...SOON, since: 0 });
      expect(dialogStates(last)).toEqual(['confirmed']);
      requireCounting(subscription);
      for (const id of ['a', 'b']) {
        const ranks = subscription
          .notifies()
          .map((notify) => rank(notify, id))
          .filter((value) => value >= 0);
        expect(ranks).toEqual(ranks.toSorted((left, right) => left - right));
      }
    }
    expect(watcher.closeCode).toBeUndefined();
  });
});

describe('one subscription', () => {
  it('every refresh is followed by a NOTIFY', async () => {
    const watcher = await connect('1001');
    const subscription = await watcher.subscribe('1010');
    for (let i = 1; i <= 2; i++) {
      const since = watcher.received.length;
      expect((await subscription.refresh(600)).status).toBe(200);
      await subscription.nextNotify('', { ...SOON, since });
    }
    requireCounting(subscription);
    expect(subscription.notifies()).toHaveLength(3);
  });

  it('ends with a body and reason=timeout when it is unsubscribed', async () => {
    const [watcher, pbx] = await watcherAndPublisher();
    const [subscription, other] = [await watcher.subscribe('1011'), await watcher.subscribe('1011')];
    const since = watcher.received.length;
    expect((await subscription.refresh(0)).header('expires')).toBe('0');
    const last = await subscription.nextNotify('', { ...SOON, since });
    expect(stateOf(last)).toBe('terminated;reason=timeout');
    expect(dialogStates(last)).toEqual(['terminated']);
    requireCounting(subscription);
    await publish(pbx, '1011', 'early');
    await nextState(other, 'early', 0);
    expect(subscription.notifies().at(-1)).toBe(last);
  });

  it('ends with a body and reason=timeout when it expires', async () => {
    const watcher = await connect('1001');
    const subscription = await watcher.subscribe('1011', { expiresSeconds: 3 });
    const last = await watcher.next(
      (message) => subscription.owns(message) && stateOf(message).startsWith('terminated'),
      SOON,
    );
    expect(stateOf(last)).toBe('terminated;reason=timeout');
    expect(last.body).toContain('</dialog-info>');
    expect((await subscription.refresh(60)).status).toBe(481);
  });

  it('a fetch gives the state once', async () => {
    const [watcher, pbx] = await watcherAndPublisher();
    await publish(pbx, '1012', 'confirmed');
    const fetched = await watcher.subscribe('1012', { expiresSeconds: 0 });
    expect(fetched.answer.status).toBe(200);
    expect(fetched.notifies().map(stateOf)).toEqual(['terminated;reason=timeout']);
    expect(fetched.notifies().flatMap(dialogStates)).toEqual(['confirmed']);
  });

  it('two subscriptions with Event ids are notified with their own', async () => {
    const [watcher, pbx] = await watcherAndPublisher();
    const both = [
      await watcher.subscribe('1013', { event: 'dialog;id=1' }),
      await watcher.subscribe('1013', { event: 'dialog;id=2' }),
    ];
    await publish(pbx, '1013', 'early');
    for (const [index, subscription] of both.entries()) {
      const notify = await nextState(subscription, 'early', 0);
      expect(notify.header('event')).toBe(`dialog;id=${index + 1}`);
    }
  });

  it.each([0, 1])('is taken over by a new connection to gateway %i; CSeq and version only go up', async (gateway) => {
    const user = `101${4 + gateway}`;
    const [watcher, pbx] = await watcherAndPublisher();
    const subscription = await watcher.subscribe(user);
    const ifMatch = await publish(pbx, user, 'early');
    const before = await nextState(subscription, 'early', 0);
    watcher.cut();
    const back = await connect('1001', gateway);
    await publish(pbx, user, 'confirmed', { ifMatch });
    expect((await subscription.refresh(600, { client: back })).status).toBe(200);
    const after = await subscription.nextNotify('', { ...SOON, client: back, since: 0 });
    expect(cseqOf(after)).toBeGreaterThan(cseqOf(before));
    expect(versionOf(after)).toBeGreaterThan(versionOf(before));
    if (gateway === 0) expect([cseqOf(after), versionOf(after)]).toEqual([cseqOf(before) + 1, versionOf(before) + 1]);
    expect(after.startLine).toContain(back.host);
    await subscription.nextNotify('confirmed', { ...SOON, client: back, since: 0 });
    const since = back.received.length;
    await publish(pbx, user, 'early', { id: 'second' });
    await subscription.nextNotify('early', { ...SOON, client: back, since });
    requireCounting(subscription, back);
  });

  it('goes to another gateway and back within the parking; CSeq and version only go up', async () => {
    const [watcher, pbx] = await watcherAndPublisher();
    const subscription = await watcher.subscribe('1018');
    watcher.cut();
    const there = await connect('1001', 1);
    await subscription.refresh(600, { client: there });
    let ifMatch = await publish(pbx, '1018', 'early');
    await subscription.nextNotify('early', { ...SOON, client: there, since: 0 });
    there.cut();
    const back = await connect('1001', 0);
    await subscription.refresh(600, { client: back });
    ifMatch = await publish(pbx, '1018', 'confirmed', { ifMatch });
    await subscription.nextNotify('confirmed', { ...SOON, client: back, since: 0 });
    const all = [watcher, there, back].map((client) => subscription.notifies(client));
    expect(all.every((notifies) => notifies.length > 0)).toBe(true);
    for (const numberOf of [cseqOf, versionOf]) {
      const numbers = all.flat().map(numberOf);
      expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
    }
    requireCounting(subscription, back);
  });

  it('ends with a last word on the gateway that holds it when its device subscribes anew on another', async () => {
    const instance = '+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"';
    const subscribe = async (gateway: number): Promise<TestSubscription> => {
      const client = await connect('1001', gateway);
      Object.defineProperty(client, 'contact', { value: `${client.contact};${instance}` });
      return client.subscribe('1019');
    };
    const [older, pbx] = [await subscribe(0), await connect('pbx', 1)];
    const newer = await subscribe(1);
    const last = await older.nextNotify('terminated;reason=rejected', { ...SOON, since: 0 });
    expect(last.body).toContain('<dialog');
    expect((await older.refresh(300)).status).toBe(481);
    await publish(pbx, '1019', 'early');
    await nextState(newer, 'early', 0);
    expect(older.notifies().at(-1)).toBe(last);
  });

  it('ends when the watcher denies it (481), and not on 500', async () => {
    const [watcher, pbx] = await watcherAndPublisher();
    const denied = await watcher.subscribe('1016');
    const kept = await watcher.subscribe('1016');
    watcher.answerNotify = (notify) => (denied.owns(notify) ? 481 : 500);
    const ifMatch = await publish(pbx, '1016', 'early');
    await Promise.all([nextState(denied, 'early', 0), nextState(kept, 'early', 0)]);
    await publish(pbx, '1016', 'confirmed', { ifMatch });
    await nextState(kept, 'confirmed', 0);
    expect(denied.notifies()).toHaveLength(2);
    await vi.waitFor(async () => expect((await denied.refresh(600)).status).toBe(481), { timeout: 15_000 });
  });
});

it('the same extension in two tenants are two lamps', async () => {
  const [demo, demoPbx] = await watcherAndPublisher();
  const [acme, acmePbx] = await watcherAndPublisher('acme.example');
  const [ofDemo, ofAcme] = [await demo.subscribe('1017'), await acme.subscribe('1017')];
  await publish(demoPbx, '1017', 'early');
  await nextState(ofDemo, 'early', 0);
  await publish(acmePbx, '1017', 'confirmed');
  await nextState(ofAcme, 'confirmed', 0);
  expect(ofDemo.notifies().flatMap(dialogStates)).toEqual(['terminated', 'early']);
  expect(ofAcme.notifies().flatMap(dialogStates)).toEqual(['terminated', 'confirmed']);
});
