/** A phone for tests of calls: dialogs as RFC 3261 section 12 has them, every message the test's own. */

import { PATIENCE_MS } from './patience.ts';
import { type ReceivedMessage, SipClient, token } from './sip-client.ts';

export const SDP = 'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=é\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n';

export interface InviteOptions {
  readonly headers?: readonly string[];
  readonly callId?: string;
  readonly branch?: string;
  readonly fromTag?: string;
  readonly body?: string;
  readonly cseq?: number;
}

export interface AnswerOptions {
  readonly tag?: string;
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly contact?: string;
}

const tagIn = (value: string): string => /;tag=([^;]+)/.exec(value)?.[1] ?? '';
export const uriIn = (value: string): string => /<([^>]+)>/.exec(value)?.[1] ?? value;

/** The elements of a header field, which may stand on one line or on several. */
const listed = (values: readonly string[]): string[] => values.flatMap((value) => value.split(/,\s*(?=<)/));

/** One side of a dialog: what it needs to send a request in it. */
export interface PhoneDialog {
  readonly callId: string;
  readonly local: string;
  readonly remote: string;
  readonly routes: readonly string[];
  remoteTarget: string;
  cseq: number;
}

/** An INVITE that this phone has sent. */
export interface Outgoing {
  readonly callId: string;
  readonly fromTag: string;
  readonly branch: string;
  readonly cseq: number;
  readonly uri: string;
  readonly text: string;
  /** What was received before it was sent. */
  readonly since: number;
}

export class Phone {
  readonly client: SipClient;
  readonly tag = token();
  /** Parameters of its Contact in INVITEs. */
  contactParams = '';

  private constructor(client: SipClient) {
    this.client = client;
  }

  static async connect(url: string, user: string, domain = 'demo.example'): Promise<Phone> {
    const phone = new Phone(await SipClient.connect(url, user, domain));
    phone.client.answerNotify = undefined;
    return phone;
  }

  /** The next message, or one already received since `since`, that fits. */
  next(matches: (message: ReceivedMessage) => boolean, since = 0, timeoutMs = PATIENCE_MS): Promise<ReceivedMessage> {
    return this.client.next(matches, { since, timeoutMs });
  }

  request(method: string, since = 0): Promise<ReceivedMessage> {
    return this.next((message) => message.method === method, since);
  }

  response(status: number, method: string, since = 0): Promise<ReceivedMessage> {
    return this.next((message) => message.status === status && message.header('cseq').endsWith(method), since);
  }

  invite(user: string, options: InviteOptions = {}): Outgoing {
    const { callId = token(), branch = `z9hG4bK${token()}`, fromTag = token(), cseq = 1 } = options;
    const uri = `sip:${user}@${this.client.domain}`;
    const since = this.client.received.length;
    const headers = [
      `Contact: ${this.client.contact}${this.contactParams}`,
      'Content-Type: application/sdp',
      ...(options.headers ?? []),
    ];
    const text = this.client.compose({
      ...{ method: 'INVITE', uri, callId, branch, fromTag, cseq, headers, body: options.body ?? SDP },
    });
    this.client.raw(text);
    return { callId, fromTag, branch, cseq, uri, text, since };
  }

  /** ACK for a final answer that is no 2xx, or CANCEL: same branch as the INVITE. */
  hopByHop(method: 'ACK' | 'CANCEL', outgoing: Outgoing, to = `<${outgoing.uri}>`, headers: string[] = []): void {
    const { callId, fromTag, branch, cseq, uri } = outgoing;
    this.client.raw(this.client.compose({ method, uri, callId, branch, fromTag, cseq, to, headers }));
  }

  /** Answers an INVITE, or any other request, as a user agent does. */
  answer(request: ReceivedMessage, status: number, options: AnswerOptions = {}): void {
    const to = request.header('to');
    const tag = options.tag ?? this.tag;
    const body = options.body ?? '';
    const contact = options.contact ?? this.client.contact;
    this.client.raw(
      [
        `SIP/2.0 ${status} Answer`,
        ...['via', 'record-route'].flatMap((name) => request.headers(name).map((value) => `${name}: ${value}`)),
        `From: ${request.header('from')}`,
        `To: ${tagIn(to) === '' && status > 100 ? `${to};tag=${tag}` : to}`,
        `Call-ID: ${request.header('call-id')}`,
        `CSeq: ${request.header('cseq')}`,
        ...(status > 100 && status < 300 ? [`Contact: ${contact}`] : []),
        ...(options.headers ?? []),
        `Content-Length: ${Buffer.byteLength(body)}`,
        '',
        body,
      ].join('\r\n'),
    );
  }

  /** The caller's dialog, from the answer that opened it (RFC 3261 section 12.1.2). */
  dialogOf(response: ReceivedMessage): PhoneDialog {
    return {
      ...{ callId: response.header('call-id'), local: response.header('from'), remote: response.header('to') },
      routes: listed(response.headers('record-route')).toReversed(),
      remoteTarget: uriIn(response.header('contact')),
      cseq: Number.parseInt(response.header('cseq'), 10),
    };
  }

  /** The callee's dialog, from the INVITE (RFC 3261 section 12.1.1). */
  calleeDialogOf(invite: ReceivedMessage, tag = this.tag): PhoneDialog {
    return {
      ...{
        callId: invite.header('call-id'),
        local: `${invite.header('to')};tag=${tag}`,
        remote: invite.header('from'),
      },
      ...{ routes: listed(invite.headers('record-route')), remoteTarget: uriIn(invite.header('contact')), cseq: 0 },
    };
  }

  composeIn(dialog: PhoneDialog, method: string, headers: readonly string[] = [], body = ''): string {
    if (method !== 'ACK') dialog.cseq++;
    return [
      `${method} ${dialog.remoteTarget} SIP/2.0`,
      `Via: SIP/2.0/WS ${this.client.host};branch=z9hG4bK${token()}`,
      'Max-Forwards: 70',
      ...dialog.routes.map((route) => `Route: ${route}`),
      `From: ${dialog.local}`,
      `To: ${dialog.remote}`,
      `Call-ID: ${dialog.callId}`,
      `CSeq: ${dialog.cseq} ${method}`,
      ...headers,
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n');
  }

  /** Sends a request in the dialog and gives its CSeq value. */
  sendIn(dialog: PhoneDialog, method: string, headers: readonly string[] = [], body = ''): string {
    this.client.raw(this.composeIn(dialog, method, headers, body));
    return `${dialog.cseq} ${method}`;
  }

  /** The final answer to a request with this CSeq value. */
  finalAnswer(cseq: string, since = 0): Promise<ReceivedMessage> {
    return this.next((message) => message.status >= 200 && message.header('cseq') === cseq, since);
  }

  requests(method: string): ReceivedMessage[] {
    return this.client.received.filter((message) => message.method === method);
  }

  responses(method: string): number[] {
    return this.client.received
      .filter((one) => one.status > 0 && one.header('cseq').endsWith(method))
      .map((one) => one.status);
  }
}
