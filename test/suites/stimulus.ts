/** Requests for the tables of answers: a good one of each method, and what a row changes in it. */
import { type ReceivedMessage, type SipClient, token } from '#test/support/sip-client.ts';

export interface Stimulus {
  readonly method: string;
  readonly uri?: string;
  readonly version?: string;
  /** Replaces a header field's value, adds a field, or with `undefined` leaves it out. */
  readonly fields?: Readonly<Record<string, string | undefined>>;
  /** Further header lines. */
  readonly lines?: readonly string[];
  readonly body?: string | Buffer;
}

/** One row: what RFC says so, what is sent, what comes back. */
export interface Row {
  readonly rfc: string;
  readonly name: string;
  readonly send: Stimulus | ((client: SipClient) => Promise<ReceivedMessage>);
  readonly status: number;
  readonly reason?: string;
  /** Header fields that the answer has; `undefined` for one that it must not have. */
  readonly has?: Readonly<Record<string, string | RegExp | undefined>>;
}

type Fields = Record<string, string | undefined>;

/** Header fields that a method needs beyond those of every request. */
function fieldsOfMethod(method: string, client: SipClient, hasBody: boolean): Fields {
  switch (method) {
    case 'SUBSCRIBE':
      return { Event: 'dialog', Accept: 'application/dialog-info+xml', Expires: '600', Contact: client.contact };
    case 'PUBLISH':
      return { Event: 'dialog', Expires: '600', ...(hasBody && { 'Content-Type': 'application/dialog-info+xml' }) };
    default:
      return {};
  }
}

/** Text of a request of this client, up to its body. */
function headOf(client: SipClient, stimulus: Stimulus): string {
  const { method, body = '', version = 'SIP/2.0' } = stimulus;
  const uri = stimulus.uri ?? (method === 'REGISTER' ? `sip:${client.domain}` : client.aor);
  const fields: Fields = {
    Via: `SIP/2.0/WS ${client.host};branch=z9hG4bK${token()}`,
    'Max-Forwards': '70',
    From: `<${client.aor}>;tag=${token()}`,
    To: `<${client.aor}>`,
    'Call-ID': token(),
    CSeq: `1 ${method}`,
    ...fieldsOfMethod(method, client, body.length > 0),
    'Content-Length': String(Buffer.byteLength(body)),
    ...stimulus.fields,
  };
  const lines = Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
  return [`${method} ${uri} ${version}`, ...lines, ...(stimulus.lines ?? []), '', ''].join('\r\n');
}

/** Text of a request of this client whose body is text. */
export const textOf = (client: SipClient, stimulus: Stimulus): string =>
  `${headOf(client, stimulus)}${stimulus.body ?? ''}`;

/** Sends it and gives the answer that comes next, whatever this echoes. */
export async function send(client: SipClient, stimulus: Stimulus): Promise<ReceivedMessage> {
  if (client.closeCode !== undefined) throw new Error(`the gateway closed the connection with ${client.closeCode}`);
  const answer = client.next((message) => message.status >= 200, { timeoutMs: 20_000 });
  // A body that is bytes goes in a binary frame.
  const { body } = stimulus;
  client.raw(
    Buffer.isBuffer(body) ? Buffer.concat([Buffer.from(headOf(client, stimulus)), body]) : textOf(client, stimulus),
  );
  return answer;
}
