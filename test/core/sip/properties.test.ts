/** Properties of the SIP parser over generated messages; sip.js and its grammar serve as the oracle. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  branchOf,
  parseContacts,
  parseCredentials,
  parseCSeq,
  parseNameAddr,
  parseParameterized,
  parseVia,
  quoteString,
  splitList,
  tagOf,
} from '#core/sip/header.ts';
import { checkRequest, parseMessage } from '#core/sip/message.ts';
import { serializeRequest, serializeResponse } from '#core/sip/serialize.ts';
import { formatAor, parseUri } from '#core/sip/uri.ts';
import { REQUESTS, RESPONSE } from '#test/bench/messages.ts';

const { Parser } = await import(import.meta.resolve('sip.js').replace(/index\.js$/, 'core/messages/parser.js'));
const SILENT = { warn: () => {}, error: () => {}, debug: () => {}, log: () => {} };

const letters = (alphabet: string, minLength = 1, maxLength = 12) =>
  fc.string({ unit: fc.constantFrom(...alphabet), minLength, maxLength });
const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const token = letters(`${LOWER}ABC0123456789-.!%*_+'~`);
const word = letters(`${LOWER}0123456789`);
const host = fc.oneof(
  fc.tuple(word, word).map(([a, b]) => `${a}.x${b}`),
  fc.ipV4(),
  fc.constant('[2001:db8::1]'),
);
const user = letters(`${LOWER}0123456789-_.!~*'()&=+$;?/`);
/** No `*`: sip.js takes a Contact whose display name begins with it for the wildcard. */
const displayName = fc.oneof(
  fc.constant(''),
  letters(`${LOWER}ABC0123456789-.!%_+'~`).map((name) => `${name} `),
  fc.string({ maxLength: 20 }).map((text) => `${quoteString(text)} `),
  fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => quoteString(text.replace(/[\r\n]/g, ''))),
);
const sipUri = fc.tuple(user, host, fc.option(fc.integer({ min: 1, max: 65_535 }))).map(([name, at, port]) => {
  return `sip:${name}@${at}${port === null ? '' : `:${port}`}`;
});
const paramName = letters(LOWER).map((name) => `p${name}`);
const params = fc
  .array(fc.tuple(paramName, fc.oneof(word, fc.constant(''), word.map(quoteString))), { maxLength: 3 })
  .map((list) => list.map(([name, value]) => (value === '' ? `;${name}` : `;${name}=${value}`)).join(''));
const nameAddr = fc
  .tuple(displayName, sipUri, word, params)
  .map(([name, uri, tag, rest]) => `${name}<${uri}>;tag=${tag}${rest}`);
const via = fc
  .tuple(fc.constantFrom('WSS', 'WS', 'TCP', 'TLS'), host, fc.option(fc.integer({ min: 1, max: 65_535 })), word, params)
  .map(([transport, at, port, id, rest]) => {
    return `SIP/2.0/${transport} ${at}${port === null ? '' : `:${port}`};branch=z9hG4bK${id}${rest}`;
  });
const method = fc.constantFrom('SUBSCRIBE', 'PUBLISH', 'NOTIFY', 'REGISTER', 'OPTIONS', 'INFO');

interface Parts {
  readonly method: string;
  readonly uri: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

const request: fc.Arbitrary<Parts> = fc
  .record({
    method,
    uri: sipUri,
    via,
    from: nameAddr,
    to: nameAddr,
    callId: word,
    sequence: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    contact: nameAddr,
    subject: token,
    body: fc.string({ unit: 'grapheme', maxLength: 40 }),
  })
  .map((parts) => ({
    method: parts.method,
    uri: parts.uri,
    body: parts.body,
    headers: [
      ['Via', parts.via],
      ['Max-Forwards', '70'],
      ['From', parts.from],
      ['To', parts.to],
      ['Call-ID', parts.callId],
      ['CSeq', `${parts.sequence} ${parts.method}`],
      ['Contact', parts.contact],
      ['Subject', parts.subject],
    ],
  }));

const COMPACT: Readonly<Record<string, string>> = {
  Via: 'v',
  From: 'f',
  To: 't',
  'Call-ID': 'i',
  Contact: 'm',
  Subject: 's',
};

/** Writes the same header field in another way: case, compact form, white space, folding before the value. */
const disguise = fc.record({
  isCompact: fc.boolean(),
  upper: fc.array(fc.boolean(), { minLength: 16, maxLength: 16 }),
  before: fc.constantFrom('', ' ', '\t '),
  after: fc.constantFrom('', ' ', '\t', '\r\n ', '\r\n\t  '),
  end: fc.constantFrom('', ' ', '\r\n '),
});

function withCase(name: string, upper: readonly boolean[]): string {
  return [...name].map((letter, i) => (upper[i % 16] ? letter.toUpperCase() : letter.toLowerCase())).join('');
}

describe('parseMessage', () => {
  it('reads what serializeRequest wrote, and writing it again changes nothing', () => {
    void fc.assert(
      fc.property(request, (parts) => {
        const text = serializeRequest(parts.method, parts.uri, parts.headers, parts.body);
        const result = parseMessage(text);
        if (result.kind !== 'request') throw new Error(JSON.stringify(result));
        expect(checkRequest(result)).toBeUndefined();
        expect(result.body).toBe(parts.body);
        expect(result.entries().slice(0, -1)).toEqual(parts.headers);
        expect(serializeRequest(result.method, result.requestUri, result.entries(), result.body)).toBe(text);
      }),
    );
  });

  it('reads what serializeResponse wrote', () => {
    void fc.assert(
      fc.property(request, fc.integer({ min: 100, max: 699 }), token, (parts, status, reason) => {
        const result = parseMessage(serializeResponse(status, reason, parts.headers, parts.body));
        expect(result).toMatchObject({ kind: 'response', status, reason, body: parts.body });
      }),
    );
  });

  it('reads the same values whatever the case, form, white space and folding of the header fields', () => {
    void fc.assert(
      fc.property(request, fc.array(disguise, { minLength: 8, maxLength: 8 }), (parts, disguises) => {
        const lines = parts.headers.map(([name, value], i) => {
          const how = disguises[i];
          if (how === undefined) return `${name}: ${value}`;
          const shown = withCase(how.isCompact ? (COMPACT[name] ?? name) : name, how.upper);
          return `${shown}${how.before}:${how.after}${value}${how.end}`;
        });
        const result = parseMessage([`${parts.method} ${parts.uri} SIP/2.0`, ...lines, '', parts.body].join('\r\n'));
        if (result.kind !== 'request') throw new Error(JSON.stringify(result));
        for (const [name, value] of parts.headers) expect(result.get(name.toLowerCase())).toBe(value);
        expect(checkRequest(result)).toBeUndefined();
      }),
    );
  });

  it('agrees with sip.js on valid requests', () => {
    void fc.assert(
      fc.property(request, (parts) => {
        const text = serializeRequest(parts.method, parts.uri, parts.headers, parts.body);
        const theirs = Parser.parseMessage(text, SILENT);
        const ours = parseMessage(text);
        if (ours.kind !== 'request' || theirs === undefined) throw new Error(text);
        expect(ours.method).toBe(theirs.method);
        expect(tagOf(ours.get('from') ?? '')).toBe(theirs.fromTag);
        expect(tagOf(ours.get('to') ?? '')).toBe(theirs.toTag);
        expect(ours.get('call-id')).toBe(theirs.callId);
        expect(parseCSeq(ours.get('cseq') ?? '')?.sequence).toBe(theirs.cseq);
        expect(branchOf(ours.get('via') ?? '')).toBe(theirs.viaBranch);
        const from = parseNameAddr(ours.get('from') ?? '');
        expect(parseUri(from?.uri ?? '')?.host).toBe(theirs.from.uri.host);
        expect(parseUri(from?.uri ?? '')?.port).toBe(theirs.from.uri.port);
        const contact = parseNameAddr(ours.get('contact') ?? '');
        const theirContact = theirs.parseHeader('contact');
        expect(parseUri(contact?.uri ?? '')?.host).toBe(theirContact.uri.host);
        for (const [name, value] of contact?.params ?? []) {
          expect(value).toBe((theirContact.getParam(name) ?? '').replace(/^"(.*)"$/, '$1'));
        }
        expect(ours.body).toBe(theirs.body);
      }),
      { numRuns: 30 },
    );
  });
});

/** Cuts, doubles, swaps and overwrites parts of a valid message. */
const mutated = fc
  .tuple(
    fc.constantFrom(...Object.values(REQUESTS), RESPONSE),
    fc.array(
      fc.tuple(
        fc.nat(1_200),
        fc.nat(40),
        fc.oneof(
          fc.string({ maxLength: 6 }),
          fc.constantFrom('\r\n', '\n', '\r', ' ', ':', ';', '"', '<', '>', ',', '\0'),
        ),
      ),
      { minLength: 1, maxLength: 8 },
    ),
  )
  .map(([text, edits]) => edits.reduce((now, [at, cut, put]) => now.slice(0, at) + put + now.slice(at + cut), text));

function useEverything(text: string, byteLength?: number): string {
  const result = parseMessage(text, byteLength);
  if (result.kind === 'unreadable') return result.kind;
  const message = result.kind === 'refused' ? result.request : result;
  for (const [name, value] of message.entries()) {
    expect(`${name}${value}`).not.toMatch(/[\r\n]/);
    expect(message.all(name.toLowerCase())).toContain(value);
    useValue(value);
  }
  if (message.kind === 'request') checkRequest(message);
  expect(typeof message.body).toBe('string');
  return result.kind;
}

/** Every value parser on one text: none may throw, and the fast ones agree with the whole ones. */
function useValue(value: string): void {
  const address = parseNameAddr(value);
  if (address !== undefined) {
    expect(tagOf(value)).toBe(address.params.get('tag'));
    const uri = parseUri(address.uri);
    if (uri !== undefined)
      expect(parseUri(formatAor(uri.user, uri.host))).toMatchObject({ user: uri.user, host: uri.host });
  }
  const first = parseVia(value);
  if (first !== undefined) expect(branchOf(value)).toBe(first.branch);
  expect(splitList(value).every((element) => element === element.trim())).toBe(true);
  parseContacts([value]);
  parseCredentials(value);
  parseParameterized(value);
  parseCSeq(value);
  tagOf(value);
  branchOf(value);
}

const KINDS = ['request', 'response', 'refused', 'unreadable'];

describe('hostile input', () => {
  it('of mutated messages is always read, refused or dropped', () => {
    void fc.assert(
      fc.property(mutated, (text) => {
        expect(KINDS).toContain(useEverything(text));
      }),
      { numRuns: 300 },
    );
  });

  it('of random bytes is always read, refused or dropped', () => {
    void fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(KINDS).toContain(useEverything(Buffer.from(bytes).toString(), bytes.length));
      }),
      { numRuns: 300 },
    );
  });

  it('of random bytes as header values never throws', () => {
    void fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (value) => {
        useValue(value.replace(/[\r\n]/g, ' '));
      }),
      { numRuns: 300 },
    );
    void fc.assert(fc.property(letters('ab;=", \t<>\\:@?%[]*SIP/2.0', 0, 60), useValue), { numRuns: 1_000 });
  });
});

describe('addresses of record', () => {
  it('say the same user after they are read again', () => {
    void fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }), (name) => {
        expect(parseUri(formatAor(name, 'demo.example'))?.user).toBe(name.toWellFormed());
      }),
    );
  });
});
