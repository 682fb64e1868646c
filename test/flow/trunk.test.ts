/** Calls over a trunk: a phone on one side, SIPp on the other, the lamp of the user for a third. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { type Outgoing, Phone, type PhoneDialog, SDP } from '#test/support/phone.ts';
import { freePort } from '#test/support/ports.ts';
import { dialogStates, SipClient, type TestSubscription } from '#test/support/sip-client.ts';
import { type SippRun, startSipp } from '#test/support/sipp.ts';

let stack: LocalStack;
let trunkPort: number;
beforeAll(async () => {
  trunkPort = await freePort();
  const trunk = `sip:lampfield:secret@127.0.0.1:${trunkPort};transport=tcp;realm=trunk.example`;
  stack = await startStack({ trunk, gateways: 2 });
}, 120_000);
afterAll(() => stack.stop());

const SOON = { timeoutMs: 20_000 };
const HOLD = SDP.replace('m=audio', 'a=sendonly\r\nm=audio');
const IN_SDP = ['Content-Type: application/sdp'];

async function phone(user: string): Promise<Phone> {
  const one = await Phone.connect(stack.url(), user);
  onTestFinished(() => one.client.close());
  expect((await one.client.register()).status).toBe(200);
  return one;
}

async function lampOf(user: string): Promise<TestSubscription> {
  const watcher = await SipClient.connect(stack.url(1), '1009');
  onTestFinished(() => watcher.close());
  return watcher.subscribe(user);
}

const shown = async (lamp: TestSubscription, state: string, since = 0): Promise<string> =>
  (await lamp.nextNotify(`>${state}</state>`, { ...SOON, since })).body;

async function trunk(scenario: string): Promise<SippRun> {
  const run = await startSipp(scenario, { port: trunkPort });
  onTestFinished(() => run.stop());
  return run;
}

async function answered(caller: Phone): Promise<PhoneDialog> {
  const dialog = caller.dialogOf(await caller.response(200, 'INVITE'));
  caller.sendIn(dialog, 'ACK');
  return dialog;
}

async function refused(caller: Phone, invite: Outgoing): Promise<number> {
  const answer = await caller.next(
    ({ status, header }) => status >= 300 && header('cseq').endsWith('INVITE'),
    0,
    15_000,
  );
  caller.hopByHop('ACK', invite, answer.header('to'));
  return answer.status;
}

describe('a call to a number that no user has', () => {
  it('rings and is answered over the trunk; the caller hangs up; his lamp follows', async () => {
    const peer = await trunk('answer');
    const [caller, lamp] = [await phone('1001'), await lampOf('1001')];
    caller.invite('0301234567');
    await caller.response(180, 'INVITE');
    const ringing = await shown(lamp, 'early');
    expect(ringing).toContain('sip:0301234567@demo.example');
    const dialog = await answered(caller);
    await shown(lamp, 'confirmed');
    const since = lamp.client.received.length;
    const bye = caller.sendIn(dialog, 'BYE');
    expect((await caller.finalAnswer(bye)).status).toBe(200);
    const ended = await lamp.nextNotify('>terminated</state>', { ...SOON, since });
    expect(new Set(dialogStates(ended))).toEqual(new Set(['terminated']));
    await peer.passed;
  });

  it('is busy there', async () => {
    const peer = await trunk('busy');
    const caller = await phone('1001');
    expect(await refused(caller, caller.invite('0301234567'))).toBe(486);
    await peer.passed;
  });

  it('is cancelled', async () => {
    const peer = await trunk('cancelled');
    const caller = await phone('1001');
    const invite = caller.invite('0301234567');
    await caller.response(180, 'INVITE');
    caller.hopByHop('CANCEL', invite);
    expect((await caller.response(200, 'CANCEL')).status).toBe(200);
    expect(await refused(caller, invite)).toBe(487);
    await peer.passed;
  });

  it('is put on hold and ended by the other side', async () => {
    const peer = await trunk('hangs-up');
    const [caller, lamp] = [await phone('1001'), await lampOf('1001')];
    caller.invite('0301234567');
    await answered(caller);
    const hold = await caller.request('INVITE');
    expect(hold.body).toContain('a=sendonly');
    caller.answer(hold, 200, { body: SDP, headers: IN_SDP });
    await caller.request('ACK');
    caller.answer(await caller.request('BYE'), 200);
    await peer.passed;
    await shown(lamp, 'terminated', 1);
  });

  it.each(['md5', 'sha256'])(
    'authenticates with %s: CSeq is one higher from then on, ACK, BYE and re-INVITE too',
    async (algorithm) => {
      const peer = await trunk(`challenge-${algorithm}`);
      const caller = await phone('1001');
      caller.invite('0301234567');
      await caller.response(180, 'INVITE');
      const dialog = await answered(caller);
      const hold = caller.sendIn(dialog, 'INVITE', [`Contact: ${caller.client.contact}`, ...IN_SDP], HOLD);
      expect((await caller.finalAnswer(hold)).status).toBe(200);
      const ack = caller.composeIn({ ...dialog, cseq: dialog.cseq }, 'ACK');
      caller.client.raw(ack);
      const bye = caller.sendIn(dialog, 'BYE');
      expect((await caller.finalAnswer(bye)).status).toBe(200);
      await peer.passed;
      expect([...caller.responses('INVITE'), ...caller.responses('BYE')].filter((status) => status > 299)).toEqual([]);
    },
  );

  it('gives up after credentials that are not taken; the caller is not asked for them', async () => {
    const peer = await trunk('stubborn');
    const caller = await phone('1001');
    expect(await refused(caller, caller.invite('0301234567'))).toBe(502);
    await peer.passed;
  });

  it('fails at once when the trunk is not there', async () => {
    const caller = await phone('1001');
    expect(await refused(caller, caller.invite('0301234567'))).toBe(480);
  });

  it('is no user name: 404', async () => {
    const caller = await phone('1001');
    expect(await refused(caller, caller.invite('nobody'))).toBe(404);
  });
});

describe('a call from the trunk', () => {
  const call = async (scenario: string, callee: string, gateway = 0): Promise<SippRun> => {
    const to = `127.0.0.1:${stack.trunkPort(gateway)}`;
    const run = await startSipp(scenario, { port: await freePort(), to, keys: { callee } });
    onTestFinished(() => run.stop());
    return run;
  };
  const accept = async (callee: Phone): Promise<PhoneDialog> => {
    const invite = await callee.request('INVITE');
    expect(invite.header('p-asserted-identity')).toBe('<sip:+49301234@provider.example>');
    callee.answer(invite, 180);
    callee.answer(invite, 200, { body: SDP, headers: IN_SDP });
    await callee.request('ACK');
    return callee.calleeDialogOf(invite);
  };

  it.each([0, 1])('rings and is answered; the trunk hangs up; the lamp follows (gateway %i)', async (gateway) => {
    const [callee, lamp] = [await phone('1002'), await lampOf('1002')];
    const peer = await call('calls', '1002@demo.example', gateway);
    await accept(callee);
    const confirmed = await shown(lamp, 'confirmed');
    expect(confirmed).toContain('sip:+49301234@provider.example');
    expect(confirmed).toContain('direction="recipient"');
    callee.answer(await callee.request('BYE'), 200);
    await peer.passed;
    await shown(lamp, 'terminated', 1);
  });

  it('is ended by the user', async () => {
    const callee = await phone('1002');
    const peer = await call('is-hung-up', '1002@demo.example');
    const dialog = await accept(callee);
    const bye = callee.sendIn(dialog, 'BYE');
    expect((await callee.finalAnswer(bye)).status).toBe(200);
    await peer.passed;
  });

  it.each([
    ['404', 'nobody@demo.example'],
    ['404', '0301234567@demo.example'],
    ['480', '1019@demo.example'],
    ['403', '1002@acme.example'],
    ['403', '1002@nowhere.example'],
  ])('is answered %s for %s', async (status, callee) => {
    const peer = await call(`is-refused-${status}`, callee);
    await peer.passed;
  });
});
