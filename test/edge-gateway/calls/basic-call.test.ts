import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { acknowledgeRefusal, CallRig } from '#test/support/call-rig.ts';
import { SDP, uriIn } from '#test/support/phone.ts';

let rig: CallRig;
beforeAll(async () => {
  rig = await CallRig.start();
});
afterEach(() => rig.clear());
afterAll(() => rig.stop());

describe('a call that is answered (RFC 3261 section 16)', () => {
  test('INVITE, 180, 200, ACK and BYE pass, as a proxy passes them', async () => {
    const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002')];
    const outgoing = alice.invite('1002');
    const trying = await alice.response(100, 'INVITE');
    expect(trying.header('to')).not.toContain('tag=');
    const invite = await bob.request('INVITE');
    expect(invite.startLine).toBe(`INVITE ${uriIn(bob.client.contact)} SIP/2.0`);
    expect(invite.headers('via')).toHaveLength(2);
    expect(invite.headers('via')[1]).toMatch(
      new RegExp(`^SIP/2.0/WS ${alice.client.host};branch=${outgoing.branch};received=127.0.0.1$`),
    );
    expect(invite.headers('record-route')).toHaveLength(1);
    expect(invite.header('max-forwards')).toBe('69');
    expect(invite.body).toBe(SDP);
    expect(Number(invite.header('content-length'))).toBe(Buffer.byteLength(SDP));

    bob.answer(invite, 100);
    bob.answer(invite, 180);
    const ringing = await alice.response(180, 'INVITE');
    expect(ringing.headers('via')).toHaveLength(1);
    expect(await rig.untilState(outgoing.callId, 'early')).toMatchObject({
      ...{
        domain: 'demo.example',
        sequence: 1,
        caller: { aor: 'sip:1001@demo.example', tag: outgoing.fromTag, cseq: 1 },
      },
      forks: [{ tag: bob.tag, state: 'early', contactUri: uriIn(bob.client.contact) }],
    });

    bob.answer(invite, 200, { body: SDP, headers: ['Content-Type: application/sdp'] });
    const accepted = await alice.response(200, 'INVITE');
    expect(accepted.body).toBe(SDP);
    expect(accepted.headers('record-route')).toEqual(invite.headers('record-route'));
    const dialog = alice.dialogOf(accepted);
    alice.sendIn(dialog, 'ACK');
    const ack = await bob.request('ACK');
    expect(ack.headers('route')).toEqual([]);
    expect(ack.startLine).toBe(`ACK ${uriIn(bob.client.contact)} SIP/2.0`);
    expect(await rig.untilState(outgoing.callId, 'confirmed')).toMatchObject({
      callee: { aor: 'sip:1002@demo.example', tag: bob.tag, contactUri: uriIn(bob.client.contact) },
    });

    const bye = alice.sendIn(dialog, 'BYE');
    bob.answer(await bob.request('BYE'), 200);
    expect((await alice.finalAnswer(bye)).status).toBe(200);
    const ended = await rig.untilState(outgoing.callId, 'terminated');
    expect(ended).toMatchObject({ cause: 'bye', forks: [{ state: 'terminated' }] });
    expect(ended.answeredAtMs).toBeLessThanOrEqual(ended.endedAtMs ?? 0);
    expect(alice.responses('INVITE')).toEqual([100, 180, 200]);
    expect(bob.requests('INVITE')).toHaveLength(1);
  });

  test('the callee hangs up', async () => {
    const { caller, callee, theirs } = await rig.converse(await rig.phone('1001'), await rig.phone('1002'));
    const bye = callee.sendIn(theirs, 'BYE');
    const received = await caller.request('BYE');
    expect(received.startLine).toBe(`BYE ${uriIn(caller.client.contact)} SIP/2.0`);
    caller.answer(received, 200);
    expect((await callee.finalAnswer(bye)).status).toBe(200);
    expect(await rig.untilState(theirs.callId, 'terminated')).toMatchObject({ cause: 'bye' });
  });

  test('both hang up at once: each BYE is answered', async () => {
    const { caller, callee, ours, theirs } = await rig.converse(await rig.phone('1001'), await rig.phone('1002'));
    const mine = caller.sendIn(ours, 'BYE');
    const other = callee.sendIn(theirs, 'BYE');
    callee.answer(await callee.request('BYE'), 200);
    expect((await caller.finalAnswer(mine)).status).toBe(200);
    expect((await callee.finalAnswer(other)).status).toBe(200);
    expect((await rig.untilState(ours.callId, 'terminated')).cause).toBe('bye');
  });

  test('without a Route the dialog is found by Call-ID and tags', async () => {
    const { caller, callee, ours } = await rig.converse(await rig.phone('1001'), await rig.phone('1002'));
    const info = caller.sendIn({ ...ours, routes: [] }, 'INFO');
    callee.answer(await callee.request('INFO'), 200);
    expect((await caller.finalAnswer(info)).status).toBe(200);
  });
});

describe('a call that is not answered', () => {
  test('busy: 486 goes to the caller, the ACK to the callee is ours', async () => {
    const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002')];
    const outgoing = alice.invite('1002');
    const invite = await bob.request('INVITE');
    bob.answer(invite, 486);
    await acknowledgeRefusal(alice, outgoing, 486);
    const ack = await bob.request('ACK');
    expect(ack.header('via')).toBe(invite.header('via'));
    expect(ack.header('to')).toContain(`tag=${bob.tag}`);
    expect(await rig.untilState(outgoing.callId, 'terminated')).toMatchObject({ cause: 'rejected', status: 486 });
    expect(bob.requests('ACK')).toHaveLength(1);
  });

  test('the caller cancels: 200 to CANCEL, CANCEL to the callee, 487 to the INVITE', async () => {
    const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002')];
    const outgoing = alice.invite('1002');
    const invite = await bob.request('INVITE');
    bob.answer(invite, 180);
    await alice.response(180, 'INVITE');
    alice.hopByHop('CANCEL', outgoing, undefined, ['Reason: SIP;cause=487', 'Reason: Q.850;cause=16']);
    expect((await alice.response(200, 'CANCEL')).status).toBe(200);
    const cancel = await bob.request('CANCEL');
    expect(cancel.headers('reason')).toEqual(['SIP;cause=487', 'Q.850;cause=16']);
    expect(cancel.header('via')).toBe(invite.header('via'));
    expect(cancel.headers('via')).toHaveLength(1);
    expect(cancel.header('cseq')).toBe('1 CANCEL');
    bob.answer(cancel, 200);
    bob.answer(invite, 487);
    await acknowledgeRefusal(alice, outgoing, 487);
    await bob.request('ACK');
    expect(await rig.untilState(outgoing.callId, 'terminated')).toMatchObject({ cause: 'cancelled', status: 487 });
  });

  test('nobody answers: CANCEL, and the status that the route says', async () => {
    rig.policy = { noAnswerMs: 100, noAnswerStatus: 408 };
    const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002')];
    const outgoing = alice.invite('1002');
    const invite = await bob.request('INVITE');
    bob.answer(invite, 180);
    bob.answer(await bob.request('CANCEL'), 200);
    bob.answer(invite, 487);
    await acknowledgeRefusal(alice, outgoing, 408);
    expect(await rig.untilState(outgoing.callId, 'terminated')).toMatchObject({ cause: 'noAnswer', status: 408 });
  });

  test('no device: the function’s answer', async () => {
    rig.decide = () => ({ response: { status: 404, reason: 'Not Found', headers: [['X-Why', 'nobody']] } });
    const alice = await rig.phone('1001');
    const outgoing = alice.invite('nobody');
    const refused = await acknowledgeRefusal(alice, outgoing, 404);
    expect(refused.header('x-why')).toBe('nobody');
    expect(refused.header('to')).toContain(';tag=');
    expect(rig.functions.snapshots).toEqual([]);
  });
});
