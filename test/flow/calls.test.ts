/** A call over the wire: two phones on two gateways, lamps of both for a third user. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { Phone, SDP } from '#test/support/phone.ts';
import { dialogStates, SipClient, type TestSubscription } from '#test/support/sip-client.ts';

let stack: LocalStack;
beforeAll(async () => {
  stack = await startStack({ gateways: 2 });
}, 90_000);
afterAll(() => stack.stop());

const SOON = { timeoutMs: 15_000 };

async function phone(user: string, gateway: number, domain?: string): Promise<Phone> {
  const one = await Phone.connect(stack.url(gateway), user, domain);
  onTestFinished(() => one.client.close());
  expect((await one.client.register()).status).toBe(200);
  return one;
}

async function lampOf(user: string): Promise<TestSubscription> {
  const watcher = await SipClient.connect(stack.url(1), '1009');
  onTestFinished(() => watcher.close());
  return watcher.subscribe(user);
}

const shown = async (lamp: TestSubscription, state: string): Promise<string> =>
  (await lamp.nextNotify(`>${state}</state>`, { ...SOON, since: 0 })).body;

describe.each([
  ['one gateway', 0],
  ['two gateways', 1],
])('a call over %s', (_, gateway) => {
  it('rings, is answered and ends, and both lamps follow', async () => {
    const [caller, callee] = [await phone('1001', 0), await phone('1002', gateway)];
    const [callerLamp, calleeLamp] = [await lampOf('1001'), await lampOf('1002')];
    const invite = caller.invite('1002');
    await caller.response(100, 'INVITE');
    const received = await callee.request('INVITE');
    expect(received.startLine).toBe(`INVITE ${callee.client.contact.slice(1, -1)} SIP/2.0`);
    callee.answer(received, 180);
    await caller.response(180, 'INVITE');
    const ringing = await shown(calleeLamp, 'early');
    expect(ringing).toContain('direction="recipient"');
    expect(ringing).toContain(`call-id="${invite.callId}"`);
    expect(ringing).toContain(`local-tag="${callee.tag}"`);
    expect(ringing).toContain(`remote-tag="${invite.fromTag}"`);
    expect(ringing).toContain('sip:1001@demo.example');
    expect(await shown(callerLamp, 'early')).toContain('direction="initiator"');

    callee.answer(received, 200, { body: SDP, headers: ['Content-Type: application/sdp'] });
    const dialog = caller.dialogOf(await caller.response(200, 'INVITE'));
    caller.sendIn(dialog, 'ACK');
    await callee.request('ACK');
    await Promise.all([shown(callerLamp, 'confirmed'), shown(calleeLamp, 'confirmed')]);

    const since = callerLamp.client.received.length;
    const sinceCallee = calleeLamp.client.received.length;
    const bye = caller.sendIn(dialog, 'BYE');
    callee.answer(await callee.request('BYE'), 200);
    expect((await caller.finalAnswer(bye)).status).toBe(200);
    const ended = await callerLamp.nextNotify('>terminated</state>', { ...SOON, since });
    expect(new Set(dialogStates(ended))).toEqual(new Set(['terminated']));
    await calleeLamp.nextNotify('>terminated</state>', { ...SOON, since: sinceCallee });
  });

  it('is cancelled while it rings', async () => {
    const [caller, callee] = [await phone('1003', 0), await phone('1004', gateway)];
    const lamp = await lampOf('1004');
    const invite = caller.invite('1004');
    const received = await callee.request('INVITE');
    callee.answer(received, 180);
    await caller.response(180, 'INVITE');
    await shown(lamp, 'early');
    const since = lamp.client.received.length;
    caller.hopByHop('CANCEL', invite);
    callee.answer(await callee.request('CANCEL'), 200);
    callee.answer(received, 487);
    expect((await caller.response(200, 'CANCEL')).status).toBe(200);
    caller.hopByHop('ACK', invite, (await caller.response(487, 'INVITE')).header('to'));
    await callee.request('ACK');
    await lamp.nextNotify('>terminated</state>', { ...SOON, since });
  });
});

describe('a call that reaches nobody', () => {
  it('is refused with 404 for no user and 480 for one without a device', async () => {
    const caller = await phone('1005', 0);
    for (const [user, status] of [
      ['nobody', 404],
      ['1020', 480],
    ] as const) {
      const invite = caller.invite(user);
      const answer = await caller.next(({ status, header }) => status >= 300 && header('call-id') === invite.callId);
      expect(answer.status).toBe(status);
      caller.hopByHop('ACK', invite, answer.header('to'));
    }
  });

  it('is challenged with 407 on a flow that has proven nothing', async () => {
    const stranger = await Phone.connect(stack.url(0), '1006');
    onTestFinished(() => stranger.client.close());
    stranger.invite('1001');
    const challenge = await stranger.response(407, 'INVITE');
    expect(challenge.header('proxy-authenticate')).toMatch(/^Digest realm="demo.example"/);
  });
});
