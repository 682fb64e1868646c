import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { acknowledgeRefusal, CallRig } from '#test/support/call-rig.ts';
import type { Phone } from '#test/support/phone.ts';

let rig: CallRig;
beforeAll(async () => {
  rig = await CallRig.start();
});
afterEach(() => rig.clear());
afterAll(() => rig.stop());

/** Cancels as a device does: 200 to CANCEL, 487 to the INVITE. */
async function obeyCancel(phone: Phone): Promise<void> {
  phone.answer(await phone.request('CANCEL'), 200);
  phone.answer(await phone.request('INVITE'), 487);
}

describe('several devices (RFC 3261 sections 16.6 and 16.7)', () => {
  test('all ring; one answers, the other is cancelled; each has a dialog of its own', async () => {
    const [alice, desk, mobile] = [await rig.phone('1001'), await rig.phone('1002'), await rig.phone('1002')];
    const outgoing = alice.invite('1002');
    desk.answer(await desk.request('INVITE'), 180);
    mobile.answer(await mobile.request('INVITE'), 180);
    const rings = async (tag: string) => alice.next((one) => one.status === 180 && one.header('to').includes(tag));
    await Promise.all([rings(desk.tag), rings(mobile.tag)]);
    const early = await rig.untilState(outgoing.callId, 'early');
    expect(new Set(early.forks.map(({ tag }) => tag)).size).toBeGreaterThan(0);
    mobile.answer(await mobile.request('INVITE'), 200);
    const accepted = await alice.response(200, 'INVITE');
    expect(accepted.header('to')).toContain(mobile.tag);
    expect((await desk.request('CANCEL')).header('reason')).toMatch(/^SIP;cause=200;/); // RFC 3326
    await obeyCancel(desk);
    await desk.request('ACK');
    await expect
      .poll(() => rig.snapshotsOf(outgoing.callId).at(-1))
      .toMatchObject({
        ...{ state: 'confirmed', callee: { tag: mobile.tag } },
        forks: expect.arrayContaining([
          expect.objectContaining({ tag: desk.tag, state: 'terminated', status: 487 }),
          expect.objectContaining({ tag: mobile.tag, state: 'confirmed' }),
        ]),
      });
    expect(alice.responses('INVITE')).not.toContain(487);
  });

  test('all decline: the best answer, after the last one', async () => {
    const [alice, desk, mobile] = [await rig.phone('1001'), await rig.phone('1002'), await rig.phone('1002')];
    const outgoing = alice.invite('1002');
    desk.answer(await desk.request('INVITE'), 503);
    await desk.request('ACK');
    expect(alice.responses('INVITE')).toEqual([100]);
    mobile.answer(await mobile.request('INVITE'), 486);
    await acknowledgeRefusal(alice, outgoing, 486);
    expect(alice.responses('INVITE')).toEqual([100, 486]);
    expect(await rig.untilState(outgoing.callId, 'terminated')).toMatchObject({ cause: 'rejected', status: 486 });
  });

  test('6xx speaks for the user: the others are cancelled', async () => {
    const [alice, desk, mobile] = [await rig.phone('1001'), await rig.phone('1002'), await rig.phone('1002')];
    const outgoing = alice.invite('1002');
    mobile.answer(await mobile.request('INVITE'), 180);
    desk.answer(await desk.request('INVITE'), 603);
    await obeyCancel(mobile);
    await acknowledgeRefusal(alice, outgoing, 603);
    expect(await rig.untilState(outgoing.callId, 'terminated')).toMatchObject({ cause: 'rejected', status: 603 });
  });

  test('a 503 of one device is not the answer of the proxy: 500', async () => {
    const [alice, desk] = [await rig.phone('1001'), await rig.phone('1002')];
    const outgoing = alice.invite('1002');
    desk.answer(await desk.request('INVITE'), 503, { headers: ['Retry-After: 60'] });
    await acknowledgeRefusal(alice, outgoing, 500);
  });

  test('challenges of all devices go back together', async () => {
    const [alice, desk, mobile] = [await rig.phone('1001'), await rig.phone('1002'), await rig.phone('1002')];
    const outgoing = alice.invite('1002');
    desk.answer(await desk.request('INVITE'), 401, { headers: ['WWW-Authenticate: Digest realm="desk"'] });
    mobile.answer(await mobile.request('INVITE'), 407, { headers: ['Proxy-Authenticate: Digest realm="mobile"'] });
    const refused = await alice.next((one) => [401, 407].includes(one.status), outgoing.since);
    expect(refused.header('www-authenticate')).toBe('Digest realm="desk"');
    expect(refused.header('proxy-authenticate')).toBe('Digest realm="mobile"');
  });

  test('higher q rings first; the next ones when those have failed', async () => {
    const [alice, mobile] = [await rig.phone('1001'), await rig.phone('1002', { q: 0.5 })];
    const desk = await rig.phone('1002', { q: 1 });
    const outgoing = alice.invite('1002');
    const first = await desk.request('INVITE');
    desk.answer(first, 180);
    await alice.response(180, 'INVITE');
    expect(mobile.requests('INVITE')).toEqual([]);
    desk.answer(first, 486);
    mobile.answer(await mobile.request('INVITE'), 200);
    expect((await alice.response(200, 'INVITE', outgoing.since)).header('to')).toContain(mobile.tag);
  });

  test.each(['first', 'second'])(
    'two answer at once: the caller gets both, and keeps the %s (section 13.2.2.4)',
    async (which) => {
      const [alice, desk, mobile] = [await rig.phone('1001'), await rig.phone('1002'), await rig.phone('1002')];
      const outgoing = alice.invite('1002');
      const [atDesk, atMobile] = [await desk.request('INVITE'), await mobile.request('INVITE')];
      const answerFirst = which === 'first' ? desk : mobile;
      const answerSecond = which === 'first' ? mobile : desk;
      answerFirst.answer(answerFirst === desk ? atDesk : atMobile, 200);
      await alice.response(200, 'INVITE', outgoing.since);
      answerSecond.answer(answerSecond === desk ? atDesk : atMobile, 200);
      const accepted = async (phone: Phone) =>
        alice.next((one) => one.status === 200 && one.header('to').includes(phone.tag), outgoing.since);
      const [kept, dropped] = [alice.dialogOf(await accepted(desk)), alice.dialogOf(await accepted(mobile))];
      alice.sendIn(kept, 'ACK');
      alice.sendIn(dropped, 'ACK');
      await Promise.all([desk.request('ACK'), mobile.request('ACK')]);
      const bye = alice.sendIn(dropped, 'BYE');
      mobile.answer(await mobile.request('BYE'), 200);
      expect((await alice.finalAnswer(bye)).status).toBe(200);
      expect(desk.requests('BYE')).toEqual([]);
      await expect
        .poll(() => rig.snapshotsOf(outgoing.callId).at(-1))
        .toMatchObject({ state: 'confirmed', callee: { tag: desk.tag } });
      const end = alice.sendIn(kept, 'BYE');
      desk.answer(await desk.request('BYE'), 200);
      expect((await alice.finalAnswer(end)).status).toBe(200);
      await rig.untilState(outgoing.callId, 'terminated');
    },
  );

  test('at most ten devices ring', async () => {
    const alice = await rig.phone('1001');
    const devices = await Promise.all(Array.from({ length: 12 }, () => rig.phone('1002')));
    const outgoing = alice.invite('1002');
    await expect.poll(() => devices.filter((device) => device.requests('INVITE').length > 0)).toHaveLength(10);
    for (const device of devices) for (const invite of device.requests('INVITE')) device.answer(invite, 486);
    await acknowledgeRefusal(alice, outgoing, 486);
  });
});

describe('races', () => {
  test('CANCEL and 200 cross: the answer wins, the caller hangs up (section 9.1)', async () => {
    const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002')];
    const outgoing = alice.invite('1002');
    const invite = await bob.request('INVITE');
    bob.answer(invite, 180);
    await alice.response(180, 'INVITE');
    alice.hopByHop('CANCEL', outgoing);
    const cancel = await bob.request('CANCEL');
    bob.answer(invite, 200);
    bob.answer(cancel, 200);
    const dialog = alice.dialogOf(await alice.response(200, 'INVITE'));
    alice.sendIn(dialog, 'ACK');
    await bob.request('ACK');
    const bye = alice.sendIn(dialog, 'BYE');
    bob.answer(await bob.request('BYE'), 200);
    expect((await alice.finalAnswer(bye)).status).toBe(200);
    expect(await rig.untilState(outgoing.callId, 'terminated')).toMatchObject({ cause: 'bye' });
  });

  test('a CANCEL before any answer waits for the first one; before the route it ends the call at once', async () => {
    const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002')];
    const outgoing = alice.invite('1002');
    const invite = await bob.request('INVITE');
    alice.hopByHop('CANCEL', outgoing);
    await alice.response(200, 'CANCEL');
    expect(bob.requests('CANCEL')).toEqual([]);
    bob.answer(invite, 100);
    await obeyCancel(bob);
    await acknowledgeRefusal(alice, outgoing, 487);

    const routed = Promise.withResolvers<void>();
    rig.decide = async (envelope) => {
      await routed.promise;
      return { response: { status: 480, reason: 'x', headers: [] }, route: rig.routeOf(envelope) };
    };
    const since = bob.client.received.length;
    const hasty = alice.invite('1002');
    await alice.response(100, 'INVITE', hasty.since);
    alice.hopByHop('CANCEL', hasty);
    await acknowledgeRefusal(alice, hasty, 487);
    routed.resolve();
    expect(await rig.untilState(hasty.callId, 'terminated')).toMatchObject({ cause: 'cancelled', sequence: 1 });
    expect(bob.client.received.slice(since)).toEqual([]);
    expect(alice.client.received.slice(hasty.since).filter(({ status }) => status === 487)).toHaveLength(1);
  });

  test('a device that never confirms its CANCEL does not hold up the caller, and what it says late is handled', async () => {
    const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002')];
    const outgoing = alice.invite('1002');
    const invite = await bob.request('INVITE');
    bob.answer(invite, 180);
    await alice.response(180, 'INVITE');
    alice.hopByHop('CANCEL', outgoing);
    const refused = await alice.next((one) => one.status === 487, outgoing.since, 8_000);
    alice.hopByHop('ACK', outgoing, refused.header('to'));
    bob.answer(invite, 200);
    const bye = await bob.request('BYE');
    expect(bob.requests('ACK')).toHaveLength(1);
    expect(bye.header('cseq')).toBe('2 BYE');
    bob.answer(bye, 200);
    expect(await rig.untilState(outgoing.callId, 'terminated')).toMatchObject({ cause: 'cancelled', status: 487 });
    expect(alice.responses('INVITE')).not.toContain(200);
  });

  test('a retransmitted INVITE gets the last answer and opens nothing', async () => {
    const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002')];
    const outgoing = alice.invite('1002');
    bob.answer(await bob.request('INVITE'), 180);
    const ringing = await alice.response(180, 'INVITE');
    const since = alice.client.received.length;
    alice.client.raw(outgoing.text);
    expect((await alice.response(180, 'INVITE', since)).text).toBe(ringing.text);
    expect(bob.requests('INVITE')).toHaveLength(1);
    bob.answer(await bob.request('INVITE'), 486);
    const busy = await alice.response(486, 'INVITE');
    const later = alice.client.received.length;
    alice.client.raw(outgoing.text);
    expect((await alice.response(486, 'INVITE', later)).text).toBe(busy.text);
    expect(rig.asked(outgoing.callId)).toHaveLength(1);
  });

  test('the ACK is lost: each repeated 200 goes on, and so does the ACK', async () => {
    const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002')];
    alice.invite('1002');
    const invite = await bob.request('INVITE');
    for (let i = 0; i < 3; i++) bob.answer(invite, 200);
    await expect.poll(() => alice.responses('INVITE')).toEqual([100, 200, 200, 200]);
    const dialog = alice.dialogOf(await alice.response(200, 'INVITE'));
    for (let i = 0; i < 3; i++) alice.sendIn(dialog, 'ACK');
    await expect.poll(() => bob.requests('ACK').length).toBe(3);
    expect(alice.client.received.filter((one) => one.startLine.startsWith('SIP/2.0 4'))).toEqual([]);
  });
});

describe('flows that are gone while it rings', () => {
  test('the only device: 480 at once', async () => {
    const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002')];
    const outgoing = alice.invite('1002');
    bob.answer(await bob.request('INVITE'), 180);
    await alice.response(180, 'INVITE');
    bob.client.cut();
    await acknowledgeRefusal(alice, outgoing, 480);
    await rig.untilState(outgoing.callId, 'terminated');
  });

  test('the caller: the devices are cancelled, and a late answer is released', async () => {
    const [alice, desk, mobile] = [await rig.phone('1001'), await rig.phone('1002'), await rig.phone('1002')];
    const outgoing = alice.invite('1002');
    const [atDesk, atMobile] = [await desk.request('INVITE'), await mobile.request('INVITE')];
    desk.answer(atDesk, 180);
    mobile.answer(atMobile, 180);
    await alice.response(180, 'INVITE');
    alice.client.cut();
    const cancel = await mobile.request('CANCEL');
    mobile.answer(atMobile, 200);
    mobile.answer(cancel, 200);
    mobile.answer(await mobile.request('BYE'), 200);
    await obeyCancel(desk);
    expect(await rig.untilState(outgoing.callId, 'terminated')).toMatchObject({ cause: 'flowLost' });
  });
});
