import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CallRig } from '#test/support/call-rig.ts';
import { SDP } from '#test/support/phone.ts';

let rig: CallRig;
beforeAll(async () => {
  rig = await CallRig.start();
});
afterEach(() => rig.clear());
afterAll(() => rig.stop());

const converse = async () => rig.converse(await rig.phone('1001'), await rig.phone('1002'));
const HELD = SDP.replace('m=audio', 'a=sendonly\r\nm=audio');

describe('requests in the dialog need no function (RFC 3261 section 16.12)', () => {
  test.each(['INFO', 'UPDATE', 'REFER', 'NOTIFY', 'MESSAGE', 'OPTIONS', 'PRACK'])(
    '%s passes both ways',
    async (method) => {
      const { caller, callee, ours, theirs } = await converse();
      const asked = rig.asked(ours.callId).length;
      const mine = caller.sendIn(ours, method, ['X-Mark: é'], 'body é');
      const received = await callee.request(method);
      expect(received.header('x-mark')).toBe('é');
      expect(received.body).toBe('body é');
      expect(Number(received.header('content-length'))).toBe(Buffer.byteLength('body é'));
      callee.answer(received, 202, { headers: ['X-Back: 1'] });
      expect(await caller.finalAnswer(mine)).toMatchObject({ status: 202 });
      const other = callee.sendIn(theirs, method);
      caller.answer(await caller.request(method), 481);
      expect((await callee.finalAnswer(other)).status).toBe(481);
      expect(rig.asked(ours.callId)).toHaveLength(asked);
      expect((await rig.untilState(ours.callId, 'confirmed')).sequence).toBeLessThan(4);
    },
  );

  test('re-INVITE: hold and back; 491 of a glare passes, and its ACK is ours', async () => {
    const { caller, callee, ours } = await converse();
    const held = caller.sendIn(ours, 'INVITE', [`Contact: ${caller.client.contact}`], HELD);
    const invite = await callee.next((one) => one.method === 'INVITE' && one.body === HELD);
    expect(invite.headers('record-route')).toEqual([]);
    callee.answer(invite, 200, { body: SDP });
    expect((await caller.finalAnswer(held)).status).toBe(200);
    const since = callee.client.received.length;
    caller.sendIn(ours, 'ACK');
    expect((await callee.request('ACK', since)).header('cseq')).toBe(`${ours.cseq} ACK`);

    const later = callee.client.received.length;
    const glare = caller.sendIn(ours, 'INVITE', [], SDP);
    callee.answer(await callee.request('INVITE', later), 491);
    expect((await caller.finalAnswer(glare)).status).toBe(491);
    await callee.request('ACK', later);
    caller.client.raw(caller.composeIn(ours, 'ACK'));
    expect(callee.client.received.slice(later).filter(({ method }) => method === 'ACK')).toHaveLength(1);
    expect((await rig.untilState(ours.callId, 'confirmed')).state).toBe('confirmed');
  });

  test('a re-INVITE is cancelled', async () => {
    const { caller, callee, ours } = await converse();
    const since = callee.client.received.length;
    const text = caller.composeIn(ours, 'INVITE', [], SDP);
    caller.client.raw(text);
    const invite = await callee.request('INVITE', since);
    callee.answer(invite, 180);
    const [head = ''] = text.replaceAll('INVITE', 'CANCEL').split(/\r\nContent-Length/);
    caller.client.raw(`${head}\r\nContent-Length: 0\r\n\r\n`);
    expect((await caller.response(200, 'CANCEL')).status).toBe(200);
    const cancel = await callee.request('CANCEL', since);
    expect(cancel.header('via')).toBe(invite.header('via'));
    callee.answer(cancel, 200);
    callee.answer(invite, 487);
    expect((await caller.finalAnswer(`${ours.cseq} INVITE`)).status).toBe(487);
    expect((await rig.untilState(ours.callId, 'confirmed')).state).toBe('confirmed');
  });

  test('a new Contact of a target refresh is where a device is looked for from now on', async () => {
    const { caller, callee, ours, theirs } = await converse();
    const update = callee.sendIn(theirs, 'UPDATE', ['Contact: <sip:moved@other.invalid;transport=ws>']);
    caller.answer(await caller.request('UPDATE'), 200);
    await callee.finalAnswer(update);
    ours.remoteTarget = 'sip:moved@other.invalid;transport=ws';
    const refresh = caller.sendIn(ours, 'UPDATE');
    const contact = '<sip:again@other.invalid;transport=ws>';
    callee.answer(await callee.request('UPDATE'), 200, { contact });
    await caller.finalAnswer(refresh);
    caller.sendIn(ours, 'INFO');
    expect((await callee.request('INFO')).startLine).toBe('INFO sip:again@other.invalid;transport=ws SIP/2.0');
  });

  test('reliable provisional answers: RSeq, PRACK and UPDATE in the early dialog (RFC 3262, 3311)', async () => {
    const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002')];
    const outgoing = alice.invite('1002', { headers: ['Supported: 100rel', 'Require: 100rel'] });
    const invite = await bob.request('INVITE');
    expect(invite.header('require')).toBe('100rel');
    bob.answer(invite, 183, { headers: ['Require: 100rel', 'RSeq: 7'], body: SDP });
    const progress = await alice.response(183, 'INVITE');
    expect(progress.header('rseq')).toBe('7');
    const early = alice.dialogOf(progress);
    const prack = alice.sendIn(early, 'PRACK', ['RAck: 7 1 INVITE']);
    bob.answer(await bob.request('PRACK'), 200);
    expect((await alice.finalAnswer(prack)).status).toBe(200);
    const update = alice.sendIn(early, 'UPDATE', [], SDP);
    bob.answer(await bob.request('UPDATE'), 200);
    expect((await alice.finalAnswer(update)).status).toBe(200);
    expect(await rig.untilState(outgoing.callId, 'early')).toMatchObject({ sequence: 1 });
    const bye = alice.sendIn(early, 'BYE');
    bob.answer(await bob.request('BYE'), 200);
    expect((await alice.finalAnswer(bye)).status).toBe(200);
    bob.answer(invite, 487);
    expect(await rig.untilState(outgoing.callId, 'terminated')).toMatchObject({ status: 487 });
  });

  test('a retransmission gets the answer again', async () => {
    const { caller, callee, ours } = await converse();
    const text = caller.composeIn(ours, 'INFO');
    caller.client.raw(text);
    callee.answer(await callee.request('INFO'), 200);
    const first = await caller.finalAnswer(`${ours.cseq} INFO`);
    const since = caller.client.received.length;
    caller.client.raw(text);
    expect((await caller.finalAnswer(`${ours.cseq} INFO`, since)).text).toBe(first.text);
    expect(callee.requests('INFO')).toHaveLength(1);
  });
});

describe('whose dialog it is', () => {
  test('a forged token: 403; a token of another call: 481; no such dialog: 481', async () => {
    const { caller, ours } = await converse();
    const route = ours.routes[0] ?? '';
    const forged = route.replace(/lf1-(.)(.)/, 'lf1-$2$1').replace(/lf1-./, 'lf1-_');
    expect((await caller.finalAnswer(caller.sendIn({ ...ours, routes: [forged] }, 'BYE'))).status).toBe(403);
    const second = await rig.converse(caller, await rig.phone('1003'));
    const other = caller.sendIn({ ...ours, cseq: 50, routes: second.ours.routes }, 'BYE');
    expect((await caller.finalAnswer(other)).status).toBe(481);
    const unknown = caller.sendIn({ ...ours, cseq: 60, routes: [], callId: 'nobody-knows' }, 'BYE');
    expect((await caller.finalAnswer(unknown)).status).toBe(481);
    expect((await rig.untilState(ours.callId, 'confirmed')).state).toBe('confirmed');
  });

  test('another user may not act in it, though it knows token and tags', async () => {
    const { ours, theirs, callee } = await converse();
    const mallory = await rig.phone('1009');
    for (const dialog of [ours, theirs]) {
      const bye = mallory.sendIn({ ...dialog, cseq: 70 }, 'BYE');
      expect((await mallory.finalAnswer(bye)).status).toBe(403);
    }
    expect(callee.requests('BYE')).toEqual([]);
    expect((await rig.untilState(ours.callId, 'confirmed')).state).toBe('confirmed');
  });

  test('a flow that has proven nothing is challenged by the function', async () => {
    const { ours, callee } = await converse();
    const stranger = await rig.stranger('1001');
    const refused = await stranger.finalAnswer(stranger.sendIn({ ...ours, cseq: 80 }, 'BYE'));
    expect(refused.status).toBe(407);
    expect(refused.header('proxy-authenticate')).toBe('Digest');
    rig.decide = ({ request }) => {
      const isProven = request.headers.some(([name]) => name === 'Proxy-Authorization');
      const identity = { domain: 'demo.example', user: '1001', role: 'user' as const };
      return isProven ? { response: { status: 200, reason: 'OK', headers: [] }, identity } : undefined;
    };
    const bye = stranger.sendIn({ ...ours, cseq: 81 }, 'BYE', ['Proxy-Authorization: Digest x="y"']);
    const received = await callee.request('BYE');
    expect(received.header('proxy-authorization')).toBe('');
    callee.answer(received, 200);
    expect((await stranger.finalAnswer(bye)).status).toBe(200);
    await rig.untilState(ours.callId, 'terminated');
  });

  test('an answer of another flow than the one that was asked is not believed', async () => {
    const [alice, bob, mallory] = [await rig.phone('1001'), await rig.phone('1002'), await rig.phone('1009')];
    const outgoing = alice.invite('1002');
    const invite = await bob.request('INVITE');
    mallory.answer(invite, 200);
    bob.answer(invite, 486);
    await alice.response(486, 'INVITE', outgoing.since);
    expect(alice.responses('INVITE')).toEqual([100, 486]);
  });

  test('after the end there is nothing: 481, and a BYE once more 200', async () => {
    const { caller, callee, ours } = await converse();
    caller.sendIn(ours, 'BYE');
    callee.answer(await callee.request('BYE'), 200);
    await rig.untilState(ours.callId, 'terminated');
    expect((await caller.finalAnswer(caller.sendIn(ours, 'INFO'))).status).toBe(481);
    expect((await caller.finalAnswer(caller.sendIn(ours, 'BYE'))).status).toBe(200);
  });
});

describe('what ends a call that nobody hangs up', () => {
  test('a session that is not refreshed (RFC 4028)', async () => {
    const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002')];
    const { caller, callee, ours } = await rig.converse(alice, bob, ['Session-Expires: 1;refresher=uac']);
    const update = caller.sendIn(ours, 'UPDATE');
    callee.answer(await callee.request('UPDATE'), 200, { headers: ['Session-Expires: 1;refresher=uac'] });
    await caller.finalAnswer(update);
    const [atCaller, atCallee] = await Promise.all([caller.request('BYE'), callee.request('BYE')]);
    expect(atCallee.header('cseq')).toBe(`${ours.cseq + 1} BYE`);
    expect(atCallee.header('to')).toContain(callee.tag);
    expect(atCaller.header('from')).toContain(callee.tag);
    expect(atCaller.startLine).toContain(caller.client.host);
    expect(await rig.untilState(ours.callId, 'terminated')).toMatchObject({ cause: 'sessionExpired' });
  });

  test('the longest time that the route allows', async () => {
    rig.policy = { maxDurationMs: 300 };
    const { caller, callee, ours } = await converse();
    await Promise.all([caller.request('BYE'), callee.request('BYE')]);
    expect(await rig.untilState(ours.callId, 'terminated')).toMatchObject({ cause: 'tooLong' });
  });
});

test('Replaces: the call whose place is taken ends so (RFC 3891)', async () => {
  const { caller, callee, ours, theirs } = await converse();
  const carol = await rig.phone('1003');
  const tags = /tag=([^;]+)/;
  const value = `${ours.callId};to-tag=${tags.exec(ours.local)?.[1]};from-tag=${tags.exec(theirs.local)?.[1]}`;
  const since = caller.client.received.length;
  const outgoing = carol.invite('1001', { headers: [`Replaces: ${value}`, 'Require: replaces'] });
  const invite = await caller.request('INVITE', since);
  expect(invite.header('replaces')).toBe(value);
  caller.answer(invite, 200);
  carol.sendIn(carol.dialogOf(await carol.response(200, 'INVITE', outgoing.since)), 'ACK');
  caller.sendIn(ours, 'BYE');
  callee.answer(await callee.request('BYE'), 200);
  expect(await rig.untilState(ours.callId, 'terminated')).toMatchObject({ cause: 'replaced' });
  expect((await rig.untilState(outgoing.callId, 'confirmed')).state).toBe('confirmed');
});
