import { describe, expect, it } from 'vitest';
import {
  branchOf,
  parseContacts,
  parseCredentials,
  parseCSeq,
  parseNameAddr,
  parseParameterized,
  parseSeconds,
  parseVia,
  quoteString,
  splitList,
  tagOf,
} from '#core/sip/header.ts';

describe('parseNameAddr (RFC 3261 section 20.10)', () => {
  it.each([
    ['<sip:a@b>', '', 'sip:a@b', []],
    ['sip:a@b', '', 'sip:a@b', []],
    ['sip:a@b;tag=1', '', 'sip:a@b', [['tag', '1']]],
    ['<sip:a@b;lr>;TAG=X', '', 'sip:a@b;lr', [['tag', 'X']]],
    ['Bob Bee <sip:a@b> ; x', 'Bob Bee', 'sip:a@b', [['x', '']]],
    ['"Q \\"q\\" \\\\" <sip:a@b>', 'Q "q" \\', 'sip:a@b', []],
    ['"a <sip:x@y>;tag=no" <sip:a@b>;tag=yes', 'a <sip:x@y>;tag=no', 'sip:a@b', [['tag', 'yes']]],
    ['<sip:a@b>;i="<urn:uuid:1>";i=2', '', 'sip:a@b', [['i', '<urn:uuid:1>']]],
    ['<sip:a@b>;h=[::1]', '', 'sip:a@b', [['h', '[::1]']]],
    ['<sip:a@b?Subject=x>', '', 'sip:a@b?Subject=x', []],
  ])('reads %j', (value, displayName, uri, params) => {
    expect(parseNameAddr(value)).toEqual({ displayName, uri, params: new Map(params as [string, string][]) });
  });

  it.each(['', '*', 'a@b', '<>', '<a@b>', '"x <sip:a@b>', '<sip:a@b', 'sip:a@b>', '<sip:a@b>x', '<sip:a@b>;;x'])(
    'refuses %j',
    (value) => {
      expect(parseNameAddr(value)).toBeUndefined();
    },
  );
});

describe('parseContacts', () => {
  it('reads lists over several lines in order', () => {
    const contacts = parseContacts(['<sip:1@a>;expires=5, "x, y" <sip:2@a>', 'sip:3@a']);
    expect(contacts === '*' ? [] : contacts?.map((contact) => contact.uri)).toEqual(['sip:1@a', 'sip:2@a', 'sip:3@a']);
    expect(parseContacts([])).toEqual([]);
  });

  it('takes the star only alone', () => {
    expect(parseContacts(['*'])).toBe('*');
    expect(parseContacts(['*', '<sip:1@a>'])).toBeUndefined();
    expect(parseContacts(['<sip:1@a>, *'])).toBeUndefined();
    expect(parseContacts(['<sip:1@a>,'])).toBeUndefined();
  });
});

describe('splitList', () => {
  it.each([
    ['', []],
    ['  ', []],
    [' a ', ['a']],
    ['a,b , c', ['a', 'b', 'c']],
    ['a,,b', ['a', '', 'b']],
    ['"a,b\\",c",<d,e>,f', ['"a,b\\",c"', '<d,e>', 'f']],
    ['"open, a', ['"open, a']],
    ['<open, a', ['<open, a']],
  ])('splits %j', (value, elements) => {
    expect(splitList(value)).toEqual(elements);
  });
});

describe('parseVia', () => {
  it('reads the first element', () => {
    expect(parseVia('SIP/2.0/WSS x.invalid:443;branch=z9hG4bK1;RPort;received=[::1], SIP/2.0/UDP y')).toEqual({
      transport: 'WSS',
      host: 'x.invalid',
      port: 443,
      params: new Map([
        ['branch', 'z9hG4bK1'],
        ['rport', ''],
        ['received', '[::1]'],
      ]),
      branch: 'z9hG4bK1',
    });
    expect(parseVia('SIP/2.0/UDP [2001:db8::9]')).toMatchObject({ host: '[2001:db8::9]', branch: '' });
  });

  it.each(['', 'SIP/2.0/WS', 'SIP/2.0 x', 'SIP/2.0/WSS x y', 'SIP/2.0/WS x;;', 'HTTP/2.0/WS x'])(
    'refuses %j',
    (value) => {
      expect(parseVia(value)).toBeUndefined();
    },
  );

  it.each([
    ['SIP/2.0/WS x;branch=z9hG4bK1', 'z9hG4bK1'],
    ['SIP/2.0/WS x;branch=z9hG4bK1 ;rport', 'z9hG4bK1'],
    ['SIP/2.0/WS x;rport ; Branch = b', 'b'],
    ['SIP/2.0/WS x;branch= b', 'b'],
    ['SIP/2.0/WS x;y=";branch=no";branch=yes', 'yes'],
    ['SIP/2.0/WS x, SIP/2.0/WS y;branch=no', ''],
    ['SIP/2.0/WS x', ''],
  ])('branchOf finds it in %j', (value, branch) => {
    expect(branchOf(value)).toBe(branch);
    expect(parseVia(value)?.branch).toBe(branch);
  });
});

describe('parseCSeq', () => {
  it.each([
    ['1 NOTIFY', 1, 'NOTIFY'],
    ['0009\t INVITE', 9, 'INVITE'],
    ['2147483647 A', 2_147_483_647, 'A'],
  ])('reads %j', (value, sequence, method) => {
    expect(parseCSeq(value)).toEqual({ sequence, method });
  });

  it.each(['', '1', '1 ', 'NOTIFY', '1NOTIFY', '1 A B', '2147483648 A', '1e3 A', '-1 A', '99999999999999999999 A'])(
    'refuses %j',
    (value) => {
      expect(parseCSeq(value)).toBeUndefined();
    },
  );
});

describe('parseParameterized', () => {
  it.each([
    ['dialog', 'dialog', []],
    ['dialog;id=7', 'dialog', [['id', '7']]],
    [
      'application/sdp ; q=0.5;x="a;b"',
      'application/sdp',
      [
        ['q', '0.5'],
        ['x', 'a;b'],
      ],
    ],
  ])('reads %j', (text, value, params) => {
    expect(parseParameterized(text)).toEqual({ value, params: new Map(params as [string, string][]) });
  });
});

describe('parseSeconds', () => {
  it.each([
    ['0', 0],
    [' 3600 ', 3_600],
    ['4294967296', 4_294_967_295],
    ['1'.repeat(500), 4_294_967_295],
    ['', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
  ])('reads %j as %j', (value, seconds) => {
    expect(parseSeconds(value)).toBe(seconds);
  });
});

describe('parseCredentials (RFC 7616)', () => {
  it('reads quoted and plain parameters, commas inside quotes too', () => {
    const credentials = parseCredentials('DIGEST username="a, \\"b\\"", realm="demo.example",NC=00000001 , qop=auth');
    expect(credentials?.scheme).toBe('digest');
    expect([...(credentials?.params ?? [])]).toEqual([
      ['username', 'a, "b"'],
      ['realm', 'demo.example'],
      ['nc', '00000001'],
      ['qop', 'auth'],
    ]);
  });

  it('knows the scheme of credentials that are no list of parameters', () => {
    expect(parseCredentials('Bearer eyJ.a-b_c==')).toEqual({ scheme: 'bearer', params: new Map() });
    expect(parseCredentials('NoOneKnows opaque-data=here')?.params.get('opaque-data')).toBe('here');
  });

  it.each(['', '=', 'Digest username="open', 'Digest username', 'Digest nc=1,nc=2', 'Digest nc=1,,qop=auth'])(
    'refuses %j',
    (value) => {
      expect(parseCredentials(value)).toBeUndefined();
    },
  );
});

describe('tagOf', () => {
  it.each([
    ['<sip:a@b>;tag=1', '1'],
    ['<sip:a@b>;tag=1;x', '1'],
    ['<sip:a@b> ; TAG = 1 ; x', '1'],
    ['<sip:a@b>;x="y;tag=no";tag=yes', 'yes'],
    ['<sip:a@b;tag=no>;tag=yes', 'yes'],
    ['"<>;tag=no" <sip:a@b>;tag=yes', 'yes'],
    ['"\\">;tag=no" <sip:a@b>;tag=yes', 'yes'],
    ['sip:a@b;tag=1', '1'],
    ['<sip:a@b;tag=no>', undefined],
    ['<sip:a@b>', undefined],
    ['sip:a@b', undefined],
    ['', undefined],
    ['"open', undefined],
    ['<sip:open', undefined],
  ])('of %j is %j', (value, tag) => {
    expect(tagOf(value)).toBe(tag);
  });
});

describe('quoteString', () => {
  it('escapes quotes and backslashes and lets no line end through', () => {
    expect(quoteString('a "b" \\ c\r\nd')).toBe('"a \\"b\\" \\\\ c d"');
  });
});
