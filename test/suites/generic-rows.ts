/** Answers to any request, before its method matters (RFC 3261 sections 8.1.1, 8.2, 16.3 and 20). */
import type { Row } from './stimulus.ts';

const METHODS = ['OPTIONS', 'SUBSCRIBE', 'PUBLISH', 'REGISTER'] as const;
const NEEDED = ['To', 'From', 'Call-ID', 'CSeq', 'Via'] as const;

const missing = METHODS.flatMap((method) =>
  NEEDED.map((field): Row => {
    const echoed = NEEDED.filter((name) => name !== field).map((name): [string, RegExp] => [name, /./]);
    return {
      ...{ rfc: '3261 8.1.1', name: `${method} without ${field}`, status: 400, reason: `Missing ${field}` },
      ...{ send: { method, fields: { [field]: undefined } }, has: Object.fromEntries(echoed) },
    };
  }),
);

const malformed = (
  [
    ['To', '"unbalanced <sip:1001@demo.example>'],
    ['To', 'not a uri at all'],
    ['To', ''],
    ['From', '<sip:1001@demo.example'],
    ['From', ''],
    ['Call-ID', ''],
    ['Call-ID', 'two words'],
    ['CSeq', 'OPTIONS'],
    ['CSeq', '-1 OPTIONS'],
    ['CSeq', '4294967296 OPTIONS'],
    ['CSeq', '1'],
    ['CSeq', '1 SUBSCRIBE'],
    ['Via', 'garbage'],
    ['Via', ''],
    ['Max-Forwards', 'many'],
    ['Max-Forwards', '-1'],
    ['Max-Forwards', '300'],
    ['Content-Length', '-3'],
    ['Content-Length', 'x'],
    ['Content-Length', '10'],
  ] as const
).map(
  ([field, value]): Row => ({
    ...{ rfc: '3261 8.1.1', name: `${field}: ${value || '(empty)'}`, status: 400 },
    send: { method: 'OPTIONS', fields: { [field]: value } },
  }),
);

const repeated = NEEDED.filter((field) => field !== 'Via').map(
  (field): Row => ({
    ...{ rfc: '3261 7.3.1', name: `two ${field}`, status: 400 },
    send: { method: 'OPTIONS', lines: [`${field}: ${field === 'CSeq' ? '1 OPTIONS' : '<sip:x@demo.example>;tag=z'}`] },
  }),
);

const ALLOW = /OPTIONS.*REGISTER|REGISTER.*OPTIONS/;
const OPTIONS_FIELDS = {
  ...{ Allow: /SUBSCRIBE/, 'Allow-Events': /dialog/, Supported: /outbound/ },
  ...{ Accept: /dialog-info.*resource-lists/, 'Accept-Encoding': /gzip/, 'Accept-Language': 'en' },
};

const methods: readonly Row[] = [
  { rfc: '3261 11.2', name: 'OPTIONS', send: { method: 'OPTIONS' }, status: 200, has: OPTIONS_FIELDS },
  {
    ...{ rfc: '3261 11.2', name: 'OPTIONS to the domain', status: 200 },
    send: { method: 'OPTIONS', uri: 'sip:demo.example' },
  },
  ...['sip:1001@acme.example', 'sip:nobody@acme.example', 'sip:nobody@nowhere.example', 'sips:1001@demo.example'].map(
    (uri): Row => ({
      ...{ rfc: '3261 11.2', name: `OPTIONS to ${uri}`, status: 200, has: OPTIONS_FIELDS },
      send: { method: 'OPTIONS', uri, fields: { To: `<${uri}>` } },
    }),
  ),
  { rfc: '3261 8.2.1', name: 'unknown method', send: { method: 'FROBNICATE' }, status: 501, has: { Allow: ALLOW } },
  { rfc: '3261 8.2.1', name: 'method in lower case', send: { method: 'options' }, status: 501, has: { Allow: ALLOW } },
  { rfc: '3261 8.2.1', name: 'REFER', send: { method: 'REFER' }, status: 405, has: { Allow: ALLOW } },
  ...['BYE', 'CANCEL', 'NOTIFY', 'INFO', 'UPDATE', 'PRACK'].map((method): Row => {
    return { rfc: '3261 12.2.2', name: `${method} outside any dialog`, send: { method }, status: 481 };
  }),
];

const options: readonly Row[] = ['Require', 'Proxy-Require'].map((field) => ({
  ...{ rfc: '3261 8.2.2.3', name: `${field} of an unknown extension`, status: 420 },
  ...{ send: { method: 'SUBSCRIBE', fields: { [field]: 'frob, outbound' } }, has: { Unsupported: 'frob' } },
}));

const LONG = 'x'.repeat(9_000);
const TOO_LARGE = 'x'.repeat(66_000);

const rest: readonly Row[] = [
  { rfc: '3261 21.5.6', name: 'version 3.0', send: { method: 'OPTIONS', version: 'SIP/3.0' }, status: 505 },
  {
    rfc: '3261 16.3',
    name: 'Max-Forwards 0',
    send: { method: 'PUBLISH', fields: { 'Max-Forwards': '0' } },
    status: 483,
  },
  {
    ...{ rfc: '3261 20.22', name: 'no Max-Forwards (RFC 2543)', status: 200 },
    send: { method: 'OPTIONS', fields: { 'Max-Forwards': undefined } },
  },
  { rfc: '3261 21.5.7', name: 'over 64 KiB', send: { method: 'OPTIONS', body: TOO_LARGE }, status: 513 },
  {
    rfc: '3261 21.4.1',
    name: 'a header line over 8 KiB',
    send: { method: 'OPTIONS', lines: [`X-Long: ${LONG}`] },
    status: 400,
  },
  {
    ...{ rfc: '3261 21.4.1', name: 'more than 128 header fields', status: 400 },
    send: { method: 'OPTIONS', lines: Array.from({ length: 130 }, (_, i) => `X-${i}: y`) },
  },
  { rfc: '3261 8.2.2.1', name: 'tel: URI', send: { method: 'SUBSCRIBE', uri: 'tel:+155501' }, status: 416 },
  {
    rfc: '3261 7.1',
    name: 'R-URI in angle brackets',
    send: { method: 'OPTIONS', uri: '<sip:1001@demo.example>' },
    status: 400,
  },
  {
    rfc: '3261 19.1.1',
    name: 'headers in the R-URI',
    send: { method: 'OPTIONS', uri: 'sip:1@demo.example?a=b' },
    status: 400,
  },
  {
    ...{ rfc: '3261 7.3.3', name: 'compact forms, folding and odd case', status: 200 },
    send: {
      method: 'OPTIONS',
      fields: { 'Call-ID': undefined, Via: undefined, To: undefined, From: undefined, CSeq: '1\r\n  OPTIONS' },
      lines: [
        'i: compact-1',
        'V: SIP / 2.0 / WS a.invalid;branch=z9hG4bKcompact',
        't: sip:1001@demo.example',
        'f: sip:a@demo.example;tag=q',
      ],
    },
    has: { 'Call-ID': 'compact-1', Via: /z9hG4bKcompact/, From: /tag=q/, To: /;tag=/ },
  },
];

export const GENERIC_ROWS: readonly Row[] = [...missing, ...malformed, ...repeated, ...methods, ...options, ...rest];
