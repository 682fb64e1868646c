import { describe, expect, it } from 'vitest';
import {
  checkRequest,
  detach,
  headerFieldsOf,
  MESSAGE_LIMITS,
  type ParseResult,
  parseMessage,
  type SipRequest,
} from '#core/sip/message.ts';

const FIELDS = [
  'Via: SIP/2.0/WSS k3j2.invalid;branch=z9hG4bK77',
  'Max-Forwards: 70',
  'From: "Watcher" <sip:1007@demo.example>;tag=aa',
  'To: <sip:1001@demo.example>',
  'Call-ID: c1@k3j2.invalid',
  'CSeq: 1 SUBSCRIBE',
];
const LINE = 'SUBSCRIBE sip:1001@demo.example SIP/2.0';

const textOf = (lines: readonly string[], body = ''): string => [...lines, '', body].join('\r\n');
const without = (name: string): string[] => FIELDS.filter((field) => !field.startsWith(`${name}:`));
const replaced = (field: string): string[] => [...without(field.slice(0, field.indexOf(':'))), field];

function asRequest(result: ParseResult): SipRequest {
  if (result.kind !== 'request') throw new Error(`${result.kind} ${'reason' in result ? result.reason : ''}`);
  return result;
}

function refusalOf(text: string, byteLength?: number): string | undefined {
  const result = parseMessage(text, byteLength);
  if (result.kind === 'unreadable' || result.kind === 'response') return result.kind;
  const refusal = result.kind === 'refused' ? result : checkRequest(result);
  return refusal && `${refusal.status} ${refusal.reason}`;
}

describe('parseMessage: requests', () => {
  it('reads start line, header fields and body (RFC 3261 section 7)', () => {
    const request = asRequest(parseMessage(textOf([LINE, ...FIELDS, 'Event: dialog'], 'body')));
    expect(request.method).toBe('SUBSCRIBE');
    expect(request.requestUri).toBe('sip:1001@demo.example');
    expect(request.get('event')).toBe('dialog');
    expect(request.get('expires')).toBeUndefined();
    expect(request.all('expires')).toEqual([]);
    expect(request.body).toBe('body');
    expect(checkRequest(request)).toBeUndefined();
  });

  it('keeps fields in order, with compact names in their long form', () => {
    const lines = [LINE, 'v: SIP/2.0/WS a;branch=z9hG4bK1', 'X-one: 1', 'o: dialog', 'X-One: 2', 'i: 7'];
    const request = asRequest(parseMessage(textOf(lines)));
    expect(request.entries()).toEqual([
      ['Via', 'SIP/2.0/WS a;branch=z9hG4bK1'],
      ['X-one', '1'],
      ['Event', 'dialog'],
      ['X-One', '2'],
      ['Call-ID', '7'],
    ]);
    expect(request.all('x-one')).toEqual(['1', '2']);
  });

  it.each([
    ['CALL-ID: 1', 'call-id', '1'],
    ['call-id:1', 'call-id', '1'],
    ['Call-ID  \t :   1  ', 'call-id', '1'],
    ['Subject: a\r\n b\r\n\t c', 'subject', 'a b c'],
    ['Subject:\r\n \r\n  late', 'subject', 'late'],
    ['Subject:', 'subject', ''],
    ['E: gzip', 'content-encoding', 'gzip'],
    ['Subject: Grüße, 世界 😀', 'subject', 'Grüße, 世界 😀'],
    ['X-Colon: a:b', 'x-colon', 'a:b'],
    ['__proto__: x', '__proto__', 'x'],
  ])('reads %j', (line, name, value) => {
    expect(asRequest(parseMessage(textOf([LINE, line]))).get(name)).toBe(value);
  });

  it('takes the version in any case and refuses another with 505', () => {
    expect(asRequest(parseMessage(textOf(['OPTIONS sip:a sip/2.0', ...FIELDS]))).method).toBe('OPTIONS');
    expect(refusalOf(textOf(['OPTIONS sip:a SIP/3.0', ...FIELDS]))).toBe('505 Version Not Supported');
    expect(refusalOf(textOf(['OPTIONS sip:a SIP/2.1', ...FIELDS]))).toBe('505 Version Not Supported');
  });

  it('skips empty lines before the start line (RFC 3261 section 7.5)', () => {
    expect(asRequest(parseMessage(`\r\n\r\n${textOf([LINE, ...FIELDS])}`)).get('call-id')).toBe('c1@k3j2.invalid');
  });

  it.each([
    [`${LINE}\r\n${FIELDS.join('\r\n')}`, '400 Missing Empty Line After Header'],
    [`${LINE}\r\n${FIELDS.join('\r\n')}\r\n`, '400 Missing Empty Line After Header'],
    [textOf([LINE, ...FIELDS]).replaceAll('\r\n', '\n'), '400 Line Not Ended By CRLF'],
    [textOf([LINE, ...FIELDS, 'X: a\rb']), '400 Line Not Ended By CRLF'],
    [textOf([LINE, ...FIELDS, 'X: a\nVia: b']), '400 Line Not Ended By CRLF'],
    [textOf([LINE, ...FIELDS, 'X: a\r\n b\rc']), '400 Line Not Ended By CRLF'],
    [`${LINE}\n${textOf(FIELDS)}`, '400 Line Not Ended By CRLF'],
    [textOf([LINE, ...FIELDS, 'no colon']), '400 Malformed Header Field'],
    [textOf([LINE, ...FIELDS, ': no name']), '400 Malformed Header Field'],
    [textOf([LINE, ...FIELDS, 'two words: x']), '400 Malformed Header Field'],
    [textOf([LINE, ' folded: x', ...FIELDS]), '400 Malformed Header Field'],
    [textOf(['SUBSCRIBE SIP/2.0', ...FIELDS]), '400 Malformed Request-Line'],
    [textOf(['SUB,SCRIBE sip:a SIP/2.0', ...FIELDS]), '400 Malformed Request-Line'],
    [textOf(['SUBSCRIBE sip:a', ...FIELDS]), '400 Malformed Request-Line'],
    [textOf(['SUBSCRIBE', ...FIELDS]), '400 Malformed Request-Line'],
    [textOf(['GET / HTTP/1.1', ...FIELDS]), '400 Malformed Request-Line'],
  ])('refuses %j', (text, refusal) => {
    expect(refusalOf(text)).toBe(refusal);
    const result = parseMessage(text);
    const readable = result.kind === 'refused' ? result.request.get('call-id') : undefined;
    expect(readable).toBe('c1@k3j2.invalid');
  });

  it('never hands out a CR or LF, also of a refused message', () => {
    const result = parseMessage(textOf([LINE, ...FIELDS, 'X: a\rb', 'X-Y: a\nX-Z: c', 'X-W: a\r\n b']));
    const entries = result.kind === 'refused' ? result.request.entries() : [];
    expect(entries.slice(-3)).toEqual([
      ['X-Y', 'a'],
      ['X-Z', 'c'],
      ['X-W', 'a b'],
    ]);
  });

  it.each(['', '\r\n\r\n', 'hello', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', '{"a": 1}', '\0\u0001 \r\n'])(
    'drops %j, which is no SIP',
    (text) => {
      expect(parseMessage(text).kind).toBe('unreadable');
    },
  );

  it('drops an ACK that it would have to refuse, for an ACK is never answered', () => {
    expect(parseMessage(textOf(['ACK sip:a SIP/3.0', ...FIELDS])).kind).toBe('unreadable');
    expect(parseMessage(textOf(['ACK sip:a SIP/2.0', ...FIELDS])).kind).toBe('request');
  });
});

describe('parseMessage: limits', () => {
  const fill = (count: number): string[] => Array.from({ length: count }, (_, i) => `X-${i}: ${i}`);

  it('takes 128 header fields and refuses 129', () => {
    const most = MESSAGE_LIMITS.headers - FIELDS.length;
    expect(refusalOf(textOf([LINE, ...FIELDS, ...fill(most)]))).toBeUndefined();
    expect(refusalOf(textOf([LINE, ...FIELDS, ...fill(most + 1)]))).toBe('400 Too Many Header Fields');
  });

  it('takes a field of 8 KiB in bytes and refuses a longer one, folded or not', () => {
    const value = 'a'.repeat(MESSAGE_LIMITS.headerLineBytes - 'X: '.length - '\r'.length);
    expect(refusalOf(textOf([LINE, ...FIELDS, `X: ${value}`]))).toBeUndefined();
    expect(refusalOf(textOf([LINE, ...FIELDS, `X: ${value}a`]))).toBe('400 Header Field Too Long');
    expect(refusalOf(textOf([LINE, ...FIELDS, `X: ${'é'.repeat(4_094)}`]))).toBeUndefined();
    expect(refusalOf(textOf([LINE, ...FIELDS, `X: ${'é'.repeat(4_095)}`]))).toBe('400 Header Field Too Long');
    const folded = Array.from({ length: 100 }, () => 'b'.repeat(90)).join('\r\n ');
    expect(refusalOf(textOf([LINE, `X: ${folded}`, ...FIELDS]))).toBe('400 Header Field Too Long');
  });

  it('takes a message of 64 KiB and refuses a longer one with 513, its header readable', () => {
    const head = textOf([LINE, ...FIELDS]);
    const text = head + 'x'.repeat(MESSAGE_LIMITS.messageBytes - head.length);
    expect(refusalOf(text)).toBeUndefined();
    expect(refusalOf(`${text}x`)).toBe('513 Message Too Large');
    const result = parseMessage(`${text}x`);
    expect(result.kind === 'refused' && result.request.get('cseq')).toBe('1 SUBSCRIBE');
  });
});

describe('parseMessage: Content-Length against the frame (RFC 3261 section 18.3)', () => {
  const bodyOf = (length: string, body: string, byteLength?: number): string =>
    asRequest(parseMessage(textOf([LINE, ...FIELDS, `Content-Length: ${length}`], body), byteLength)).body;
  const refused = (...lengths: string[]): string | undefined =>
    refusalOf(textOf([LINE, ...FIELDS, ...lengths.map((length) => `l: ${length}`)], 'body'));

  it('counts bytes and cuts off what is too much', () => {
    expect(bodyOf('4', 'body')).toBe('body');
    expect(bodyOf('004', 'body and more')).toBe('body');
    expect(bodyOf('0', 'body')).toBe('');
    expect(bodyOf('5', 'aéßb')).toBe('aéß');
    expect(bodyOf('6', 'aéßb')).toBe('aéßb');
    expect(bodyOf('4', '😀b')).toBe('😀');
  });

  it('takes the byte length of a frame that was not UTF-8 from its caller', () => {
    const head = textOf([LINE, ...FIELDS, 'Content-Length: 3']);
    const bytes = Buffer.concat([Buffer.from(head), Buffer.from([0xff, 0xfe, 0x41])]);
    expect(asRequest(parseMessage(bytes.toString(), bytes.length)).body).toBe('\ufffd\ufffdA');
  });

  it('refuses a body that is too short, and lengths that say nothing', () => {
    expect(refused('5')).toBe('400 Body Shorter Than Content-Length');
    expect(refused('99999999999999999999999')).toBe('400 Body Shorter Than Content-Length');
    expect(refused('-1')).toBe('400 Malformed Content-Length');
    expect(refused('4a')).toBe('400 Malformed Content-Length');
    expect(refused('')).toBe('400 Malformed Content-Length');
    expect(refused('4', '3')).toBe('400 Conflicting Content-Length');
    expect(refused('4', 'x')).toBe('400 Conflicting Content-Length');
    expect(refused('4', '4')).toBeUndefined();
  });
});

describe('parseMessage: responses', () => {
  const RESPONSE_FIELDS = ['Via: SIP/2.0/WSS gw;branch=z9hG4bKn1', 'CSeq: 12 NOTIFY', 'Call-ID: c1'];
  const kindOf = (...lines: string[]): string => parseMessage(textOf(lines)).kind;

  it('reads status and reason', () => {
    const result = parseMessage(textOf(['SIP/2.0 481 Subscription does not exist', ...RESPONSE_FIELDS]));
    expect(result).toMatchObject({ kind: 'response', status: 481, reason: 'Subscription does not exist' });
    expect(parseMessage(textOf(['sip/2.0 200', ...RESPONSE_FIELDS]))).toMatchObject({ status: 200, reason: '' });
  });

  it('drops what belongs to no transaction', () => {
    expect(kindOf('SIP/2.0 200 OK', ...RESPONSE_FIELDS.slice(1))).toBe('unreadable');
    expect(kindOf('SIP/2.0 200 OK', RESPONSE_FIELDS[0] ?? '')).toBe('unreadable');
    expect(kindOf('SIP/2.0 700 OK', ...RESPONSE_FIELDS)).toBe('unreadable');
    expect(kindOf('SIP/2.0 20 OK', ...RESPONSE_FIELDS)).toBe('unreadable');
    expect(kindOf('SIP/3.0 200 OK', ...RESPONSE_FIELDS)).toBe('unreadable');
    expect(kindOf('SIP/2.0 200 OK', ...RESPONSE_FIELDS, 'Content-Length: 7')).toBe('unreadable');
  });
});

describe('checkRequest', () => {
  it.each([
    ['Via', '400 Missing Via'],
    ['From', '400 Missing From'],
    ['To', '400 Missing To'],
    ['Call-ID', '400 Missing Call-ID'],
    ['CSeq', '400 Missing CSeq'],
  ])('refuses a request without %s', (name, refusal) => {
    expect(refusalOf(textOf([LINE, ...without(name)]))).toBe(refusal);
  });

  it.each(['From', 'To', 'Call-ID', 'CSeq', 'Max-Forwards'])('refuses %s on two lines', (name) => {
    const again = FIELDS.filter((field) => field.startsWith(`${name}:`));
    expect(refusalOf(textOf([LINE, ...FIELDS, ...again]))).toBe(`400 Repeated ${name}`);
  });

  it.each([
    ['Via: SIP/2.0/WSS', '400 Malformed Via'],
    ['Via: SIP/3.0/WSS a;branch=z9hG4bK1', '400 Malformed Via'],
    ['Via: SIP/2.0/WSS a;branch=', '400 Malformed Via'],
    ['Via: SIP/2.0/WSS a;branch=z9hG4bK', '400 Malformed Via Branch'],
    ['From: "Open <sip:1007@demo.example>', '400 Malformed From'],
    ['From: <sip:1007@demo.example', '400 Malformed From'],
    ['From: < sip:1007@demo.example >', '400 Malformed From'],
    ['From: 1007@demo.example', '400 Malformed From'],
    ['From:', '400 Malformed From'],
    ['To: A, B <sip:1001@demo.example>', '400 Malformed To'],
    ['To: <sip:1001@demo.example>, <sip:2@demo.example>', '400 Malformed To'],
    ['To: sip:1001@demo.example?Subject=x', '400 Malformed To'],
    ['To: <sip:1001@demo.example>;', '400 Malformed To'],
    ['Call-ID: a b', '400 Malformed Call-ID'],
    ['Call-ID:', '400 Malformed Call-ID'],
    ['CSeq: SUBSCRIBE', '400 Malformed CSeq'],
    ['CSeq: 1', '400 Malformed CSeq'],
    ['CSeq: -1 SUBSCRIBE', '400 Malformed CSeq'],
    ['CSeq: 2147483648 SUBSCRIBE', '400 Malformed CSeq'],
    ['CSeq: 1 PUBLISH', '400 CSeq Method Mismatch'],
    ['CSeq: 1 subscribe', '400 CSeq Method Mismatch'],
    ['Max-Forwards: 256', '400 Malformed Max-Forwards'],
    ['Max-Forwards: x', '400 Malformed Max-Forwards'],
    ['Max-Forwards: -1', '400 Malformed Max-Forwards'],
  ])('refuses %j', (field, refusal) => {
    expect(refusalOf(textOf([LINE, ...replaced(field)]))).toBe(refusal);
  });

  it.each([
    'Via: SIP / 2.0 / WSS [2001:db8::1]:5061 ; branch = z9hG4bK1;rport, SIP/2.0/UDP other',
    'Via: SIP/2.0/UDP 192.0.2.1', // RFC 2543
    'From: sip:1007@demo.example;tag=1',
    'From: "A \\"B\\" <x>, C" <sip:1007@demo.example;transport=ws>;tag=1;x="a;b>c"',
    'From: Jürgen Groß <sip:1007@demo.example>;tag=1',
    'From: <tel:+15551234;phone-context=demo.example>;tag=1',
    'To: <sip:1001@[2001:db8::1]:5060>',
    'CSeq: 0 SUBSCRIBE',
    'CSeq: 2147483647   SUBSCRIBE',
    'Max-Forwards: 0',
    'Max-Forwards: 0255',
  ])('accepts %j', (field) => {
    expect(refusalOf(textOf([LINE, ...replaced(field)]))).toBeUndefined();
  });

  it('accepts a request without Max-Forwards (RFC 3261 section 16.3)', () => {
    expect(refusalOf(textOf([LINE, ...without('Max-Forwards')]))).toBeUndefined();
  });

  it.each([
    ['<sip:1001@demo.example>', '400 Malformed Request-URI'],
    ['sip:1001@demo.example extra', '400 Malformed Request-URI'],
    ['sip:', '400 Malformed Request-URI'],
    ['sip:1001@', '400 Malformed Request-URI'],
    ['sip:a@b@c', '400 Malformed Request-URI'],
    ['sip:1001@demo.example:x', '400 Malformed Request-URI'],
    ['1001', '400 Malformed Request-URI'],
    ['sip:1001@demo.example?Subject=x', '400 Headers In Request-URI'],
    ['sip:demo.example?Subject=x', '400 Headers In Request-URI'],
    ['tel:+15551234', '416 Unsupported URI Scheme'],
    ['http://demo.example/', '416 Unsupported URI Scheme'],
  ])('refuses the Request-URI %j', (uri, refusal) => {
    expect(refusalOf(textOf([`SUBSCRIBE ${uri} SIP/2.0`, ...FIELDS]))).toBe(refusal);
  });
});

describe('headerFieldsOf', () => {
  it('finds values by long lower-case name, whatever form the entries have', () => {
    const fields = headerFieldsOf([
      ['FROM', 'a'],
      ['m', '<sip:1@a>'],
      ['Contact', '<sip:2@a>'],
      ['X-Own', 'x'],
    ]);
    expect(fields.get('from')).toBe('a');
    expect(fields.all('contact')).toEqual(['<sip:1@a>', '<sip:2@a>']);
    expect(fields.get('x-own')).toBe('x');
    expect(fields.get('event')).toBeUndefined();
    expect(fields.all('event')).toEqual([]);
  });
});

describe('detach', () => {
  it('gives the same text', () => {
    expect(detach('c1@k3j2.invalid ü😀')).toBe('c1@k3j2.invalid ü😀');
  });
});
