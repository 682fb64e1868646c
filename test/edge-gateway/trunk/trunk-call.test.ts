/** Calls over a trunk at the gateway: credentials, lost connections, and what a trunk may not do. */
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { OutcomeInput } from '#contract/outcome.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import { answerOf, CallRig } from '#test/support/call-rig.ts';
import type { Outgoing, Phone, PhoneDialog } from '#test/support/phone.ts';
import { token } from '#test/support/sip-client.ts';
import { TrunkPeer } from '#test/support/trunk-peer.ts';

let rig: CallRig;
beforeAll(async () => {
  rig = await CallRig.start(1, { TRUNK_PORT: '0', MAX_TRUNK_CONNECTIONS: '2', TRUNK_CONNECT_MS: '1000' });
});
afterEach(() => rig.clear());
afterAll(() => rig.stop());

const ownPort = (): number => rig.gateways[0]?.trunkPorts?.tcp ?? 0;
const asks = (nonce: string, more = ''): string[] => [
  `Proxy-Authenticate: Digest realm="trunk.example", nonce="${nonce}", qop="auth"${more}`,
];

/** A trunk, and the functions that route calls of users to it. */
async function trunk(addresses = ['127.0.0.1']): Promise<{ peer: TrunkPeer; meet: { now: () => Promise<void> } }> {
  const peer = await TrunkPeer.listen();
  onTestFinished(() => peer.stop());
  const meet = { now: () => Promise.resolve() };
  rig.decide = (envelope) => {
    if (envelope.challenge) return meet.now().then(() => met(envelope));
    if (envelope.request.method !== 'INVITE' || envelope.identity === undefined) return undefined;
    const at = { transport: 'TCP' as const, host: '127.0.0.1', port: peer.port, addresses };
    const route = {
      ...rig.routeOf(envelope),
      outside: 'callee' as const,
      trunk: at,
      trunkUri: 'sip:030@trunk.example',
    };
    return { response: answerOf(480), route };
  };
  return { peer, meet };
}

const met = ({ challenge }: RequestEnvelope): OutcomeInput => {
  const counts = challenge?.challenges.map(({ count }) => count).join();
  return { response: { status: 200, reason: 'OK', headers: [['Proxy-Authorization', `Digest nc=${counts}`]] } };
};

async function talking(peer: TrunkPeer): Promise<{ caller: Phone; dialog: PhoneDialog; invite: Outgoing }> {
  const caller = await rig.phone('1001');
  const invite = caller.invite('030');
  peer.answer(await peer.request('INVITE'), 200);
  const dialog = caller.dialogOf(await caller.response(200, 'INVITE'));
  caller.sendIn(dialog, 'ACK');
  await peer.request('ACK');
  return { caller, dialog, invite };
}

describe('credentials', () => {
  it('are given once more when the nonce was stale, and not a third time', async () => {
    const { peer } = await trunk();
    const caller = await rig.phone('1001');
    const invite = caller.invite('030');
    peer.answer(await peer.request('INVITE', 1), 407, asks('a'));
    peer.answer(await peer.request('INVITE', 2), 407, asks('b', ', stale=true'));
    peer.answer(await peer.request('INVITE', 3), 407, asks('c', ', stale=true'));
    const refused = await caller.response(502, 'INVITE', invite.since);
    expect(refused.header('proxy-authenticate')).toBe('');
    for (const cseq of [1, 2, 3]) await peer.request('ACK', cseq);
    expect(peer.received.filter(({ method }) => method === 'INVITE')).toHaveLength(3);
  });

  it('count how often a nonce was used (nc)', async () => {
    const { peer } = await trunk();
    const { caller, dialog } = await talking(peer);
    for (const [given, nc] of [
      [2, 1],
      [4, 2],
    ] as const) {
      const info = caller.sendIn(dialog, 'INFO');
      peer.answer(await peer.request('INFO', given), 407, asks('same'));
      const again = await peer.request('INFO', given + 1);
      expect(again.header('proxy-authorization')).toBe(`Digest nc=${nc}`);
      peer.answer(again, 200);
      expect((await caller.finalAnswer(info)).status).toBe(200);
    }
  });

  it('are not sent for a call that was cancelled meanwhile', async () => {
    const { peer, meet } = await trunk();
    const { promise, resolve } = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    meet.now = () => {
      asked.resolve();
      return promise;
    };
    const caller = await rig.phone('1001');
    const invite = caller.invite('030');
    const first = await peer.request('INVITE');
    peer.answer(first, 100);
    peer.answer(first, 407, asks('a'));
    await asked.promise;
    caller.hopByHop('CANCEL', invite);
    await caller.response(200, 'CANCEL');
    resolve();
    await caller.response(487, 'INVITE', invite.since);
    expect(peer.received.map(({ method }) => method)).toEqual(['INVITE', 'ACK']);
  });

  it('and a CANCEL waits for the answer to the INVITE that has them (RFC 3261 section 9.1)', async () => {
    const { peer } = await trunk();
    const caller = await rig.phone('1001');
    const invite = caller.invite('030');
    const first = await peer.request('INVITE');
    peer.answer(first, 100);
    peer.answer(first, 407, asks('a'));
    const second = await peer.request('INVITE', 2);
    caller.hopByHop('CANCEL', invite);
    await caller.response(200, 'CANCEL');
    const since = peer.received.length;
    (await rig.phone('1002')).invite('030');
    await peer.request('INVITE', 1, since); // what was sent before has come before
    expect(peer.received.some(({ method }) => method === 'CANCEL')).toBe(false);
    peer.answer(second, 180);
    const cancel = await peer.request('CANCEL', 2);
    expect(cancel.headers('via')[0]).toBe(second.headers('via')[0]);
    peer.answer(cancel, 200);
    peer.answer(second, 487);
    await caller.response(487, 'INVITE', invite.since);
  });

  it('go with a BYE that the gateway itself sends', async () => {
    const { peer } = await trunk();
    rig.policy = { maxDurationMs: 1_000 };
    const { caller } = await talking(peer);
    caller.answer(await caller.request('BYE'), 200);
    peer.answer(await peer.request('BYE', 2), 407, asks('of the BYE'));
    const again = await peer.request('BYE', 3);
    expect(again.header('proxy-authorization')).toBe('Digest nc=1');
    peer.answer(again, 200);
  });
});

describe('a connection that is lost', () => {
  it('is opened again for the next request; the call goes on', async () => {
    const { peer } = await trunk();
    const { caller, dialog } = await talking(peer);
    peer.cut();
    const bye = caller.sendIn(dialog, 'BYE');
    peer.answer(await peer.request('BYE'), 200);
    expect((await caller.finalAnswer(bye)).status).toBe(200);
    expect(peer.connections).toBe(2);
  });

  it('is opened again after the grace; a trunk that is gone ends the call', async () => {
    const { peer } = await trunk();
    const { caller, invite } = await talking(peer);
    peer.cut();
    await expect.poll(() => peer.connections).toBe(2);
    expect(rig.snapshotsOf(invite.callId).at(-1)?.state).toBe('confirmed');
    await peer.stop();
    caller.answer(await caller.request('BYE'), 200);
    expect((await rig.untilState(invite.callId, 'terminated')).cause).toBe('flowLost');
  });
});

describe('who connects by himself', () => {
  const inDialog = (invite: { header(name: string): string; headers(name: string): string[] }, method: string) =>
    [
      `${method} ${/<([^>]+)>/.exec(invite.header('contact'))?.[1]} SIP/2.0`,
      `Via: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK${token()}`,
      `Route: ${invite.header('record-route')}`,
      ...[`From: ${invite.header('to')};tag=trunk`, `To: ${invite.header('from')}`],
      ...[`Call-ID: ${invite.header('call-id')}`, `CSeq: 7 ${method}`, 'Max-Forwards: 70', 'Content-Length: 0', '', ''],
    ].join('\r\n');

  it('speaks for the trunk when he has its address', async () => {
    const { peer } = await trunk();
    const { caller } = await talking(peer);
    const other = await TrunkPeer.connect(ownPort());
    onTestFinished(() => other.stop());
    other.send(inDialog(await peer.request('INVITE'), 'BYE'));
    caller.answer(await caller.request('BYE'), 200);
    expect((await other.next(({ status }) => status > 0)).status).toBe(200);
  });

  it('and not from another address, even with the Route of the call: 403', async () => {
    const { peer } = await trunk(['192.0.2.1']);
    const { invite } = await talking(peer);
    const other = await TrunkPeer.connect(ownPort());
    onTestFinished(() => other.stop());
    other.send(inDialog(await peer.request('INVITE'), 'BYE'));
    expect((await other.next(({ status }) => status > 0)).status).toBe(403);
    expect(rig.snapshotsOf(invite.callId).at(-1)?.state).toBe('confirmed');
  });

  it('may ask for nothing but calls: OPTIONS 200, REGISTER 403', async () => {
    const other = await TrunkPeer.connect(ownPort());
    onTestFinished(() => other.stop());
    for (const [method, status] of [
      ['OPTIONS', 200],
      ['REGISTER', 403],
    ] as const) {
      const since = other.received.length;
      other.send(
        [
          `${method} sip:demo.example SIP/2.0`,
          `Via: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK${token()}`,
          ...['From: <sip:1001@demo.example>;tag=1', 'To: <sip:1001@demo.example>', `Call-ID: ${token()}`],
          ...[`CSeq: 1 ${method}`, 'Max-Forwards: 70', 'Content-Length: 0', '', ''],
        ].join('\r\n'),
      );
      expect((await other.next((one) => one.status > 0, since)).status).toBe(status);
    }
  });

  it('is refused when too many are connected', async () => {
    const all: TrunkPeer[] = [];
    for (let i = 0; i < 3; i++) all.push(await TrunkPeer.connect(ownPort()));
    onTestFinished(async () => void (await Promise.all(all.map((each) => each.stop()))));
    await expect.poll(() => all.filter((each) => each.isClosed).length).toBe(1);
  });
});
