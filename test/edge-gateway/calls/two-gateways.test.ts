import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { acknowledgeRefusal, CallRig } from '#test/support/call-rig.ts';
import { SDP, uriIn } from '#test/support/phone.ts';

let rig: CallRig;
beforeAll(async () => {
  rig = await CallRig.start(2);
});
afterEach(() => rig.clear());
afterAll(() => rig.stop());

const ALICE = '<urn:uuid:alice>';
const BOB = '<urn:uuid:bob>';

describe('a call between flows of two gateways', () => {
  test('answered, spoken, hung up from either side', async () => {
    for (const who of ['caller', 'callee'] as const) {
      const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002', { gateway: 1 })];
      const { caller, callee, ours, theirs, invite } = await rig.converse(alice, bob);
      expect(invite.body).toBe(SDP);
      expect(callee.client.received.map(({ method }) => method).filter(Boolean)).toEqual(['INVITE', 'ACK']);
      const info = callee.sendIn(theirs, 'INFO');
      caller.answer(await caller.request('INFO'), 200);
      expect((await callee.finalAnswer(info)).status).toBe(200);
      const bye = who === 'caller' ? caller.sendIn(ours, 'BYE') : callee.sendIn(theirs, 'BYE');
      const [asker, asked] = who === 'caller' ? [caller, callee] : [callee, caller];
      asked.answer(await asked.request('BYE'), 200);
      expect((await asker.finalAnswer(bye)).status).toBe(200);
      expect(await rig.untilState(ours.callId, 'terminated')).toMatchObject({ cause: 'bye' });
      await rig.clear();
    }
  });

  test('busy, and cancelled', async () => {
    const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002', { gateway: 1 })];
    const first = alice.invite('1002');
    bob.answer(await bob.request('INVITE'), 486);
    await acknowledgeRefusal(alice, first, 486);
    const acknowledged = await bob.request('ACK');
    const since = bob.client.received.indexOf(acknowledged) + 1;
    const second = alice.invite('1002');
    const invite = await bob.request('INVITE', since);
    bob.answer(invite, 180);
    await alice.response(180, 'INVITE', second.since);
    alice.hopByHop('CANCEL', second);
    bob.answer(await bob.request('CANCEL'), 200);
    bob.answer(invite, 487);
    await acknowledgeRefusal(alice, second, 487);
    await rig.untilState(second.callId, 'terminated');
  });

  test('devices on both ring, and the other one is cancelled', async () => {
    const [alice, here, there] = [
      await rig.phone('1001'),
      await rig.phone('1002'),
      await rig.phone('1002', { gateway: 1 }),
    ];
    const outgoing = alice.invite('1002');
    here.answer(await here.request('INVITE'), 180);
    const invite = await there.request('INVITE');
    there.answer(invite, 180);
    there.answer(invite, 200);
    const cancel = await here.request('CANCEL');
    here.answer(cancel, 200);
    here.answer(await here.request('INVITE'), 487);
    alice.sendIn(alice.dialogOf(await alice.response(200, 'INVITE', outgoing.since)), 'ACK');
    await there.request('ACK');
    await rig.untilState(outgoing.callId, 'confirmed');
  });

  test('a device on the other gateway that is gone: 480; one that goes while it rings: 480', async () => {
    const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002', { gateway: 1 })];
    const outgoing = alice.invite('1002');
    bob.answer(await bob.request('INVITE'), 180);
    await alice.response(180, 'INVITE');
    bob.client.cut();
    await acknowledgeRefusal(alice, outgoing, 480);
    const again = alice.invite('1002');
    await acknowledgeRefusal(alice, again, 480);
    await rig.untilState(again.callId, 'terminated');
  });
});

describe('a party that comes back on the other gateway', () => {
  test.each(['caller', 'callee'] as const)('the %s: its next request goes home from there', async (who) => {
    const talk = await rig.converse(
      await rig.phone('1001', { instance: ALICE }),
      await rig.phone('1002', { instance: BOB }),
    );
    const [dialog, other, user, instance] =
      who === 'caller'
        ? ([talk.ours, talk.callee, '1001', ALICE] as const)
        : ([talk.theirs, talk.caller, '1002', BOB] as const);
    talk[who].client.cut();
    // Nobody needs to look for who has said where it is.
    rig.decide = ({ party }) =>
      party === undefined ? undefined : { response: { status: 480, reason: 'x', headers: [] } };
    const back = await rig.phone(user, { gateway: 1, instance });
    const since = other.client.received.length;
    const invite = back.sendIn(dialog, 'INVITE', [`Contact: ${back.client.contact}`], SDP);
    await back.response(100, 'INVITE');
    other.answer(await other.next((one) => one.method === 'INVITE' && one.header('cseq') === invite, since), 200, {
      body: SDP,
    });
    expect((await back.finalAnswer(invite)).status).toBe(200);
    back.sendIn(dialog, 'ACK');
    await other.request('ACK', since);
    const reply = who === 'caller' ? talk.theirs : talk.ours;
    reply.remoteTarget = uriIn(back.client.contact);
    const bye = other.sendIn(reply, 'BYE');
    back.answer(await back.request('BYE'), 200);
    expect((await other.finalAnswer(bye)).status).toBe(200);
    await rig.untilState(dialog.callId, 'terminated');
  });

  test('a forged token is refused there, too, and so is another user', async () => {
    const { ours } = await rig.converse(await rig.phone('1001'), await rig.phone('1002'));
    const mallory = await rig.phone('1009', { gateway: 1 });
    expect((await mallory.finalAnswer(mallory.sendIn({ ...ours, cseq: 90 }, 'BYE'))).status).toBe(403);
    const forged = (ours.routes[0] ?? '').replace('lf1-', 'lf1-AAAA');
    expect((await mallory.finalAnswer(mallory.sendIn({ ...ours, cseq: 91, routes: [forged] }, 'BYE'))).status).toBe(
      403,
    );
    await rig.untilState(ours.callId, 'confirmed');
  });

  test('a stranger there is challenged there', async () => {
    const { ours } = await rig.converse(await rig.phone('1001'), await rig.phone('1002'));
    const stranger = await rig.stranger('1001', 1);
    expect((await stranger.finalAnswer(stranger.sendIn({ ...ours, cseq: 90 }, 'BYE'))).status).toBe(407);
  });
});

describe('a gateway that dies', () => {
  test('with the callee: BYE to the caller after the grace', async () => {
    const doomed = await rig.addGateway();
    const index = rig.gateways.indexOf(doomed);
    const talk = await rig.converse(await rig.phone('1001'), await rig.phone('1002', { gateway: index }));
    rig.decide = ({ party }) =>
      party === undefined ? undefined : { response: { status: 480, reason: 'x', headers: [] } };
    rig.gateways.splice(index, 1);
    await doomed.drain();
    const bye = await talk.caller.next(({ method }) => method === 'BYE', 0, 15_000);
    talk.caller.answer(bye, 200);
    expect(await rig.untilState(talk.ours.callId, 'terminated')).toMatchObject({ cause: 'flowLost' });
  });

  test('that keeps the call: the parties elsewhere are told 481', async () => {
    const doomed = await rig.addGateway();
    const index = rig.gateways.indexOf(doomed);
    const caller = await rig.phone('1001', { gateway: index });
    const talk = await rig.converse(caller, await rig.phone('1002'));
    await doomed.drain();
    rig.gateways.splice(index, 1);
    // Its last word ends the call on this side as well.
    const last = await talk.callee.request('BYE');
    talk.callee.answer(last, 200);
    const info = talk.callee.sendIn(talk.theirs, 'INFO');
    const told = await talk.callee.next((one) => one.status >= 200 && one.header('cseq') === info, 0, 10_000);
    expect(told.status).toBe(481);
  });
});
