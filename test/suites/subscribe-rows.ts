/** Answers to SUBSCRIBE (RFC 6665 section 4.2.1, RFC 4235). */
import { type SipClient, type SubscribeOptions, type TestSubscription, token } from '#test/support/sip-client.ts';
import { type Row, type Stimulus, send } from './stimulus.ts';

const initial = (fields: Stimulus['fields'], uri = 'sip:1002@demo.example'): Stimulus => {
  return { method: 'SUBSCRIBE', uri, fields: { To: `<${uri}>`, ...fields } };
};

/** A SUBSCRIBE inside a dialog, with this changed. */
function inDialog(subscription: TestSubscription, fields: Stimulus['fields'] = {}): Stimulus {
  const { client, uri, dialog } = subscription;
  const names = { 'Call-ID': dialog.callId, From: `<${client.aor}>;tag=${dialog.fromTag}` };
  const cseq = { CSeq: `${subscription.cseq + 1} SUBSCRIBE` };
  return { method: 'SUBSCRIBE', uri, fields: { ...names, ...cseq, To: `<${uri}>;tag=${dialog.toTag}`, ...fields } };
}

/** Subscribes, then sends a SUBSCRIBE in the dialog that is changed by what `fields` gives. */
function refreshing(fields: (subscription: TestSubscription) => Stimulus['fields'], options: SubscribeOptions = {}) {
  return async (client: SipClient) => {
    const subscription = await client.subscribe('1002', options);
    return send(client, inDialog(subscription, fields(subscription)));
  };
}

const NO_EVENT = { status: 489, reason: 'Bad Event', has: { 'Allow-Events': /dialog/ } };
const NOT_ACCEPTABLE = { status: 406, has: { Accept: /application\/dialog-info\+xml/ } };
const TOO_BRIEF = { status: 423, has: { 'Min-Expires': '3' } };
const OPENED = { status: 200, has: { Contact: /^<sip:/, To: /;tag=/, Expires: /^\d+$/ } };
const UNKNOWN_DIALOG = { status: 481, has: { 'Allow-Events': undefined } };

const events: readonly Row[] = [
  { rfc: '6665 8.2.1', name: 'no Event', send: initial({ Event: undefined }), ...NO_EVENT },
  { rfc: '6665 8.3.2', name: 'unknown Event', send: initial({ Event: 'frob' }), ...NO_EVENT },
  { rfc: '6665 8.2.1', name: 'empty Event', send: initial({ Event: '' }), ...NO_EVENT },
  { rfc: '6665 8.2.1', name: 'unknown template', send: initial({ Event: 'dialog.frob' }), ...NO_EVENT },
  {
    rfc: '6665 8.2.1',
    name: 'compact o:',
    send: { ...initial({ Event: undefined }), lines: ['o: dialog'] },
    ...OPENED,
  },
  { rfc: '6665 8.2.1', name: 'Event in odd case', send: initial({ Event: 'Dialog' }), ...OPENED },
  {
    ...{ rfc: '6446 8.1', name: 'Event with rates', ...OPENED },
    send: initial({ Event: 'dialog;max-rate=0.5;min-rate=0.1;adaptive-min-rate=0.2' }),
  },
  { rfc: '6446 8.1', name: 'Event with rates that are none', send: initial({ Event: 'dialog;max-rate=x' }), ...OPENED },
  {
    ...{ rfc: '3680 4.2', name: 'reg of oneself', ...OPENED },
    send: initial({ Event: 'reg', Accept: 'application/reginfo+xml' }, 'sip:1001@demo.example'),
  },
  { rfc: '3680 4.4', name: 'reg of another user', send: initial({ Event: 'reg', Accept: undefined }), status: 403 },
  {
    ...{ rfc: '3857 4.3', name: 'watchers of oneself', ...OPENED },
    send: initial({ Event: 'dialog.winfo', Accept: undefined }, 'sip:1001@demo.example'),
  },
  {
    ...{ rfc: '3857 4.3', name: 'watchers of another user', status: 403 },
    send: initial({ Event: 'presence.winfo', Accept: undefined }),
  },
  { rfc: '6665 8.2.1', name: 'Event with id', send: initial({ Event: 'dialog;id=7' }), ...OPENED },
  {
    rfc: '4235 3.2',
    name: 'Event with a dialog parameter',
    send: initial({ Event: 'dialog;include-session-description' }),
    ...OPENED,
  },
];

const accepts: readonly Row[] = [
  {
    rfc: '3261 21.4.7',
    name: 'Accept of another type',
    send: initial({ Accept: 'application/pidf+xml' }),
    ...NOT_ACCEPTABLE,
  },
  { rfc: '3261 20.1', name: 'q=0', send: initial({ Accept: 'application/dialog-info+xml;q=0' }), ...NOT_ACCEPTABLE },
  ...(
    [
      ['message-summary', 'application/pidf+xml'],
      ['message-summary', 'application/xpidf+xml'],
      ['message-summary', 'application/dialog-info+xml'],
      ['presence', 'application/simple-message-summary'],
      ['presence', 'application/dialog-info+xml'],
      ['dialog', 'application/simple-message-summary'],
      ['dialog', 'text/*, application/xml;q=0.5'],
    ] as const
  ).map(
    ([event, accept]): Row => ({
      ...{ rfc: '3261 21.4.7', name: `${event} as ${accept}`, status: 406, has: { Accept: /^application\// } },
      send: initial({ Event: event, Accept: accept }),
    }),
  ),
  {
    ...{ rfc: '3261 20.1', name: '100 Accept header fields', ...OPENED },
    send: { ...initial({}), lines: Array.from({ length: 99 }, (_, i) => `Accept: application/x-${i}+xml`) },
  },
  { rfc: '4235 3.5', name: 'no Accept', send: initial({ Accept: undefined }), ...OPENED },
  { rfc: '3261 20.1', name: 'Accept: */*', send: initial({ Accept: '*/*' }), ...OPENED },
  { rfc: '3261 20.1', name: 'Accept: application/*', send: initial({ Accept: 'application/*' }), ...OPENED },
  {
    ...{ rfc: '3261 20.1', name: 'one of several, in odd case', ...OPENED },
    send: initial({ Accept: 'multipart/related, Application/Dialog-Info+XML, application/rlmi+xml' }),
  },
];

const expires: readonly Row[] = [
  { rfc: '6665 4.4.3', name: 'Expires 0: a fetch', send: initial({ Expires: '0' }), ...OPENED, has: { Expires: '0' } },
  { rfc: '6665 4.2.1.1', name: 'below the minimum', send: initial({ Expires: '1' }), ...TOO_BRIEF },
  { rfc: '6665 4.2.1.1', name: 'the minimum', send: initial({ Expires: '3' }), ...OPENED, has: { Expires: '3' } },
  {
    rfc: '6665 4.2.1.1',
    name: 'no Expires',
    send: initial({ Expires: undefined }),
    ...OPENED,
    has: { Expires: /^3[0-9]{3}$/ },
  },
  {
    rfc: '6665 4.2.1.1',
    name: 'a year',
    send: initial({ Expires: '31536000' }),
    ...OPENED,
    has: { Expires: /^[67]\d{3}$/ },
  },
  { rfc: '3261 20.19', name: 'over 2^32', send: initial({ Expires: '99999999999' }), ...OPENED },
  { rfc: '3261 20.19', name: 'garbage', send: initial({ Expires: 'soon' }), status: 400 },
  { rfc: '3261 20.19', name: 'negative', send: initial({ Expires: '-1' }), status: 400 },
];

const targets: readonly Row[] = [
  {
    rfc: '3261 8.1.1.8',
    name: 'no Contact',
    send: initial({ Contact: undefined }),
    status: 400,
    reason: 'Missing Contact',
  },
  { rfc: '3261 8.1.1.8', name: 'Contact: *', send: initial({ Contact: '*' }), status: 400 },
  { rfc: '3261 8.1.1.8', name: 'malformed Contact', send: initial({ Contact: '<sip:x' }), status: 400 },
  { rfc: '3261 8.1.1.3', name: 'no From tag', send: initial({ From: '<sip:1001@demo.example>' }), status: 400 },
  {
    ...{ rfc: '3261 12.1.1', name: 'sips:', ...OPENED, has: { Contact: /^<sips:1002@demo\.example[;>]/ } },
    send: initial({}, 'sips:1002@demo.example'),
  },
  {
    ...{ rfc: '3261 12.1.1', name: 'sips: in Contact', ...OPENED, has: { Contact: /^<sips:1002@demo\.example[;>]/ } },
    send: initial({ Contact: '<sips:a@phone.invalid;transport=ws>' }),
  },
  {
    ...{ rfc: '3261 21.4.1', name: 'two Contacts', status: 400 },
    send: initial({ Contact: '<sip:a@phone.invalid>, <sip:b@phone.invalid>' }),
  },
  { rfc: '4662 4', name: 'Require: eventlist, to a user', send: initial({ Require: 'eventlist' }), ...OPENED },
  {
    ...{ rfc: '3261 8.2.3', name: 'a body that is not understood', status: 415, has: { Accept: /resource-lists/ } },
    send: { ...initial({ 'Content-Type': 'application/x-frob' }), body: 'frob' },
  },
  {
    ...{ rfc: '3261 8.2.3', name: 'an optional body that is not understood', ...OPENED },
    send: {
      ...initial({ 'Content-Type': 'application/x-frob', 'Content-Disposition': 'session;handling=optional' }),
      body: 'frob',
    },
  },
  {
    rfc: '3261 19.1.4',
    name: 'host in upper case, port and parameters',
    send: initial({}, 'sip:1002@DEMO.EXAMPLE:5060;transport=ws'),
    ...OPENED,
  },
  {
    ...{ rfc: '3842 3', name: 'own messages, no user in the R-URI', ...OPENED, has: { Contact: /^<sip:1001@/ } },
    send: initial({ Event: 'message-summary', Accept: undefined }, 'sip:demo.example'),
  },
  {
    ...{ rfc: '3261 21.4.4', name: 'messages, no user, another tenant', status: 403 },
    send: initial({ Event: 'message-summary', Accept: undefined }, 'sip:acme.example'),
  },
  {
    ...{ rfc: '3842 3', name: 'own messages, no user, refreshed', ...OPENED },
    async send(client) {
      const options = { uri: 'sip:demo.example', event: 'message-summary', accept: '*/*' };
      const subscription = await client.subscribe('', options);
      return send(client, inDialog(subscription, { Event: 'message-summary', Accept: undefined }));
    },
  },
  { rfc: '3261 21.4.5', name: 'no user in the R-URI', send: initial({}, 'sip:demo.example'), status: 404 },
  { rfc: '6665 4.2.1', name: 'a name without a profile', send: initial({}, 'sip:lobby@demo.example'), ...OPENED },
  { rfc: '3261 19.1.2', name: 'an escaped name', send: initial({}, 'sip:%31002@demo.example'), ...OPENED },
];

const NO_NOTIFICATION = { status: 204, has: { Expires: /^\d+$/, Contact: /^<sip:/ } };

const suppressed: readonly Row[] = [
  {
    ...{ rfc: '5839 6.3', name: 'refresh by one who knows any state', ...NO_NOTIFICATION },
    send: refreshing(() => ({ 'Suppress-If-Match': '*' })),
  },
  {
    ...{ rfc: '5839 6.3', name: 'refresh by one who knows this state', ...NO_NOTIFICATION },
    send: refreshing((subscription) => ({ 'Suppress-If-Match': subscription.notifies()[0]?.header('sip-etag') })),
  },
  {
    ...{ rfc: '5839 6.3', name: 'refresh by one who knows another state', ...OPENED },
    send: refreshing(() => ({ 'Suppress-If-Match': 'another' })),
  },
  {
    ...{ rfc: '5839 6.3', name: 'unsubscribe by one who wants no last NOTIFY', ...NO_NOTIFICATION },
    has: { Expires: '0' },
    send: refreshing(() => ({ 'Suppress-If-Match': '*', Expires: '0' })),
  },
  {
    ...{ rfc: '5839 6.2', name: 'no 204 outside a dialog', ...OPENED },
    send: initial({ 'Suppress-If-Match': '*' }),
  },
];

/** What the grammar allows in a Call-ID and XML gives a meaning. */
const HOSTILE = `<a>"b'[]{}/?%@]]>`;

const hostile: readonly Row[] = [
  {
    ...{ rfc: '3261 25.1', name: 'a Call-ID with characters of XML', ...OPENED },
    send: initial({ 'Call-ID': HOSTILE }),
    has: { 'Call-ID': new RegExp(`^${HOSTILE.replace(/[[\]{}?/]/g, '\\$&')}$`) },
  },
  {
    ...{ rfc: '3261 25.1', name: 'a display name with characters of XML', ...OPENED },
    send: initial({ From: '"<&>\\"\' ]]> <!--" <sip:1001@demo.example>;tag=x' }),
    has: { From: /^"<&>/ },
  },
  {
    ...{ rfc: '3261 25.1', name: 'a user with characters of XML', ...OPENED },
    send: initial({}, "sip:%3c&'%22%3e@demo.example"),
  },
];

const dialogs: readonly Row[] = [
  { rfc: '6665 4.2.1.2', name: 'refresh', send: refreshing(() => ({})), ...OPENED },
  {
    rfc: '6665 4.1.2.3',
    name: 'unsubscribe',
    send: refreshing(() => ({ Expires: '0' })),
    ...OPENED,
    has: { Expires: '0' },
  },
  { rfc: '6665 4.1.2.2', name: 'refresh below the minimum', send: refreshing(() => ({ Expires: '2' })), ...TOO_BRIEF },
  {
    rfc: '3261 12.2.2',
    name: 'no such dialog',
    send: initial({ To: '<sip:1002@demo.example>;tag=none' }),
    ...UNKNOWN_DIALOG,
  },
  {
    rfc: '3261 12.2.2',
    name: 'wrong To tag',
    send: refreshing(({ uri }) => ({ To: `<${uri}>;tag=${token()}` })),
    ...UNKNOWN_DIALOG,
  },
  {
    rfc: '3261 12.2.2',
    name: 'wrong From tag',
    send: refreshing(({ client }) => ({ From: `<${client.aor}>;tag=x` })),
    ...UNKNOWN_DIALOG,
  },
  { rfc: '3261 12.2.2', name: 'wrong Call-ID', send: refreshing(() => ({ 'Call-ID': token() })), ...UNKNOWN_DIALOG },
  { rfc: '6665 4.5.2', name: 'another Event in the dialog', send: refreshing(() => ({ Event: 'frob' })), ...NO_EVENT },
  {
    rfc: '6665 8.2.1',
    name: 'another Event id',
    send: refreshing(() => ({ Event: 'dialog;id=2' }), { event: 'dialog;id=1' }),
    ...UNKNOWN_DIALOG,
  },
  {
    rfc: '6665 8.2.1',
    name: 'the same Event id',
    send: refreshing(() => ({ Event: 'dialog;id=1' }), { event: 'dialog;id=1' }),
    ...OPENED,
  },
  {
    rfc: '6665 8.2.1',
    name: 'an Event id that is missing',
    send: refreshing(() => ({}), { event: 'dialog;id=1' }),
    ...UNKNOWN_DIALOG,
  },
  {
    rfc: '3261 12.2.2',
    name: 'CSeq repeated',
    send: refreshing(({ cseq }) => ({ CSeq: `${cseq} SUBSCRIBE` })),
    status: 500,
  },
  { rfc: '3261 12.2.2', name: 'CSeq lower', send: refreshing(() => ({ CSeq: '0 SUBSCRIBE' })), status: 500 },
  { rfc: '3261 12.2.2', name: 'CSeq with a gap', send: refreshing(() => ({ CSeq: '900 SUBSCRIBE' })), ...OPENED },
  { rfc: '6665 8.2.1', name: 'refresh without Event', send: refreshing(() => ({ Event: undefined })), ...NO_EVENT },
  {
    ...{ rfc: '3261 12.2.2', name: 'no such dialog, Expires 0', ...UNKNOWN_DIALOG },
    send: initial({ To: '<sip:1002@demo.example>;tag=none', Expires: '0' }),
  },
  ...suppressed,
  {
    ...{ rfc: '6665 4.4.1', name: 'refresh after the unsubscribe', ...UNKNOWN_DIALOG },
    async send(client) {
      const subscription = await client.subscribe('1002');
      await subscription.refresh(0);
      return send(client, inDialog(subscription));
    },
  },
  {
    ...{ rfc: '6665 4.4.3', name: 'refresh after a fetch', ...UNKNOWN_DIALOG },
    async send(client) {
      return send(client, inDialog(await client.subscribe('1002', { expiresSeconds: 0 })));
    },
  },
];

export const SUBSCRIBE_ROWS: readonly Row[] = [...events, ...accepts, ...expires, ...targets, ...hostile, ...dialogs];
