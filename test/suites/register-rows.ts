/** Answers to REGISTER (RFC 3261 section 10.3, RFC 5626). Each row has a user agent of its own. */
import { type SipClient, token } from '#test/support/sip-client.ts';
import { type Row, type Stimulus, send } from './stimulus.ts';

const contact = (name: string): string => `<sip:${name}@phone.invalid;transport=ws>`;

const register = (fields: Stimulus['fields'], lines: readonly string[] = []): Stimulus => {
  return { method: 'REGISTER', fields, lines };
};

const wipe = (client: SipClient) => send(client, register({ Contact: '*', Expires: '0' }));

/** Without any binding before, sends these one after the other; the answer is that of the last. */
const after =
  (...steps: readonly Stimulus['fields'][]) =>
  async (client: SipClient) => {
    let answer = await wipe(client);
    for (const fields of steps) answer = await send(client, register(fields));
    return answer;
  };

const A = contact('a');
const B = contact('b');
const OUTBOUND = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>";reg-id=1';
const callId = token();

export const REGISTER_ROWS: readonly Row[] = [
  {
    rfc: '3261 10.3',
    name: 'one contact',
    send: after({ Contact: A, Expires: '60' }),
    status: 200,
    has: { Contact: /sip:a@.*;expires=(60|59)/ },
  },
  { rfc: '3261 10.3', name: 'Date is given', send: register({ Contact: A }), status: 200, has: { Date: /GMT$/ } },
  {
    rfc: '3261 10.3',
    name: 'the contact’s expires wins',
    send: after({ Contact: `${A};expires=30`, Expires: '60' }),
    status: 200,
    has: { Contact: /;expires=(30|29)/ },
  },
  {
    rfc: '3261 10.2.2',
    name: 'a contact with expires=0 goes',
    send: after({ Contact: A }, { Contact: `${A};expires=0` }),
    status: 200,
    has: { Contact: undefined },
  },
  {
    rfc: '3261 10.2.2',
    name: 'Expires 0 removes',
    send: after({ Contact: A }, { Contact: A, Expires: '0' }),
    status: 200,
    has: { Contact: undefined },
  },
  { rfc: '3261 10.2.3', name: 'query', send: after({ Contact: A }, {}), status: 200, has: { Contact: /sip:a@/ } },
  { rfc: '3261 10.2.3', name: 'query without bindings', send: after(), status: 200, has: { Contact: undefined } },
  {
    rfc: '3261 10.2.2',
    name: 'wildcard with Expires 0',
    send: after({ Contact: A }, { Contact: '*', Expires: '0' }),
    status: 200,
    has: { Contact: undefined },
  },
  { rfc: '3261 10.3', name: 'wildcard without Expires', send: register({ Contact: '*' }), status: 400 },
  { rfc: '3261 10.3', name: 'wildcard with Expires 60', send: register({ Contact: '*', Expires: '60' }), status: 400 },
  {
    rfc: '3261 10.3',
    name: 'wildcard beside a contact',
    send: register({ Contact: `*, ${A}`, Expires: '0' }),
    status: 400,
  },
  {
    rfc: '3261 10.3',
    name: 'below the minimum',
    send: register({ Contact: A, Expires: '1' }),
    status: 423,
    has: { 'Min-Expires': '3' },
  },
  {
    rfc: '3261 10.3',
    name: 'a contact’s expires below the minimum',
    send: register({ Contact: `${A};expires=2` }),
    status: 423,
    has: { 'Min-Expires': '3' },
  },
  { rfc: '3261 10.3', name: 'malformed Contact', send: register({ Contact: '<sip:a' }), status: 400 },
  {
    rfc: '3261 10.3',
    name: 'To of somebody else',
    send: register({ To: '<sip:1002@demo.example>', Contact: A }),
    status: 403,
  },
  {
    rfc: '3261 10.3',
    name: 'CSeq not above that of the binding',
    send: after(
      { Contact: A, 'Call-ID': callId, CSeq: '5 REGISTER' },
      { Contact: A, 'Call-ID': callId, CSeq: '5 REGISTER' },
    ),
    status: 500,
  },
  {
    rfc: '3261 10.3',
    name: 'CSeq above it',
    send: after(
      { Contact: A, 'Call-ID': callId, CSeq: '5 REGISTER' },
      { Contact: A, 'Call-ID': callId, CSeq: '6 REGISTER' },
    ),
    status: 200,
  },
  {
    rfc: '3261 10.3',
    name: 'lower CSeq of another Call-ID',
    send: after({ Contact: A, CSeq: '5 REGISTER' }, { Contact: A, CSeq: '2 REGISTER' }),
    status: 200,
  },
  {
    rfc: '3261 10.3',
    name: 'more than 10 contacts',
    send: register({ Contact: Array.from({ length: 11 }, (_, i) => contact(`c${i}`)).join(', ') }),
    status: 403,
  },
  {
    rfc: '5626 6',
    name: 'outbound',
    send: after({ Contact: `${A};${OUTBOUND}`, Supported: 'path, outbound' }),
    status: 200,
    has: { Require: 'outbound', Contact: /reg-id=/ },
  },
  {
    rfc: '5626 6',
    name: 'reg-id without Supported: outbound',
    send: register({ Contact: `${A};${OUTBOUND}` }),
    status: 200,
    has: { Require: undefined },
  },
  {
    rfc: '5626 6',
    name: 'Require: outbound is understood',
    send: register({ Contact: `${A};${OUTBOUND}`, Require: 'outbound', Supported: 'outbound' }),
    status: 200,
  },
  {
    ...{ rfc: '5626 6', name: 'two contacts, one with reg-id', status: 400 },
    send: register({ Contact: `${A};${OUTBOUND}, ${B}`, Supported: 'outbound' }),
  },
  {
    rfc: '5626 4.2',
    name: 'reg-id 0',
    send: register({ Contact: `${A};${OUTBOUND.replace('=1', '=0')}` }),
    status: 400,
  },
  {
    ...{
      rfc: '5626 6',
      name: 'reg-id without an instance is a plain contact',
      status: 200,
      has: { Require: undefined },
    },
    send: after({ Contact: `${A};reg-id=1`, Supported: 'outbound' }),
  },
  {
    ...{ rfc: '3261 10.3', name: 'an Expires that is no number counts as absent', status: 200 },
    send: after({ Contact: A, Expires: 'soon' }),
    has: { Contact: /;expires=3600/ },
  },
  {
    ...{ rfc: '3261 10.3', name: 'an expires that is no number counts as absent', status: 200 },
    send: after({ Contact: `${A};expires=soon`, Expires: '77' }),
    has: { Contact: /;expires=7[67]/ },
  },
  {
    rfc: '3261 10.2',
    name: 'a user in the R-URI',
    send: { ...register({}), uri: 'sip:1003@demo.example' },
    status: 200,
  },
  { rfc: '3261 10.3', name: 'another tenant', send: { ...register({}), uri: 'sip:acme.example' }, status: 403 },
  {
    ...{
      rfc: '3261 10.3',
      name: 'a Contact of another scheme',
      status: 200,
      has: { Contact: /^<mailto:a@b\.example>/ },
    },
    send: after({ Contact: '<mailto:a@b.example>' }),
  },
  {
    ...{ rfc: '3261 10.3', name: 'a Contact with sips:', status: 200, has: { Contact: /^<sips:a@phone\.invalid>/ } },
    send: after({ Contact: '<sips:a@phone.invalid>' }),
  },
  {
    ...{ rfc: '3261 8.2.2.3', name: 'Require of GRUUs', status: 420, has: { Unsupported: 'gruu' } },
    send: register({ Contact: A, Require: 'gruu' }),
  },
  {
    ...{
      rfc: '3261 10.3',
      name: 'several contacts stand together, in two header fields',
      status: 200,
      has: { Contact: /sip:[abc]@/ },
    },
    async send(client) {
      await wipe(client);
      await send(client, register({ Contact: `${A}, ${B};q=0.5` }, [`m: ${contact('c')}`]));
      const answer = await send(client, register({}));
      const listed = answer.headers('contact').join();
      for (const name of ['a', 'b', 'c'])
        if (!listed.includes(`sip:${name}@`)) throw new Error(`${name} not in ${listed}`);
      return answer;
    },
  },
];
