import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseMessage, type SipRequest, type SipResponse } from '#core/sip/message.ts';
import {
  branchText,
  composeForwarded,
  composePassed,
  isLoop,
  loopHashOf,
  type NextHop,
  readBranch,
  refuseForProxy,
} from '#gateway/calls/call-message.ts';

const requestOf = (text: string): SipRequest => {
  const parsed = parseMessage(text);
  if (parsed.kind !== 'request') throw new Error(parsed.kind);
  return parsed;
};
const responseOf = (text: string): SipResponse => {
  const parsed = parseMessage(text);
  if (parsed.kind !== 'response') throw new Error(parsed.kind);
  return parsed;
};
const invite = (lines: readonly string[] = [], body = ''): SipRequest =>
  requestOf(
    [
      'INVITE sip:bob@demo.example SIP/2.0',
      'Via: SIP/2.0/WSS a.invalid;branch=z9hG4bK1;rport, SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK0',
      'From: <sip:alice@demo.example>;tag=f',
      'To: <sip:bob@demo.example>',
      'Call-ID: c1',
      'CSeq: 1 INVITE',
      ...lines,
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n'),
  );
const hop: NextHop = {
  ...{ requestUri: 'sip:bob@b.invalid;transport=ws', via: 'SIP/2.0/WSS g.invalid;branch=z9hG4bKc.h.g.t', routes: [] },
  source: { sourceAddress: '192.0.2.7', sourcePort: 4711 },
};

describe('a request goes on (RFC 3261 section 16.6)', () => {
  test('our Via on top, received and rport filled in, Max-Forwards counted, the rest as it came', () => {
    const request = invite(['Max-Forwards: 12', 'Subject: é', 'X-A: 1', 'X-A: 2'], 'body é');
    expect(composeForwarded(request, { ...hop, recordRoute: '<sip:lf1-x@g.invalid;lr>' })).toBe(
      [
        'INVITE sip:bob@b.invalid;transport=ws SIP/2.0',
        'Via: SIP/2.0/WSS g.invalid;branch=z9hG4bKc.h.g.t',
        'Via: SIP/2.0/WSS a.invalid;branch=z9hG4bK1;rport=4711;received=192.0.2.7',
        'Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK0',
        'Record-Route: <sip:lf1-x@g.invalid;lr>',
        'Max-Forwards: 11',
        'From: <sip:alice@demo.example>;tag=f',
        'To: <sip:bob@demo.example>',
        'Call-ID: c1',
        'CSeq: 1 INVITE',
        'Subject: é',
        'X-A: 1',
        'X-A: 2',
        'Content-Length: 7',
        '',
        'body é',
      ].join('\r\n'),
    );
  });

  test('without Max-Forwards it gets 70; credentials for us and claims of identity stay here', () => {
    const text = composeForwarded(
      invite([
        'Proxy-Authorization: Digest realm="demo.example"',
        'Authorization: Digest realm="demo.example", response="x"',
        'Authorization: Digest realm="phone", response="y"',
        'P-Asserted-Identity: <sip:boss@demo.example>',
        'X-Old: 1',
      ]),
      { ...hop, ownRealm: 'demo.example', fields: [['X-Old', '2']] },
    );
    const sent = requestOf(text);
    expect(sent.get('max-forwards')).toBe('70');
    expect(sent.all('authorization')).toEqual(['Digest realm="phone", response="y"']);
    expect([sent.get('proxy-authorization'), sent.get('p-asserted-identity')]).toEqual([undefined, undefined]);
    expect(sent.all('x-old')).toEqual(['2']);
  });

  test('what the client claims of its own address is replaced', () => {
    const text = composeForwarded(
      requestOf(
        'BYE sip:x@y SIP/2.0\r\nVia: SIP/2.0/WS h.invalid;received=203.0.113.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: c\r\nCSeq: 1 BYE\r\n\r\n',
      ),
      hop,
    );
    expect(text).toContain('\r\nVia: SIP/2.0/WS h.invalid;branch=z9hG4bK1;received=192.0.2.7\r\n');
    expect(text).not.toContain('203.0.113.1');
  });
});

test('an answer goes back without our Via, whether on a line of its own or not', () => {
  for (const vias of [
    'Via: ours;b=1, SIP/2.0/WS a;branch=z9hG4bK2',
    'Via: ours;b=1\r\nv: SIP/2.0/WS a;branch=z9hG4bK2',
  ]) {
    const text = `SIP/2.0 183 Ring é\r\n${vias.replaceAll('ours;b=1', 'SIP/2.0/WS g.invalid;branch=z9hG4bKc.h.g.t')}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 3\r\n\r\né!`;
    const passed = responseOf(composePassed(responseOf(text)));
    expect(passed.all('via')).toEqual(['SIP/2.0/WS a;branch=z9hG4bK2']);
    expect([passed.status, passed.reason, passed.body]).toEqual([183, 'Ring é', 'é!']);
    expect(passed.get('content-length')).toBe('3');
  }
});

describe('loops (RFC 3261 section 16.3, RFC 5393)', () => {
  const back = (request: SipRequest, lines: readonly string[] = []): SipRequest =>
    requestOf(
      composeForwarded(request, {
        ...{ ...hop, requestUri: request.requestUri },
        via: `SIP/2.0/WSS g.invalid;branch=${branchText({ loopHash: loopHashOf(request), home: 'g', transaction: 't' })}`,
      }).replace('\r\nMax', `\r\n${lines.map((line) => `${line}\r\n`).join('')}Max`),
    );

  test('the same request with our Via is a loop; a spiral to another target is none', () => {
    const first = invite();
    expect(isLoop(first, loopHashOf(first), 'g')).toBe(false);
    const looped = back(first);
    expect(isLoop(looped, loopHashOf(looped), 'g')).toBe(true);
    expect(isLoop(looped, loopHashOf(looped), 'h')).toBe(false);
    const spiral = requestOf(
      composeForwarded(looped, { ...hop, requestUri: 'sip:carol@demo.example', via: 'SIP/2.0/WSS x;branch=z9hG4bK9' }),
    );
    expect(isLoop(spiral, loopHashOf(spiral), 'g')).toBe(false);
  });

  test('too many hops are refused even without a hash that fits', () => {
    const vias = Array.from({ length: 70 }, (_, i) => `Via: SIP/2.0/WS h${i}.invalid;branch=z9hG4bK${i}`);
    expect(refuseForProxy(invite(vias), true)).toEqual({ status: 483 });
    expect(refuseForProxy(invite(vias.slice(10)), true)).toBeUndefined();
  });
});

test('a branch is read as it was written, and nothing else is', () => {
  const part = fc.stringMatching(/^[\w-]{1,20}$/);
  fc.assert(
    fc.property(part, part, part, (loopHash, home, transaction) => {
      expect(readBranch(branchText({ loopHash, home, transaction }))).toEqual({ loopHash, home, transaction });
    }),
  );
  for (const other of ['z9hG4bKc.', 'z9hG4bKc.a.b', 'z9hG4bKc.a.b.c.d', 'z9hG4bKf.a.b.c', 'z9hG4bKabc'])
    expect(readBranch(other)).toBeUndefined();
});
