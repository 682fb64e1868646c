/** Answers to PUBLISH (RFC 3903 sections 4 and 6), sent by the publisher account. */
import { deflateSync, gzipSync } from 'node:zlib';
import { pidf, tupleElement } from '#test/support/presence.ts';
import { dialogInfo, type PublishOptions, type SipClient } from '#test/support/sip-client.ts';
import { type Row, type Stimulus, send } from './stimulus.ts';

const ENTITY = 'sip:1010@demo.example';
export const GOOD_DOCUMENT = dialogInfo(ENTITY, { state: 'confirmed' });

const initial = (fields: Stimulus['fields'] = {}, body: string | Buffer = GOOD_DOCUMENT, uri = ENTITY): Stimulus => {
  return { method: 'PUBLISH', uri, fields: { To: `<${uri}>`, ...fields }, body };
};

/** Publishes, then sends what a second PUBLISH is with the entity-tag of the first. */
const then =
  (body: string | undefined, options: (entityTag: string) => PublishOptions) => async (client: SipClient) => {
    const first = await client.publish('1010', GOOD_DOCUMENT);
    return client.publish('1010', body, options(first.header('sip-etag')));
  };

const ETAG = /^\S+$/;
const PUBLISHED = { status: 200, has: { 'SIP-ETag': ETAG, Expires: /^\d+$/ } };
const NO_EVENT = { status: 489, has: { 'Allow-Events': /dialog/ } };
const WRONG_TYPE = { status: 415, has: { Accept: 'application/dialog-info+xml' } };
const TOO_BRIEF = { status: 423, has: { 'Min-Expires': '3' } };
const UNMATCHED = { status: 412, has: { 'SIP-ETag': undefined } };

const life: readonly Row[] = [
  { rfc: '3903 6', name: 'initial', send: initial(), ...PUBLISHED },
  { rfc: '3903 4.2', name: 'refresh', send: then(undefined, (ifMatch) => ({ ifMatch })), ...PUBLISHED },
  { rfc: '3903 4.3', name: 'modify', send: then(GOOD_DOCUMENT, (ifMatch) => ({ ifMatch })), ...PUBLISHED },
  {
    rfc: '3903 4.4',
    name: 'remove',
    send: then(undefined, (ifMatch) => ({ ifMatch, expiresSeconds: 0 })),
    ...PUBLISHED,
    has: { Expires: '0' },
  },
  { rfc: '3903 6', name: 'the tag before the last', ...UNMATCHED, send: stale },
  { rfc: '3903 6', name: 'the tag of a removed publication', ...UNMATCHED, send: removed },
  { rfc: '3903 6', name: 'a tag that never was', send: initial({ 'SIP-If-Match': 'nothing' }), ...UNMATCHED },
  { rfc: '3903 6', name: 'a tag of another presentity', ...UNMATCHED, send: elsewhere },
  { rfc: '3903 11.3.2', name: 'several tags', send: initial({ 'SIP-If-Match': 'a, b' }), status: 400 },
  {
    rfc: '3903 11.3.2',
    name: 'two SIP-If-Match',
    send: { ...initial({ 'SIP-If-Match': 'a' }), lines: ['SIP-If-Match: b'] },
    status: 400,
  },
  { rfc: '3903 4.1', name: 'initial without a body', send: initial({}, ''), status: 400 },
  {
    rfc: '3903 4.1',
    name: 'initial with Expires 0',
    send: initial({ Expires: '0' }),
    ...PUBLISHED,
    has: { Expires: '0' },
  },
];

async function stale(client: SipClient) {
  const first = await client.publish('1010', GOOD_DOCUMENT);
  await client.publish('1010', undefined, { ifMatch: first.header('sip-etag') });
  return client.publish('1010', undefined, { ifMatch: first.header('sip-etag') });
}

async function removed(client: SipClient) {
  const ifMatch = (await client.publish('1010', GOOD_DOCUMENT)).header('sip-etag');
  await client.publish('1010', undefined, { ifMatch, expiresSeconds: 0 });
  return client.publish('1010', undefined, { ifMatch });
}

async function elsewhere(client: SipClient) {
  const ifMatch = (await client.publish('1010', GOOD_DOCUMENT)).header('sip-etag');
  return client.publish('1011', undefined, { ifMatch });
}

const PIDF = pidf(tupleElement('a', 'open'), ENTITY);
const ofPresence = { Event: 'presence', 'Content-Type': 'application/pidf+xml' };
const ofMessages = { Event: 'message-summary', 'Content-Type': 'application/simple-message-summary' };

const packages: readonly Row[] = [
  { rfc: '3856 6', name: 'presence', send: initial(ofPresence, PIDF), ...PUBLISHED },
  {
    rfc: '3903 6',
    name: 'presence in odd case',
    send: initial({ ...ofPresence, Event: 'Presence' }, PIDF),
    ...PUBLISHED,
  },
  { rfc: '3863 4', name: 'presence, broken', send: initial(ofPresence, '<presence'), status: 400 },
  {
    ...{ rfc: '3863 4', name: 'presence with an external entity', status: 400 },
    send: initial(ofPresence, `<!DOCTYPE presence [<!ENTITY e SYSTEM "file:///etc/passwd">]>${PIDF}`),
  },
  { rfc: '3842 3', name: 'messages', send: initial(ofMessages, 'Messages-Waiting: yes\r\n'), ...PUBLISHED },
  { rfc: '3842 3', name: 'messages, broken', send: initial(ofMessages, 'Waiting: yes\r\n'), status: 400 },
  {
    ...{ rfc: '3903 6', name: 'the type of another package', status: 415, has: { Accept: /^application\/pidf\+xml/ } },
    send: initial({ Event: 'presence' }),
  },
  ...['reg', 'dialog.winfo', 'presence.winfo'].map(
    (event): Row => ({
      rfc: '3903 6',
      name: `${event} takes no PUBLISH`,
      send: initial({ Event: event }),
      ...NO_EVENT,
    }),
  ),
  {
    ...{ rfc: '3903 6', name: 'a tag of another event package', ...UNMATCHED },
    async send(client) {
      const ifMatch = (await client.publish('1010', GOOD_DOCUMENT)).header('sip-etag');
      return client.publish('1010', undefined, { ifMatch, event: 'presence' });
    },
  },
  {
    ...{ rfc: '3903 6', name: 'refresh below the minimum', ...TOO_BRIEF },
    send: then(undefined, (ifMatch) => ({ ifMatch, expiresSeconds: 1 })),
  },
  {
    ...{ rfc: '3903 4.5', name: 'a removal with a body removes', ...PUBLISHED, has: { Expires: '0' } },
    send: then(GOOD_DOCUMENT, (ifMatch) => ({ ifMatch, expiresSeconds: 0 })),
  },
  ...['sip:1001@acme.example', 'sip:nobody@acme.example'].map(
    (uri): Row => ({ rfc: '3903 6', name: `for ${uri}`, send: initial({}, GOOD_DOCUMENT, uri), status: 403 }),
  ),
];

const requests: readonly Row[] = [
  { rfc: '3903 6', name: 'no Event', send: initial({ Event: undefined }), ...NO_EVENT },
  { rfc: '3903 6', name: 'unknown Event', send: initial({ Event: 'frob' }), ...NO_EVENT },
  { rfc: '3903 6', name: 'wrong Content-Type', send: initial({ 'Content-Type': 'text/plain' }), ...WRONG_TYPE },
  { rfc: '3261 7.4.1', name: 'no Content-Type', send: initial({ 'Content-Type': undefined }), ...WRONG_TYPE },
  {
    rfc: '3261 7.4.1',
    name: 'Content-Type in odd case with charset',
    send: initial({ 'Content-Type': 'Application/Dialog-Info+XML;charset=UTF-8' }),
    ...PUBLISHED,
  },
  {
    ...{ rfc: '3261 8.2.3', name: 'unknown Content-Encoding', status: 415, has: { 'Accept-Encoding': /identity/ } },
    send: initial({ 'Content-Encoding': 'br' }),
  },
  {
    ...{ rfc: '3261 20.12', name: 'a compressed body', ...PUBLISHED },
    send: initial({ 'Content-Encoding': 'gzip' }, gzipSync(GOOD_DOCUMENT)),
  },
  {
    ...{ rfc: '3261 21.4.11', name: 'a compressed body that expands to 20 MB', status: 413 },
    send: initial({ 'Content-Encoding': 'deflate' }, deflateSync(' '.repeat(20_000_000))),
  },
  {
    ...{ rfc: '3261 21.4.1', name: 'a body that is not compressed as it says', status: 400 },
    send: initial({ 'Content-Encoding': 'gzip' }),
  },
  { rfc: '3903 6', name: 'below the minimum', send: initial({ Expires: '1' }), ...TOO_BRIEF },
  { rfc: '3903 6', name: 'no Expires', send: initial({ Expires: undefined }), ...PUBLISHED },
  {
    rfc: '3903 6',
    name: 'more than the maximum',
    send: initial({ Expires: '9999999' }),
    ...PUBLISHED,
    has: { Expires: '7200' },
  },
  { rfc: '3261 20.19', name: 'Expires: soon', send: initial({ Expires: 'soon' }), status: 400 },
  { rfc: '3903 6', name: 'no user in the R-URI', send: initial({}, GOOD_DOCUMENT, 'sip:demo.example'), status: 404 },
  { rfc: '3903 6', name: 'sips:', send: initial({}, GOOD_DOCUMENT, 'sips:1010@demo.example'), ...PUBLISHED },
];

const NAMESPACE = 'urn:ietf:params:xml:ns:dialog-info';
const document = (inside: string, attributes = `state="full" entity="${ENTITY}"`): string =>
  `<dialog-info xmlns="${NAMESPACE}" version="0" ${attributes}>${inside}</dialog-info>`;
const dialogs = (count: number): string =>
  Array.from({ length: count }, (_, i) => `<dialog id="d${i}"><state>early</state></dialog>`).join('');

const bodies: readonly Row[] = (
  [
    ['not XML', 'BLF', 400],
    ['not closed', document('<dialog id="1"><state>early</state>'), 400],
    ['another root', '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:a@b"/>', 400],
    ['another namespace', `<dialog-info xmlns="urn:x" version="0" state="full" entity="${ENTITY}"/>`, 400],
    ['unknown state', document('<dialog id="1"><state>flying</state></dialog>'), 400],
    ['dialog without a state', document('<dialog id="1"/>'), 400],
    ['dialog without an id', document('<dialog><state>early</state></dialog>'), 400],
    ['unknown document state', document('', `state="half" entity="${ENTITY}"`), 400],
    ['DTD', `<!DOCTYPE x [<!ENTITY a "b">]>${document('<dialog id="1"><state>early</state></dialog>')}`, 400],
    ['entity', document('<dialog id="&a;"><state>early</state></dialog>'), 400],
    ['external entity', `<!DOCTYPE x SYSTEM "file:///etc/passwd">${document('')}`, 400],
    ['deep nesting', document('<a>'.repeat(5_000) + '</a>'.repeat(5_000)), 400],
    ['no dialogs', document(''), 200],
    ['32 dialogs', document(dialogs(32)), 200],
    ['33 dialogs', document(dialogs(33)), 413],
    [
      'characters of XML',
      document('<dialog id="a&quot;&lt;b&#x27;&amp;" call-id="&lt;&gt;"><state>early</state></dialog>'),
      200,
    ],
  ] as const
).map(([name, body, status]) => ({ rfc: '4235 4', name: `body: ${name}`, send: initial({}, body), status }));

export const PUBLISH_ROWS: readonly Row[] = [
  ...life,
  ...packages,
  ...requests,
  ...bodies,
  {
    ...{ rfc: '3903 6', name: 'nothing of a refused modify is kept', status: 200 },
    async send(client) {
      const ifMatch = (await client.publish('1010', GOOD_DOCUMENT)).header('sip-etag');
      await send(client, initial({ 'SIP-If-Match': ifMatch }, 'broken'));
      return client.publish('1010', undefined, { ifMatch });
    },
  },
];
