/** The NOTIFYs that follow SUBSCRIBEs, and what the watcher's answers to them do (RFC 6665 section 4.2.2). */
import { expect } from 'vitest';
import { type ReceivedMessage, type SipClient, type TestSubscription, token } from '#test/support/sip-client.ts';
import { type Row, type Stimulus, send } from './stimulus.ts';

export interface NotifyRow extends Pick<Row, 'rfc' | 'name' | 'has'> {
  /** What the watcher does; gives the NOTIFY that comes of it. */
  readonly cause: (client: SipClient) => Promise<ReceivedMessage>;
  /** True for a body, false for none. */
  readonly hasBody: boolean;
}

const URI = 'sip:1012@demo.example';

/** The first NOTIFY after a SUBSCRIBE, which has its answer before it. */
const first =
  (fields: Stimulus['fields'], more: Partial<Stimulus> = {}) =>
  async (client: SipClient): Promise<ReceivedMessage> => {
    const since = client.received.length;
    const callId = fields?.['Call-ID'] ?? token();
    const uri = more.uri ?? URI;
    const stimulus = { ...more, method: 'SUBSCRIBE', uri, fields: { To: `<${uri}>`, ...fields, 'Call-ID': callId } };
    const answer = await send(client, stimulus);
    const isNotify = ({ method, header }: ReceivedMessage) => method === 'NOTIFY' && header('call-id') === callId;
    const notify = await client.next(isNotify, { since });
    const received = client.received.slice(since);
    if (received.indexOf(answer) > received.indexOf(notify)) throw new Error('the NOTIFY came before the answer');
    return notify;
  };

/** The NOTIFY after what is done to a subscription that stands. */
const next =
  (act: (subscription: TestSubscription) => Promise<unknown>, options: Parameters<SipClient['subscribe']>[1] = {}) =>
  async (client: SipClient): Promise<ReceivedMessage> => {
    const subscription = await client.subscribe('1012', options);
    const since = client.received.length;
    await act(subscription);
    return subscription.nextNotify('', { since, timeoutMs: 20_000 });
  };

/** The NOTIFY after a refresh with these fields, of a subscription that was opened with those. */
const refreshed =
  (opening: Stimulus['fields'], refreshing: Stimulus['fields']) =>
  async (client: SipClient): Promise<ReceivedMessage> => {
    const names = { 'Call-ID': token(), From: `<${client.aor}>;tag=${token()}` };
    const opened = await first({ ...opening, ...names })(client);
    const dialog = { ...names, To: opened.header('from'), CSeq: '2 SUBSCRIBE' };
    return first({ ...opening, ...dialog, ...refreshing })(client);
  };

const ACTIVE = { 'Subscription-State': /^active;expires=\d+$/ };
const OVER = { 'Subscription-State': 'terminated;reason=timeout' };
const HOSTILE = '<a>"b\'{}@]]>';

const life: readonly NotifyRow[] = [
  {
    ...{ rfc: '6665 4.2.1.2', name: 'the first', cause: first({}), hasBody: true },
    has: { ...ACTIVE, Event: 'dialog', Contact: /^<sip:1012@demo\.example/, 'Content-Type': /dialog-info/ },
  },
  { rfc: '6665 4.2.1.2', name: 'after a refresh', cause: next((it) => it.refresh(300)), hasBody: true, has: ACTIVE },
  { rfc: '6665 4.1.2.3', name: 'after an unsubscribe', cause: next((it) => it.refresh(0)), hasBody: true, has: OVER },
  { rfc: '6665 4.4.3', name: 'of a fetch', cause: first({ Expires: '0' }), hasBody: true, has: OVER },
  {
    ...{ rfc: '6665 4.2.2', name: 'at the end of its time', hasBody: true, has: OVER },
    cause: next(async () => undefined, { expiresSeconds: 3 }),
  },
  {
    ...{ rfc: '6665 4.1.3', name: 'tells the time that is left', hasBody: true },
    ...{ cause: first({ Expires: '60' }), has: { 'Subscription-State': /^active;expires=(60|59)$/ } },
  },
];

const echoes: readonly NotifyRow[] = [
  {
    ...{ rfc: '6665 8.2.1', name: 'has the Event id', hasBody: true },
    ...{ cause: first({ Event: 'dialog;id=a7' }), has: { ...ACTIVE, Event: 'dialog;id=a7' } },
  },
  {
    ...{ rfc: '6665 8.2.1', name: 'has the Event as it was written', hasBody: true, has: { Event: 'Presence' } },
    cause: first({ Event: 'Presence', Accept: 'application/pidf+xml' }),
  },
  {
    ...{
      rfc: '3261 12.2.1.1',
      name: 'goes back by the route set',
      hasBody: true,
      has: { Route: /^<sip:edge\.invalid;lr>$/ },
    },
    cause: first({}, { lines: ['Record-Route: <sip:edge.invalid;lr>'] }),
  },
  {
    ...{ rfc: '3261 12.2', name: 'goes by the same route set after a refresh without one', hasBody: true },
    cause: refreshed({ 'Record-Route': '<sip:edge.invalid;lr>, <sip:far.invalid;lr>' }, { 'Record-Route': undefined }),
    has: { Route: '<sip:edge.invalid;lr>, <sip:far.invalid;lr>' },
  },
  {
    ...{ rfc: '3261 12.2.1.2', name: 'goes to a new Contact after a refresh', hasBody: true, has: {} },
    async cause(client) {
      const notify = await refreshed({}, { Contact: '<sip:new@phone.invalid;transport=ws>' })(client);
      expect(notify.startLine).toBe('NOTIFY sip:new@phone.invalid;transport=ws SIP/2.0');
      return notify;
    },
  },
  {
    ...{ rfc: '3261 12.2.1.2', name: 'goes where it went after a refresh without Contact', hasBody: true, has: {} },
    async cause(client) {
      const notify = await refreshed({ Contact: '<sip:old@phone.invalid>' }, { Contact: undefined })(client);
      expect(notify.startLine).toBe('NOTIFY sip:old@phone.invalid SIP/2.0');
      return notify;
    },
  },
  {
    ...{ rfc: '3261 12.2.1.1', name: 'has names as they came', hasBody: true },
    cause: first({ 'Call-ID': HOSTILE, From: '"<&>\' ]]>" <sip:1001@demo.example>;tag=f1' }),
    has: { To: '"<&>\' ]]>" <sip:1001@demo.example>;tag=f1', From: /;tag=/, CSeq: /^\d+ NOTIFY$/ },
  },
  {
    ...{ rfc: '3261 12.1.1', name: 'to one who came by sips:', hasBody: true, has: { Contact: /^<sips:1012@/ } },
    cause: first({}, { uri: 'sips:1012@demo.example' }),
  },
  {
    ...{ rfc: '3261 12.2.1.1', name: 'goes to the Contact verbatim', hasBody: true },
    has: { 'Max-Forwards': '70', Via: /^SIP\/2\.0\/WS / },
    async cause(client) {
      const notify = await first({ Contact: '<sip:a%20b@phone.invalid;transport=ws;x=Y;ob>' })(client);
      expect(notify.startLine).toBe('NOTIFY sip:a%20b@phone.invalid;transport=ws;x=Y;ob SIP/2.0');
      return notify;
    },
  },
];

const extensions: readonly NotifyRow[] = [
  {
    ...{ rfc: '5839 6.2', name: 'to one who knows any state', hasBody: false },
    cause: first({ 'Suppress-If-Match': '*' }),
    has: { ...ACTIVE, 'SIP-ETag': /^\S+$/, 'Content-Type': undefined, 'Content-Length': '0' },
  },
  {
    ...{ rfc: '5839 6.2', name: 'of a fetch by one who knows any state', hasBody: false },
    ...{ cause: first({ 'Suppress-If-Match': '*', Expires: '0' }), has: { ...OVER, 'SIP-ETag': /^\S+$/ } },
  },
  {
    ...{ rfc: '6446 4.3', name: 'tells the maximum rate', hasBody: true },
    cause: first({ Event: 'dialog;max-rate=0.5' }),
    has: { 'Subscription-State': /^active;expires=\d+;max-rate=0\.5$/, Event: 'dialog' },
  },
  {
    ...{ rfc: '6446 4.4', name: 'tells a maximum rate that was raised', hasBody: true },
    cause: first({ Event: 'dialog;max-rate=0.001', Expires: '100' }),
    has: { 'Subscription-State': /^active;expires=(100|99);max-rate=0\.01\d*$/ },
  },
  {
    ...{ rfc: '6446 5.3', name: 'tells a minimum rate that was lowered', hasBody: true },
    cause: first({ Event: 'dialog;min-rate=50;id=3' }),
    has: { 'Subscription-State': /^active;expires=\d+;min-rate=1$/, Event: 'dialog;id=3' },
  },
  {
    ...{ rfc: '6446 6.3', name: 'tells the adaptive minimum rate', hasBody: true },
    cause: first({ Event: 'dialog;adaptive-min-rate=0.2' }),
    has: { 'Subscription-State': /^active;expires=\d+;adaptive-min-rate=0\.2$/ },
  },
  {
    ...{ rfc: '4662 4.4', name: 'of a list', hasBody: true },
    cause: first(
      { Supported: 'eventlist', Accept: 'application/dialog-info+xml, multipart/related, application/rlmi+xml' },
      { uri: 'sip:blf-all@demo.example' },
    ),
    has: { ...ACTIVE, Require: 'eventlist', 'Content-Type': /^multipart\/related;type="application\/rlmi\+xml"/ },
  },
];

export const NOTIFY_ROWS: readonly NotifyRow[] = [...life, ...echoes, ...extensions];

/** A watcher's answer to a NOTIFY, and whether the subscription lives on after it. */
export interface NotifyAnswerRow extends Pick<Row, 'rfc' | 'name'> {
  readonly status: number;
  readonly headers?: readonly string[];
  /** How often it answers so, after a refresh each; once when absent. */
  readonly times?: number;
  readonly lives: boolean;
}

const ENDS = [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 502, 604];
const KEEPS = [200, 202, 204, 400, 401, 403, 407, 420, 486, 487, 488, 491, 493, 500, 503, 504, 600, 603, 606];

export const NOTIFY_ANSWER_ROWS: readonly NotifyAnswerRow[] = [
  ...ENDS.map((status) => ({ rfc: '5057 5.2', name: `${status} ends it`, status, lives: false })),
  ...KEEPS.map((status) => ({ rfc: '5057 5.2', name: `${status} keeps it`, status, lives: true })),
  { rfc: '6665 4.2.2', name: '408 makes it suspect', status: 408, lives: true },
  { rfc: '6665 4.2.2', name: '408 once more ends it', status: 408, times: 2, lives: false },
  { rfc: '5057 5.2', name: '500 three times keeps it', status: 500, times: 3, lives: true },
  ...['Retry-After: 1', 'Retry-After: 1 (busy);duration=3'].map((header) => ({
    ...{ rfc: '6665 4.2.2', name: `503 with ${header} waits`, status: 503, headers: [header], lives: true },
  })),
];
