import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { SIGNATURE_HEADER, SIGNED_AT_HEADER } from '#contract/instruction.ts';
import { signInstructions } from '#core/instruction-signature.ts';
import { acknowledgeRefusal, CallRig, SECRET } from '#test/support/call-rig.ts';
import { uriIn } from '#test/support/phone.ts';

let rig: CallRig;
beforeAll(async () => {
  rig = await CallRig.start();
});
afterEach(() => rig.clear());
afterAll(() => rig.stop());

const ALICE = '<urn:uuid:alice>';
const BOB = '<urn:uuid:bob>';
const converse = async () =>
  rig.converse(await rig.phone('1001', { instance: ALICE }), await rig.phone('1002', { instance: BOB }));

describe('a party whose connection breaks in the call', () => {
  test('it does not come back: BYE to the other, after the grace', async () => {
    for (const who of ['caller', 'callee'] as const) {
      const talk = await converse();
      const other = who === 'caller' ? talk.callee : talk.caller;
      talk[who].client.cut();
      // Its binding is gone as well.
      rig.decide = ({ party }) =>
        party === undefined ? undefined : { response: { status: 480, reason: 'x', headers: [] } };
      const bye = await other.request('BYE');
      expect(bye.header('reason')).toContain('flowLost');
      other.answer(bye, 200);
      const ended = await rig.untilState(talk.ours.callId, 'terminated');
      expect(ended).toMatchObject({ cause: 'flowLost' });
      expect((ended.endedAtMs ?? 0) - (ended.answeredAtMs ?? 0)).toBeGreaterThanOrEqual(1_000);
      await rig.clear();
    }
  });

  test('it comes back and says something: the call goes on over the new flow', async () => {
    const { caller, callee, ours, theirs } = await converse();
    callee.client.cut();
    const back = await rig.phone('1002', { instance: BOB });
    const update = back.sendIn(theirs, 'UPDATE', [`Contact: ${back.client.contact}`]);
    const received = await caller.request('UPDATE');
    caller.answer(received, 200);
    expect((await back.finalAnswer(update)).status).toBe(200);
    const bye = caller.sendIn({ ...ours, remoteTarget: uriIn(back.client.contact) }, 'BYE');
    back.answer(await back.request('BYE'), 200);
    expect((await caller.finalAnswer(bye)).status).toBe(200);
    expect(await rig.untilState(ours.callId, 'terminated')).toMatchObject({
      ...{ cause: 'bye', callee: { contactUri: uriIn(back.client.contact) } },
    });
  });

  test('it comes back and waits: a request of the other side finds it by its instance, whatever its Contact', async () => {
    const { caller, callee, ours } = await converse();
    callee.client.cut();
    const back = await rig.phone('1002', { instance: BOB });
    const info = caller.sendIn(ours, 'INFO');
    const received = await back.request('INFO');
    expect(received.startLine).toBe(`INFO ${uriIn(back.client.contact)} SIP/2.0`);
    back.answer(received, 200);
    expect((await caller.finalAnswer(info)).status).toBe(200);
    expect(callee.requests('INFO')).toEqual([]);
    const asked = rig.asked(ours.callId).filter(({ party }) => party);
    expect(asked).toHaveLength(1);
    expect(asked[0]?.party).toEqual({
      ...{ aor: 'sip:1002@demo.example', contactUri: uriIn(callee.client.contact), instance: BOB },
    });
  });

  test('it comes back and nobody says anything: the call stands when the grace is over', async () => {
    const { caller, callee, ours } = await converse();
    caller.client.cut();
    const back = await rig.phone('1001', { instance: ALICE });
    const isAsked = (): boolean =>
      rig.functions.invocations.some(({ envelopes }) => envelopes.some(({ party }) => party?.instance === ALICE));
    await expect.poll(isAsked).toBe(true);
    await rig.untilState(ours.callId, 'confirmed');
    expect(callee.requests('BYE')).toEqual([]);
    const theirs = callee.calleeDialogOf(await callee.request('INVITE'));
    const bye = callee.sendIn(theirs, 'BYE');
    back.answer(await back.request('BYE'), 200);
    expect((await callee.finalAnswer(bye)).status).toBe(200);
  });

  test('meanwhile the other hangs up: 200, and the call is over at once', async () => {
    const { caller, callee, ours } = await converse();
    callee.client.cut();
    rig.decide = ({ party }) =>
      party === undefined ? undefined : { response: { status: 480, reason: 'x', headers: [] } };
    const bye = caller.sendIn(ours, 'BYE');
    expect((await caller.finalAnswer(bye)).status).toBe(200);
    expect(await rig.untilState(ours.callId, 'terminated')).toMatchObject({ cause: 'bye' });
  });

  test('meanwhile another request finds nobody: 480, and the call waits on', async () => {
    const { caller, callee, ours } = await converse();
    callee.client.cut();
    rig.decide = ({ party }) =>
      party === undefined ? undefined : { response: { status: 480, reason: 'x', headers: [] } };
    // The cut may not have been noticed yet: then the message is lost with the connection.
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await caller.finalAnswer(caller.sendIn(ours, 'INFO'))).status).toBe(480);
    expect((await rig.untilState(ours.callId, 'confirmed')).state).toBe('confirmed');
  });
});

describe('what a function asks for', () => {
  const instruct = (instruction: object): Promise<Response> => {
    const gatewayId = (rig.functions.leases[0] as { gatewayId: string }).gatewayId;
    const body = JSON.stringify({ contractVersion: 1, gatewayId, instructions: [instruction] });
    const at = Date.now();
    return fetch(`http://127.0.0.1:${rig.gateways[0]?.instructionPort}/instructions`, {
      method: 'POST',
      headers: { [SIGNATURE_HEADER]: signInstructions(SECRET, at, body), [SIGNED_AT_HEADER]: String(at) },
      body,
    });
  };

  test('to end a call that stands: BYE to both', async () => {
    const { caller, callee, ours } = await converse();
    const { callKey } = await rig.untilState(ours.callId, 'confirmed');
    expect((await instruct({ kind: 'endCall', callKey, cause: 'admin' })).status).toBe(200);
    await Promise.all([caller.request('BYE'), callee.request('BYE')]);
    expect(await rig.untilState(ours.callId, 'terminated')).toMatchObject({ cause: 'admin' });
  });

  test('to end a call that rings: CANCEL, and 480 to the caller', async () => {
    const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002')];
    const outgoing = alice.invite('1002');
    const invite = await bob.request('INVITE');
    bob.answer(invite, 180);
    const { callKey } = await rig.untilState(outgoing.callId, 'early');
    await instruct({ kind: 'endCall', callKey, cause: 'admin' });
    bob.answer(await bob.request('CANCEL'), 200);
    bob.answer(invite, 487);
    await acknowledgeRefusal(alice, outgoing, 480);
    expect(await rig.untilState(outgoing.callId, 'terminated')).toMatchObject({ cause: 'admin', status: 480 });
  });
});

describe('reports', () => {
  test('one that is refused is sent again, with the newest word only', async () => {
    const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002')];
    rig.functions.refusedCallReports = 1;
    const outgoing = alice.invite('1002');
    const invite = await bob.request('INVITE');
    bob.answer(invite, 180);
    await alice.response(180, 'INVITE');
    bob.answer(invite, 200);
    await rig.untilState(outgoing.callId, 'confirmed');
    expect(rig.snapshotsOf(outgoing.callId).map(({ state }) => state)).toEqual(['confirmed']);
    rig.functions.refusedCallReports = 2;
    bob.sendIn(bob.calleeDialogOf(invite), 'BYE');
    await rig.untilState(outgoing.callId, 'terminated');
  });

  test('a gateway that drains ends its calls, last of all, and tells so', async () => {
    const gateway = await rig.addGateway({ DRAIN_SECONDS: '1' });
    const index = rig.gateways.indexOf(gateway);
    const talk = await rig.converse(
      await rig.phone('1001', { gateway: index }),
      await rig.phone('1002', { gateway: index }),
    );
    const idle = await rig.phone('1005', { gateway: index });
    const closedAtMs = new Promise<number>((resolve) => {
      const look = setInterval(() => {
        if (idle.client.closeCode === undefined) return;
        clearInterval(look);
        resolve(performance.now());
      }, 5);
    });
    const drained = gateway.drain();
    const bye = await talk.callee.request('BYE');
    expect(await closedAtMs).toBeLessThan(bye.atMs);
    expect(bye.header('reason')).toContain('gatewayLost');
    await talk.caller.request('BYE');
    await drained;
    rig.gateways.splice(index, 1);
    expect(await rig.untilState(talk.ours.callId, 'terminated')).toMatchObject({ cause: 'gatewayLost' });
  });
});
