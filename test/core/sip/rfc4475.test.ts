/** RFC 4475 torture messages: for each file what the parser must say, and the values that it must read. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseContacts, parseCSeq, parseNameAddr, parseSeconds, parseVia, tagOf } from '#core/sip/header.ts';
import { checkRequest, parseMessage, type SipRequest, type SipResponse } from '#core/sip/message.ts';
import { parseUri } from '#core/sip/uri.ts';

const VECTORS = new URL('../../vectors/rfc4475/', import.meta.url);

function parseVector(file: string) {
  const bytes = readFileSync(new URL(file, VECTORS));
  return parseMessage(bytes.toString('utf8'), bytes.length);
}

function requestOf(file: string): SipRequest {
  const result = parseVector(file);
  if (result.kind !== 'request') throw new Error(`${file} is ${result.kind}`);
  return result;
}

function responseOf(file: string): SipResponse {
  const result = parseVector(file);
  if (result.kind !== 'response') throw new Error(`${file} is ${result.kind}`);
  return result;
}

/** What a gateway does at parser level: accept, answer with a status, or drop. */
function verdictOf(file: string): string {
  const result = parseVector(file);
  if (result.kind === 'unreadable') return `dropped: ${result.reason}`;
  if (result.kind === 'response') return 'response';
  const refusal = result.kind === 'refused' ? result : checkRequest(result);
  return refusal === undefined ? 'accepted' : `${refusal.status} ${refusal.reason}`;
}

/** RFC 4475 leaves a choice for some; `accepted` with a note says which layer above decides. */
const VERDICTS: Readonly<Record<string, string>> = {
  'valid/wsinv.dat': 'accepted',
  'valid/intmeth.dat': 'accepted',
  'valid/esc01.dat': 'accepted',
  'valid/escnull.dat': 'accepted',
  'valid/esc02.dat': 'accepted',
  'valid/lwsdisp.dat': 'accepted',
  'valid/longreq.dat': 'accepted',
  'valid/dblreq.dat': 'accepted',
  'valid/semiuri.dat': 'accepted',
  'valid/transports.dat': 'accepted',
  'valid/mpart01.dat': 'accepted',
  'valid/unreason.dat': 'response',
  'valid/noreason.dat': 'response',
  'invalid/badinv01.dat': '400 Malformed Via',
  'invalid/clerr.dat': '400 Body Shorter Than Content-Length',
  'invalid/ncl.dat': '400 Malformed Content-Length',
  'invalid/scalar02.dat': '400 Malformed CSeq',
  'invalid/scalarlg.dat': 'dropped: Malformed CSeq',
  'invalid/quotbal.dat': '400 Malformed To',
  'invalid/ltgtruri.dat': '400 Malformed Request-URI',
  'invalid/lwsruri.dat': '400 Malformed Request-URI',
  'invalid/lwsstart.dat': '400 Malformed Request-URI',
  'invalid/trws.dat': '400 Malformed Request-Line',
  'invalid/escruri.dat': '400 Headers In Request-URI',
  'invalid/baddate.dat': 'accepted', // Date decides nothing here
  'invalid/regbadct.dat': 'accepted', // the registrar refuses the Contact
  'invalid/badaspec.dat': '400 Malformed To',
  'invalid/baddn.dat': '400 Missing Empty Line After Header', // and its From is malformed
  'invalid/badvers.dat': '505 Version Not Supported',
  'invalid/mismatch01.dat': '400 CSeq Method Mismatch',
  'invalid/mismatch02.dat': '400 CSeq Method Mismatch',
  'invalid/bigcode.dat': 'dropped: Malformed Status-Line',
  'invalid/badbranch.dat': '400 Malformed Via Branch',
  'invalid/insuf.dat': '400 Missing From',
  'invalid/unkscm.dat': '416 Unsupported URI Scheme',
  'invalid/novelsc.dat': '416 Unsupported URI Scheme',
  'invalid/unksm2.dat': 'accepted', // the registrar refuses a To that is no SIP URI
  'invalid/bext01.dat': 'accepted', // 420 by the layer that knows the extensions
  'invalid/invut.dat': 'accepted', // 415 by the method
  'invalid/regaut01.dat': 'accepted', // 401 by the registrar
  'invalid/multi01.dat': '400 Repeated From',
  'invalid/mcl01.dat': '400 Conflicting Content-Length',
  'invalid/bcast.dat': 'response', // its second Via shows the UAC that it is not for it
  'invalid/zeromf.dat': 'accepted', // 483 only where it would be forwarded
  'invalid/cparam01.dat': 'accepted',
  'invalid/cparam02.dat': 'accepted',
  'invalid/regescrt.dat': 'accepted',
  'invalid/sdp01.dat': 'accepted', // 406 by the method
  'invalid/inv2543.dat': 'accepted',
  'invalid/test.dat': '400 Malformed Request-Line',
};

describe('RFC 4475 messages', () => {
  it('are all listed', () => {
    const files = ['valid', 'invalid'].flatMap((folder) =>
      readdirSync(new URL(folder, VECTORS)).map((file) => `${folder}/${file}`),
    );
    expect(files.sort()).toEqual(Object.keys(VERDICTS).sort());
  });

  it.each(Object.entries(VERDICTS))('%s is %s', (file, verdict) => {
    expect(verdictOf(file)).toBe(verdict);
  });
});

describe('RFC 4475 values', () => {
  it('wsinv: folding, case, compact forms and white space everywhere', () => {
    const request = requestOf('valid/wsinv.dat');
    expect(request.requestUri).toBe('sip:vivekg@chair-dnrc.example.com;unknownparam');
    expect(tagOf(request.get('to') ?? '')).toBe('1918181833n');
    expect(parseNameAddr(request.get('from') ?? '')).toEqual({
      displayName: 'J Rosenberg \\"',
      uri: 'sip:jdrosen@example.com',
      params: new Map([['tag', '98asjd8']]),
    });
    expect(request.get('max-forwards')).toBe('0068');
    expect(parseCSeq(request.get('cseq') ?? '')).toEqual({ sequence: 9, method: 'INVITE' });
    expect(request.get('subject')).toBe('');
    expect(request.get('newfangledheader')).toBe('newfangled value continued newfangled value');
    expect(request.get('unknownheaderwithunusualvalue')).toBe(';;,,;;,;');
    expect(request.all('via').map((via) => parseVia(via)?.branch)).toEqual(['390skdjuw', 'z9hG4bK9ikj8']);
    expect(parseVia(request.get('via') ?? '')).toMatchObject({ transport: 'UDP', host: '192.0.2.2' });
    expect(parseContacts(request.all('contact'))).toEqual([
      {
        displayName: 'Quoted string ""',
        uri: 'sip:jdrosen@example.com',
        params: new Map([
          ['newparam', 'newvalue'],
          ['secondparam', ''],
          ['q', '0.33'],
        ]),
      },
    ]);
    expect(Buffer.byteLength(request.body)).toBe(150);
    expect(request.body.startsWith('v=0\r\n')).toBe(true);
  });

  it('intmeth: the whole range of characters that the grammar allows', () => {
    const request = requestOf('valid/intmeth.dat');
    expect(request.method).toBe("!interesting-Method0123456789_*+`.%indeed'~");
    expect(parseUri(request.requestUri)?.user).toBe("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*");
    expect(parseUri(request.requestUri)?.host).toBe('example.com');
    const to = parseNameAddr(request.get('to') ?? '');
    expect(to?.displayName).toBe('BEL:\u0007 NUL:\u0000 DEL:\u007f');
    expect(to?.uri).toBe("sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com");
    const from = parseNameAddr(request.get('from') ?? '');
    expect(from?.displayName).toBe("token1~` token2'+_ token3*%!.-");
    expect(from?.params.get("fromparam''~+*_!.-%")).toBe('работающий');
    expect(tagOf(request.get('from') ?? '')).toBe("_token~1'+`*%!-.");
    expect(request.get('call-id')).toBe('intmeth.word%ZK-!.*_+\'@word`~)(><:\\/"][?}{');
    expect(request.get("extensionheader-!.%*+_`'~")).toBe('\ufeff大停電');
    expect(request.get('max-forwards')).toBe('255');
  });

  it('esc01: escapes in URIs mean the character', () => {
    const request = requestOf('valid/esc01.dat');
    expect(parseUri(request.requestUri)).toMatchObject({ user: 'sips:user@example.com', host: 'example.net' });
    expect(parseUri(parseNameAddr(request.get('to') ?? '')?.uri ?? '')?.user).toBe('user');
    expect(parseUri(parseNameAddr(request.get('from') ?? '')?.uri ?? '')?.user).toBe('I have spaces');
    const contact = parseUri(parseNameAddr(request.get('contact') ?? '')?.uri ?? '');
    expect(contact?.user).toBe('caller');
    expect([...(contact?.params ?? [])]).toEqual([
      ['lr', ''],
      ['name', 'value%41'],
    ]);
  });

  it('esc02: a percent sign in method, header name or display name is only a percent sign', () => {
    const request = requestOf('valid/esc02.dat');
    expect(request.method).toBe('RE%47IST%45R');
    expect(request.all('contact')).toEqual(['<sip:alias1@host1.example.com>', '<sip:alias3@host3.example.com>']);
    expect(request.get('c%6fntact')).toBe('<sip:alias2@host2.example.com>');
    expect(parseNameAddr(request.get('to') ?? '')?.displayName).toBe('%Z%45');
  });

  it('escnull: an escaped NUL is part of the user', () => {
    const request = requestOf('valid/escnull.dat');
    expect(parseUri(parseNameAddr(request.get('to') ?? '')?.uri ?? '')?.user).toBe('null-\0-null');
    const contacts = parseContacts(request.all('contact'));
    expect(contacts === '*' ? [] : contacts?.map((contact) => parseUri(contact.uri)?.user)).toEqual(['\0', '\0\0']);
  });

  it('lwsdisp: no space between display name and bracket', () => {
    const from = parseNameAddr(requestOf('valid/lwsdisp.dat').get('from') ?? '');
    expect(from).toMatchObject({ displayName: 'caller', uri: 'sip:caller@example.com' });
  });

  it('longreq: long values and 34 Vias', () => {
    const request = requestOf('valid/longreq.dat');
    expect(request.all('via')).toHaveLength(34);
    expect(parseVia(request.get('via') ?? '')).toMatchObject({ host: 'sip33.example.com', branch: '' });
    expect(tagOf(request.get('from') ?? '')?.length).toBe(155);
    expect(Buffer.byteLength(request.body)).toBe(150);
  });

  it('dblreq: what follows the body is another message and is cut off', () => {
    const request = requestOf('valid/dblreq.dat');
    expect(request.method).toBe('REGISTER');
    expect(request.get('call-id')).toBe('dblreq.0ha0isndaksdj99sdfafnl3lk233412');
    expect(request.body).toBe('');
  });

  it('semiuri: a semicolon in the user part begins no parameter', () => {
    const uri = parseUri(requestOf('valid/semiuri.dat').requestUri);
    expect(uri).toMatchObject({ user: 'user;par=u@example.net', host: 'example.com' });
    expect(uri?.params.size).toBe(0);
  });

  it('transports: any token is a transport', () => {
    const vias = requestOf('valid/transports.dat').all('via');
    expect(vias.map((via) => parseVia(via)?.transport)).toEqual(['UDP', 'SCTP', 'TLS', 'UNKNOWN', 'TCP']);
  });

  it('mpart01: a binary body is framed by its bytes', () => {
    const request = requestOf('valid/mpart01.dat');
    expect(request.get('content-length')).toBe('553');
    expect(request.body.startsWith('--7a9cbec02ceef655\r\n')).toBe(true);
    expect(request.body.endsWith('--7a9cbec02ceef655--\r\n')).toBe(true);
  });

  it('unreason and noreason: any reason phrase, or none', () => {
    const unreason = responseOf('valid/unreason.dat');
    expect(unreason.status).toBe(200);
    expect(unreason.reason).toBe('= 2**3 * 5**2 но сто девяносто девять - простое');
    expect(responseOf('valid/noreason.dat')).toMatchObject({ status: 100, reason: '' });
  });

  it('cparam01 and cparam02: a parameter belongs to the header outside the brackets, to the URI inside', () => {
    const outside = parseContacts(requestOf('invalid/cparam01.dat').all('contact'));
    expect(outside).toEqual([
      { displayName: '', uri: 'sip:+19725552222@gw1.example.net', params: new Map([['unknownparam', '']]) },
    ]);
    const inside = parseContacts(requestOf('invalid/cparam02.dat').all('contact'));
    expect(inside).toEqual([
      { displayName: '', uri: 'sip:+19725552222@gw1.example.net;unknownparam', params: new Map() },
    ]);
  });

  it('regescrt and regbadct: headers in a Contact URI need brackets', () => {
    expect(parseContacts(requestOf('invalid/regescrt.dat').all('contact'))).toMatchObject([
      { uri: 'sip:user@example.com?Route=%3Csip:sip.example.com%3E' },
    ]);
    expect(parseContacts(requestOf('invalid/regbadct.dat').all('contact'))).toBeUndefined();
  });

  it('badinv01 and baddn: malformed lists of parameters and display names', () => {
    const badinv = parseVector('invalid/badinv01.dat');
    expect(badinv.kind === 'request' && parseContacts(badinv.all('contact'))).toBeUndefined();
    const baddn = parseVector('invalid/baddn.dat');
    expect(baddn.kind === 'refused' && parseNameAddr(baddn.request.get('from') ?? '')).toBeUndefined();
  });

  it('scalar02: seconds beyond 2^32 - 1 mean that', () => {
    const request = requestOf('invalid/scalar02.dat');
    expect(parseSeconds(request.get('expires') ?? '')).toBe(4_294_967_295);
    expect(request.get('max-forwards')).toBe('300');
  });

  it('badvers, clerr and test: a refused request still gives what could be read', () => {
    const badvers = parseVector('invalid/badvers.dat');
    expect(badvers.kind === 'refused' && badvers.request.get('call-id')).toBe('badvers.31417@c.example.com');
    const clerr = parseVector('invalid/clerr.dat');
    expect(clerr.kind === 'refused' && clerr.request.get('via')).toContain('z9hG4bK-39234-23523');
    const test = parseVector('invalid/test.dat');
    expect(test.kind === 'refused' && test.request.method).toBe('INVITE');
    expect(test.kind === 'refused' && test.request.get('meaning')).toBe('foo bar spam');
  });
});
