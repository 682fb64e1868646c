/** Answers to SUBSCRIBE for event lists (RFC 4662, RFC 5367). */
import { deflateSync, gzipSync } from 'node:zlib';
import type { Row, Stimulus } from './stimulus.ts';

const LIST = 'sip:blf-all@demo.example';
const ACCEPT = 'application/dialog-info+xml, multipart/related, application/rlmi+xml';
const ENTRIES = '<list><entry uri="sip:1002@demo.example"/><entry uri="sip:1003@demo.example"/></list>';
const resourceLists = (inside: string): string =>
  `<?xml version="1.0"?><resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists">${inside}</resource-lists>`;

const toList = (fields: Stimulus['fields'], uri = LIST): Stimulus => {
  return { method: 'SUBSCRIBE', uri, fields: { To: `<${uri}>`, Supported: 'eventlist', Accept: ACCEPT, ...fields } };
};
const contained = (fields: Stimulus['fields'], body: string | Buffer = resourceLists(ENTRIES)): Stimulus => {
  const about = {
    Require: 'recipient-list-subscribe',
    'Content-Type': 'application/resource-lists+xml',
    'Content-Disposition': 'recipient-list',
  };
  return { ...toList({ ...about, ...fields }, 'sip:1001@demo.example'), body };
};

const CODERS = { deflate: deflateSync, gzip: gzipSync };
const OPENED = { status: 200, has: { Require: 'eventlist', Expires: /^\d+$/, Contact: /^<sip:/ } };
const PLAIN = { status: 200, has: { Require: undefined } };
const NEEDS_SUPPORT = { status: 421, reason: 'Extension Required', has: { Require: 'eventlist', Expires: undefined } };

const kept: readonly Row[] = [
  { rfc: '4662 4.1', name: 'list, supported', send: toList({}), ...OPENED },
  { rfc: '4662 4.1', name: 'list, among other options', send: toList({ Supported: 'replaces, EventList' }), ...OPENED },
  { rfc: '4662 4.1', name: 'list, required', send: toList({ Supported: undefined, Require: 'eventlist' }), ...OPENED },
  { rfc: '4662 4.1', name: 'list, not supported', send: toList({ Supported: undefined }), ...NEEDS_SUPPORT },
  { rfc: '4662 4.1', name: 'list, something else supported', send: toList({ Supported: '100rel' }), ...NEEDS_SUPPORT },
  {
    rfc: '4662 4.1',
    name: 'list fetched, not supported',
    send: toList({ Supported: undefined, Expires: '0' }),
    ...NEEDS_SUPPORT,
  },
  { rfc: '6665 4.4.3', name: 'list fetched', send: toList({ Expires: '0' }), ...OPENED },
  { rfc: '4662 4.1', name: 'user, lists supported', send: toList({}, 'sip:1002@demo.example'), ...PLAIN },
  {
    rfc: '6665 4.2.1.1',
    name: 'list, Expires below the minimum',
    send: toList({ Expires: '2' }),
    status: 423,
    has: { 'Min-Expires': '3' },
  },
  { rfc: '6665 8.3.2', name: 'list, unknown Event', send: toList({ Event: 'frob' }), status: 489 },
  {
    rfc: '3261 21.4.7',
    name: 'list, Accept without the members’ type',
    send: toList({ Accept: 'multipart/related, application/rlmi+xml' }),
    status: 406,
  },
  {
    ...{ rfc: '6665 8.3.2', name: 'list, Event of a package without lists', status: 403 },
    send: toList({ Event: 'reg', Accept: undefined }),
  },
  { rfc: '3261 21.4.4', name: 'list of another tenant', send: toList({}, 'sip:blf-all@acme.example'), status: 403 },
];

const brought: readonly Row[] = [
  { rfc: '5367 4', name: 'list in the request', send: contained({}), ...OPENED },
  { rfc: '5367 4', name: 'list in the request, by disposition', send: contained({ Require: undefined }), ...OPENED },
  {
    rfc: '4662 4.1',
    name: 'list in the request, not supported',
    send: contained({ Supported: undefined }),
    ...NEEDS_SUPPORT,
  },
  { rfc: '5367 4', name: 'list promised, no body', send: contained({ 'Content-Type': undefined }, ''), status: 415 },
  {
    rfc: '3261 21.4.13',
    name: 'list of another type',
    send: contained({ 'Content-Type': 'text/plain' }),
    status: 415,
    has: { Accept: 'application/resource-lists+xml' },
  },
  ...(['deflate', 'gzip'] as const).map(
    (coding): Row => ({
      ...{ rfc: '3261 20.12', name: `list in ${coding}`, ...OPENED },
      send: contained({ 'Content-Encoding': coding }, CODERS[coding](resourceLists(ENTRIES))),
    }),
  ),
  {
    ...{ rfc: '3261 21.4.13', name: 'list in an unknown coding', status: 415, has: { 'Accept-Encoding': /gzip/ } },
    send: contained({ 'Content-Encoding': 'br' }),
  },
  {
    ...{ rfc: '3261 21.4.1', name: 'list not compressed as it says', status: 400 },
    send: contained({ 'Content-Encoding': 'deflate' }),
  },
  {
    ...{ rfc: '3261 21.4.11', name: 'compressed list that expands to 20 MB', status: 413 },
    send: contained({ 'Content-Encoding': 'gzip' }, gzipSync(resourceLists(' '.repeat(20_000_000)))),
  },
  { rfc: '4826 3.1', name: 'empty list', send: contained({}, resourceLists('')), status: 400 },
  { rfc: '4826 3.1', name: 'broken list', send: contained({}, '<resource-lists'), status: 400 },
  {
    rfc: '4826 3.1',
    name: 'list with an entity',
    send: contained({}, `<!DOCTYPE a [<!ENTITY x "y">]>${resourceLists(ENTRIES)}`),
    status: 400,
  },
  { rfc: '3261 21.4.11', name: 'list of 202', send: contained({}, resourceLists(ENTRIES.repeat(101))), status: 413 },
];

export const LIST_ROWS: readonly Row[] = [...kept, ...brought];
