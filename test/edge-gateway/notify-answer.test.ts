import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseVia } from '#core/sip/header.ts';
import { parseMessage } from '#core/sip/message.ts';
import { readPlainAnswer } from '#gateway/notify-answer.ts';

const rest =
  'From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=2\r\nCall-ID: c\r\nCSeq: 7 NOTIFY\r\nContent-Length: 0\r\n\r\n';

test('a plain 200 gives its status and branch', () => {
  const text = `SIP/2.0 200 OK\r\nVia: SIP/2.0/WS gw.invalid;branch=z9hG4bKabc.7;received=192.0.2.1\r\n${rest}`;
  expect(readPlainAnswer(text)).toEqual({ status: 200, branch: 'z9hG4bKabc.7' });
});

test.each([
  ['an error', `SIP/2.0 481 Gone\r\nVia: SIP/2.0/WS h;branch=z9hG4bKa.1\r\n${rest}`],
  ['a provisional answer', `SIP/2.0 100 Trying\r\nVia: SIP/2.0/WS h;branch=z9hG4bKa.1\r\n${rest}`],
  ['a request', `OPTIONS sip:a@x SIP/2.0\r\nVia: SIP/2.0/WS h;branch=z9hG4bKa.1\r\n${rest}`],
  ['a folded Via', `SIP/2.0 200 OK\r\nVia: SIP/2.0/WS h\r\n ;branch=z9hG4bKa.1\r\n${rest}`],
  ['two Vias in one line', `SIP/2.0 200 OK\r\nVia: SIP/2.0/WS h, SIP/2.0/WS i;branch=z9hG4bKa.1\r\n${rest}`],
  ['another field first', `SIP/2.0 200 OK\r\nCall-ID: c\r\nVia: SIP/2.0/WS h;branch=z9hG4bKa.1\r\n${rest}`],
  ['no branch', `SIP/2.0 200 OK\r\nVia: SIP/2.0/WS h\r\n${rest}`],
  ['the end missing', 'SIP/2.0 200 OK\r\nVia: SIP/2.0/WS h;branch=z9hG4bKa.1\r\n'],
])('%s is left to the parser', (_what, text) => {
  expect(readPlainAnswer(text)).toBeUndefined();
});

test('what it reads, the parser reads the same', () => {
  const value = fc.stringMatching(/^[-;,=." \ta-zA-Z0-9]{0,40}$/);
  fc.assert(
    fc.property(value, fc.constantFrom('200 OK', '202 Accepted', '299 X', '2x0 ?'), (parameters, status) => {
      const text = `SIP/2.0 ${status}\r\nVia: SIP/2.0/WS h;branch=z9hG4bK1.1${parameters}\r\n${rest}`;
      const plain = readPlainAnswer(text);
      const parsed = parseMessage(text);
      if (plain === undefined || parsed.kind !== 'response') return;
      expect(parsed.status).toBe(plain.status);
      expect(parseVia(parsed.get('via') ?? '')?.branch).toBe(plain.branch);
    }),
    { numRuns: 2_000 },
  );
});
