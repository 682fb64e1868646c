/** Answers to MESSAGE (RFC 3428), sent by 1001; only 1001 itself is there to take one. */
import type { SipClient } from '#test/support/sip-client.ts';
import { type Row, type Stimulus, send } from './stimulus.ts';

const TEXT = { 'Content-Type': 'text/plain;charset=UTF-8' };

const to = (uri: string, body = 'hello', fields: Stimulus['fields'] = TEXT): Stimulus => ({
  ...{ method: 'MESSAGE', uri, body },
  fields: { To: `<${uri}>`, ...fields },
});

/** Sends a message to the sender itself, which answers it so. */
const answered =
  (status: number, headers: readonly string[] = [], stimulus: Partial<Stimulus> = {}) =>
  async (client: SipClient) => {
    const since = client.received.length;
    const answer = send(client, { ...to(client.aor), ...stimulus });
    client.respond(await client.next(({ method }) => method === 'MESSAGE', { since }), status, headers);
    return answer;
  };

const NO_CONTACT = { Contact: undefined };

export const MESSAGE_ROWS: readonly Row[] = [
  { rfc: '3428 7', name: 'taken', send: answered(200), status: 200, has: NO_CONTACT },
  {
    rfc: '3428 7',
    name: 'taken, with a Contact',
    send: answered(200, ['Contact: <sip:x@y>']),
    status: 200,
    has: NO_CONTACT,
  },
  { rfc: '3428 7', name: 'taken for later', send: answered(202), status: 202, has: NO_CONTACT },
  { rfc: '3428 7', name: 'refused by the contact', send: answered(486), status: 486 },
  {
    ...{ rfc: '3428 7', name: 'of a type that the contact does not take', status: 415, has: { Accept: 'text/plain' } },
    send: answered(415, ['Accept: text/plain']),
  },
  { rfc: '3261 21.6.3', name: 'refused for all contacts', send: answered(603), status: 603 },
  { rfc: '3428 4', name: 'an empty body', send: answered(200, [], { body: '', fields: {} }), status: 200 },
  { rfc: '3428 8', name: '1300 bytes', send: answered(200, [], { body: 'a'.repeat(1_300) }), status: 200 },
  { rfc: '3428 8', name: '1301 bytes', send: to('sip:1001@demo.example', 'a'.repeat(1_301)), status: 413 },
  { rfc: '3428 8', name: '1302 bytes in 651 letters', send: to('sip:1001@demo.example', 'ä'.repeat(651)), status: 413 },
  { rfc: '3261 20.15', name: 'a body without Content-Type', send: to('sip:1001@demo.example', 'x', {}), status: 400 },
  { rfc: '3261 21.4.5', name: 'to nobody', send: to('sip:4711@demo.example'), status: 404 },
  { rfc: '3261 21.4.5', name: 'to a Request-URI without user', send: to('sip:demo.example'), status: 404 },
  { rfc: '3261 21.4.18', name: 'to a user without contacts', send: to('sip:1009@demo.example'), status: 480 },
  { rfc: '3261 21.4.4', name: 'to another tenant', send: to('sip:1001@acme.example'), status: 403 },
  { rfc: '3261 21.4.4', name: 'to nobody of another tenant', send: to('sip:4711@acme.example'), status: 403 },
  {
    ...{ rfc: '3261 22', name: 'from someone else', status: 403 },
    send: to('sip:1001@demo.example', 'x', { ...TEXT, From: '<sip:1002@demo.example>;tag=1' }),
  },
  {
    ...{ rfc: '3261 16.3', name: 'Max-Forwards 0', status: 483 },
    send: to('sip:1001@demo.example', 'x', { ...TEXT, 'Max-Forwards': '0' }),
  },
  {
    ...{ rfc: '3261 8.2.2.3', name: 'Require of an unknown extension', status: 420, has: { Unsupported: 'nonsense' } },
    send: to('sip:1001@demo.example', 'x', { ...TEXT, Require: 'nonsense' }),
  },
  { rfc: '3261 19.1', name: 'to a sips: URI', send: answered(200, [], { uri: 'sips:1001@demo.example' }), status: 200 },
  {
    ...{ rfc: '3428 4', name: 'with characters of XML in names and Call-ID', status: 200 },
    send: answered(200, [], {
      fields: { ...TEXT, From: `"<&>' ]]>" <sip:1001@demo.example>;tag=1`, 'Call-ID': `<a>"b'{}@]]>` },
    }),
  },
  {
    ...{ rfc: '5365 4', name: 'to a list in the body', status: 420, has: { Unsupported: 'recipient-list-message' } },
    send: to('sip:1001@demo.example', 'x', { ...TEXT, Require: 'recipient-list-message' }),
  },
  { rfc: '3261 21.4.14', name: 'to a tel: URI', send: to('tel:+15550100'), status: 416 },
];
