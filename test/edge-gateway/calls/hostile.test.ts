import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { acknowledgeRefusal, CallRig } from '#test/support/call-rig.ts';
import { type Phone, SDP } from '#test/support/phone.ts';
import { token } from '#test/support/sip-client.ts';

let rig: CallRig;
beforeAll(async () => {
  rig = await CallRig.start(1, { MAX_CALLS: '6', MAX_CALLS_PER_FLOW: '3' });
});
afterEach(() => rig.clear());
afterAll(() => rig.stop());

const numbered = (count: number, line: (index: number) => string): string[] =>
  Array.from({ length: count }, (_, index) => line(index));

/** The final answer to an INVITE with these header lines. */
async function refusalOf(phone: Phone, headers: readonly string[], body = SDP): Promise<number> {
  const outgoing = phone.invite('1002', { headers, body });
  const final = await phone.next((one) => one.status >= 200 && one.header('call-id') === outgoing.callId);
  return final.status;
}

/** How many INVITEs functions were asked about; calls of earlier tests may still be ending. */
const invitesAsked = (): number =>
  rig.functions.invocations.flatMap(({ envelopes }) => envelopes).filter(({ request }) => request.method === 'INVITE')
    .length;

describe('what a proxy refuses before it asks anybody (RFC 3261 section 16.3)', () => {
  test('Max-Forwards 0, Proxy-Require, malformed, too many Vias or Record-Routes, too large', async () => {
    const alice = await rig.phone('1001');
    const asked = invitesAsked();
    const text = (line: string): string =>
      alice.client
        .compose({
          method: 'INVITE',
          uri: 'sip:1002@demo.example',
          callId: token(),
          headers: ['Contact: <sip:a@b.invalid>'],
        })
        .replace(/Max-Forwards: 70/, line);
    expect((await alice.client.exchange(text('Max-Forwards: 0'))).status).toBe(483);
    expect((await alice.client.exchange(text('Max-Forwards: 70\r\nMax-Forwards: 70'))).status).toBe(400);
    const extended = await alice.client.exchange(text('Max-Forwards: 70\r\nProxy-Require: privacy, x'));
    expect([extended.status, extended.header('unsupported')]).toEqual([420, 'privacy, x']);
    expect(
      await refusalOf(
        alice,
        numbered(80, (i) => `Via: SIP/2.0/WS h${i}.invalid;branch=z9hG4bK${i}`),
      ),
    ).toBe(483);
    expect(
      await refusalOf(
        alice,
        numbered(40, (i) => `Record-Route: <sip:r${i}.invalid;lr>`),
      ),
    ).toBe(400);
    expect(await refusalOf(alice, ['Max-Breadth: 0'])).toBe(440);
    expect(await refusalOf(alice, [], 'x'.repeat(60_000))).toBe(513);
    expect(invitesAsked()).toBe(asked);
  });

  test('a body that is not UTF-8', async () => {
    const alice = await rig.phone('1001');
    const text = alice.client.compose({ method: 'INVITE', uri: 'sip:1002@demo.example', callId: 'bytes', body: 'xxx' });
    const answer = alice.next((one) => one.status >= 200 && one.header('call-id') === 'bytes');
    alice.client.raw(Buffer.concat([Buffer.from(text.slice(0, -3)), Buffer.from([0xff, 0x00, 0x80])]));
    expect((await answer).status).toBe(400);
  });

  test('a loop: the same request with our own Via comes back', async () => {
    const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002')];
    const outgoing = alice.invite('1002');
    const invite = await bob.request('INVITE');
    // The device sends it where it came from, as a misconfigured proxy would.
    const looped = outgoing.text.replace(
      /Via: /,
      `Via: SIP/2.0/WS ${bob.client.host};branch=z9hG4bK${token()}\r\n${invite
        .headers('via')
        .map((via) => `Via: ${via}\r\n`)
        .join('')}Via: `,
    );
    bob.client.raw(looped);
    expect((await bob.next((one) => one.status >= 200 && one.header('cseq') === '1 INVITE', 1)).status).toBe(482);
    bob.answer(invite, 486);
    await acknowledgeRefusal(alice, outgoing, 486);
  });
});

describe('limits', () => {
  test('calls of one flow; a call that is over makes room', async () => {
    const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002')];
    const calls = [];
    for (let i = 0; i < 3; i++) {
      const outgoing = alice.invite('1002');
      calls.push({
        outgoing,
        invite: await bob.next((one) => one.method === 'INVITE' && one.header('call-id') === outgoing.callId),
      });
    }
    const fourth = alice.invite('1002');
    const refused = await acknowledgeRefusal(alice, fourth, 503);
    expect(refused.startLine).toContain('Too Many Calls On This Flow');
    expect(Number(refused.header('retry-after'))).toBeGreaterThan(0);
    for (const { outgoing, invite } of calls) {
      bob.answer(invite, 486);
      await acknowledgeRefusal(alice, outgoing, 486);
    }
    const fifth = alice.invite('1002');
    const invite = await bob.next((one) => one.method === 'INVITE' && one.header('call-id') === fifth.callId);
    bob.answer(invite, 486);
    await acknowledgeRefusal(alice, fifth, 486);
  });

  test('one device answers with ever new tags: at most ten dialogs, and the caller is not flooded', async () => {
    const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002')];
    const outgoing = alice.invite('1002');
    const invite = await bob.request('INVITE');
    for (let i = 0; i < 60; i++) bob.answer(invite, 180, { tag: `tag-${i}` });
    bob.answer(invite, 486);
    await acknowledgeRefusal(alice, outgoing, 486);
    expect(alice.responses('INVITE').filter((status) => status === 180)).toHaveLength(10);
    expect((await rig.untilState(outgoing.callId, 'terminated')).forks).toHaveLength(10);

    const again = alice.invite('1002');
    const second = await bob.next((one) => one.method === 'INVITE' && one.header('call-id') === again.callId);
    for (let i = 0; i < 200; i++) bob.answer(second, 180);
    bob.answer(second, 486);
    await acknowledgeRefusal(alice, again, 486);
    const rung = alice.client.received.slice(again.since).filter(({ status }) => status === 180);
    expect(rung).toHaveLength(100);
  });
});

describe('broken messages', () => {
  test('answers and requests that fit nothing are dropped or refused, and the gateway lives', async () => {
    const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002')];
    const outgoing = alice.invite('1002');
    const invite = await bob.request('INVITE');
    const branch = /branch=([^;]+)/.exec(invite.header('via'))?.[1] ?? '';
    const host = /WS ([^;]+)/.exec(invite.header('via'))?.[1] ?? '';
    const answerWith = (via: string, more = ''): void =>
      bob.client.raw(
        `SIP/2.0 200 OK\r\nVia: ${via}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n${more}Content-Length: 0\r\n\r\n`,
      );
    for (const wrong of [
      'z9hG4bKc.',
      'z9hG4bKc.a.b',
      `${branch}x`,
      `z9hG4bKc.a.b.c.d`,
      `z9hG4bKc.aaaaaaaaaa.000000000000.x`,
    ])
      answerWith(`SIP/2.0/WS ${host};branch=${wrong}`);
    alice.client.raw(alice.client.compose({ method: 'ACK', uri: outgoing.uri, toTag: 'nobody' }));
    alice.client.raw(
      alice.client.compose({
        method: 'ACK',
        uri: outgoing.uri,
        headers: ['Route: <sip:lf1-AAAA@x.invalid;lr>'],
        toTag: 'x',
      }),
    );
    for (const route of [
      '<sip:lf1-@x.invalid;lr>',
      '<sip:lf1-%41@x.invalid;lr>',
      `<sip:lf1-${'A'.repeat(4_000)}@x.invalid;lr>`,
      '<sip:lf1-AAAA',
      '<<>>,,',
    ]) {
      const text = alice.client.compose({ method: 'BYE', uri: outgoing.uri, headers: [`Route: ${route}`], toTag: 'x' });
      expect([400, 403, 481]).toContain((await alice.client.exchange(text)).status);
    }
    for (const method of ['CANCEL', 'BYE', 'PRACK', 'UPDATE', 'INFO', 'REFER', 'NOTIFY'])
      expect(
        (await alice.client.exchange(alice.client.compose({ method, uri: outgoing.uri, toTag: 'x' }))).status,
      ).toBe(481);
    expect((await alice.client.exchange(alice.client.compose({ method: 'REFER', uri: outgoing.uri }))).status).toBe(
      405,
    );
    bob.answer(invite, 486, { headers: ['Contact: <<<>>>', 'Record-Route: ,,<', 'Session-Expires: abc'] });
    await acknowledgeRefusal(alice, outgoing, 486);
  });

  test('a callee that names foreign hops in its Record-Route cannot lead a BYE of ours astray', async () => {
    rig.policy = { maxDurationMs: 400 };
    const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002')];
    const outgoing = alice.invite('1002');
    const invite = await bob.request('INVITE');
    bob.answer(invite, 200, {
      ...{ headers: ['Record-Route: <sip:evil.example;lr>\t,<sip:other.example;lr>'], contact: '<sip:x@evil.example>' },
    });
    alice.sendIn(alice.dialogOf(await alice.response(200, 'INVITE', outgoing.since)), 'ACK');
    const bye = await bob.request('BYE');
    expect(bye.startLine).toBe('BYE sip:x@evil.example SIP/2.0');
    expect((await rig.untilState(outgoing.callId, 'terminated')).cause).toBe('tooLong');
  });

  test('header injection by what is echoed: nothing but our own lines', async () => {
    rig.policy = { headers: [['P-Asserted-Identity', '<sip:1001@demo.example>']] };
    const [alice, bob] = [await rig.phone('1001'), await rig.phone('1002')];
    const outgoing = alice.invite('1002', {
      headers: [
        'P-Asserted-Identity: <sip:boss@demo.example>',
        'P-Preferred-Identity: <sip:boss@demo.example>',
        'Route: <sip:evil.example;lr>',
      ],
    });
    const invite = await bob.request('INVITE');
    expect(invite.headers('p-asserted-identity')).toEqual(['<sip:1001@demo.example>']);
    expect(invite.headers('p-preferred-identity')).toEqual([]);
    expect(invite.headers('route')).toEqual([]);
    bob.answer(invite, 486, { headers: ['P-Asserted-Identity: <sip:boss@demo.example>'] });
    expect((await acknowledgeRefusal(alice, outgoing, 486)).headers('p-asserted-identity')).toEqual([]);
  });
});

test('OPTIONS says what calls can do here', async () => {
  const alice = await rig.phone('1001');
  const answer = await alice.client.exchange(alice.client.compose({ method: 'OPTIONS', uri: 'sip:demo.example' }));
  const allowed = answer.header('allow').split(', ');
  for (const method of ['INVITE', 'ACK', 'BYE', 'CANCEL', 'PRACK', 'UPDATE', 'INFO', 'REFER'])
    expect(allowed).toContain(method);
  expect(answer.header('supported')).toContain('replaces');
});
