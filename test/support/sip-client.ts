/** A SIP user agent for tests: every line it sends is the test's own; what it receives is kept in order. */
import { createHash, randomBytes } from 'node:crypto';
import { type ClientOptions, WebSocket } from 'ws';
import { PATIENCE_MS } from './patience.ts';

export interface ReceivedMessage {
  readonly text: string;
  readonly startLine: string;
  /** Of a response; 0 for a request. */
  readonly status: number;
  /** Of a request; '' for a response. */
  readonly method: string;
  readonly body: string;
  readonly atMs: number;
  /** First value; names case-insensitive; '' when absent. */
  header(name: string): string;
  headers(name: string): string[];
}

export function readMessage(text: string): ReceivedMessage {
  const split = text.indexOf('\r\n\r\n');
  const [startLine = '', ...lines] = text.slice(0, split).split('\r\n');
  const fields = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
  });
  const headers = (name: string): string[] =>
    fields.filter(([key]) => key === name.toLowerCase()).map(([, value]) => value);
  const response = startLine.startsWith('SIP/2.0 ');
  return {
    text,
    startLine,
    status: response ? Number(startLine.slice(8, 11)) : 0,
    method: response ? '' : (startLine.split(' ')[0] ?? ''),
    body: text.slice(split + 4),
    atMs: performance.now(),
    header: (name) => headers(name)[0] ?? '',
    headers,
  };
}

export const token = (): string => randomBytes(8).toString('hex');
const hash = (algorithm: 'md5' | 'sha256', text: string): string => createHash(algorithm).update(text).digest('hex');

export interface Challenge {
  readonly realm: string;
  readonly nonce: string;
  readonly algorithm: 'MD5' | 'SHA-256';
  readonly stale: boolean;
}

export function challengesOf(response: ReceivedMessage): Challenge[] {
  return response.headers('www-authenticate').map((value) => ({
    realm: /realm="([^"]*)"/.exec(value)?.[1] ?? '',
    nonce: /nonce="([^"]*)"/.exec(value)?.[1] ?? '',
    algorithm: /algorithm="?SHA-256"?/i.test(value) ? 'SHA-256' : 'MD5',
    stale: /stale="?true"?/i.test(value),
  }));
}

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** An Authorization value that answers a challenge (RFC 7616, qop=auth). */
export function authorize(
  challenge: Challenge,
  { user, password }: Credentials,
  about: { method: string; uri: string; nonceCount?: number },
): string {
  const algorithm = challenge.algorithm === 'MD5' ? 'md5' : 'sha256';
  const cnonce = token();
  const nc = (about.nonceCount ?? 1).toString(16).padStart(8, '0');
  const ha1 = hash(algorithm, `${user}:${challenge.realm}:${password}`);
  const ha2 = hash(algorithm, `${about.method}:${about.uri}`);
  const response = hash(algorithm, `${ha1}:${challenge.nonce}:${nc}:${cnonce}:auth:${ha2}`);
  return `Digest username="${user}", realm="${challenge.realm}", nonce="${challenge.nonce}", uri="${about.uri}", response="${response}", algorithm=${challenge.algorithm}, qop=auth, nc=${nc}, cnonce="${cnonce}"`;
}

export interface RequestOptions {
  readonly method: string;
  readonly uri: string;
  readonly from?: string;
  readonly fromTag?: string;
  readonly to?: string;
  readonly toTag?: string | undefined;
  readonly callId?: string;
  readonly cseq?: number;
  readonly branch?: string;
  /** Header lines without line ends. */
  readonly headers?: readonly string[];
  readonly body?: string;
  /** Answer a 401 with the client's credentials; default true. */
  readonly authenticate?: boolean;
}

export class SipClient {
  readonly user: string;
  readonly domain: string;
  readonly host = `${token()}.invalid`;
  readonly contact: string;
  /** Everything received, in order. */
  readonly received: ReceivedMessage[] = [];
  /** Status with which NOTIFYs are answered; `undefined` leaves them unanswered. */
  answerNotify: ((notify: ReceivedMessage) => number | undefined) | undefined = () => 200;
  closeCode: number | undefined;
  readonly #password: string;
  readonly #socket: WebSocket;
  #waiters: { matches: (message: ReceivedMessage) => boolean; resolve: (message: ReceivedMessage) => void }[] = [];

  private constructor(socket: WebSocket, account: { user: string; domain: string; password: string }) {
    this.#socket = socket;
    this.user = account.user;
    this.domain = account.domain;
    this.#password = account.password;
    this.contact = `<sip:${this.user}@${this.host};transport=ws>`;
    socket.on('message', (data) => this.#receive(String(data)));
    socket.on('close', (code) => {
      this.closeCode = code;
    });
    socket.on('error', () => undefined);
  }

  static async connect(
    url: string,
    user: string,
    domain = 'demo.example',
    password?: string,
    { protocols = [], ...options }: ClientOptions & { readonly protocols?: readonly string[] } = {},
  ): Promise<SipClient> {
    const socket = new WebSocket(url, ['sip', ...protocols], options);
    const client = new SipClient(socket, {
      user,
      domain,
      password: password ?? `${domain.split('.')[0]}-${user}`,
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve());
      socket.once('error', reject);
    });
    return client;
  }

  get aor(): string {
    return `sip:${this.user}@${this.domain}`;
  }

  #receive(text: string): void {
    const message = readMessage(text);
    this.received.push(message);
    if (message.method === 'NOTIFY') {
      const status = this.answerNotify?.(message);
      if (status !== undefined) this.respond(message, status);
    }
    this.#waiters = this.#waiters.filter(({ matches, resolve }) => {
      if (!matches(message)) return true;
      resolve(message);
      return false;
    });
  }

  raw(text: string | Buffer): void {
    this.#socket.send(text);
  }

  respond(request: ReceivedMessage, status: number, headers: readonly string[] = []): void {
    const echoed = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].flatMap((name) =>
      request.headers(name).map((value) => `${name}: ${value}`),
    );
    this.raw([`SIP/2.0 ${status} Answer`, ...echoed, ...headers, 'Content-Length: 0', '', ''].join('\r\n'));
  }

  /** The next message, from now on or from `since` in what was received, that matches. */
  next(matches: (message: ReceivedMessage) => boolean, { timeoutMs = PATIENCE_MS, since = this.received.length } = {}) {
    const known = this.received.slice(since).find(matches);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise<ReceivedMessage>((resolve, reject) => {
      const timer = setTimeout(() => {
        const got = this.received.slice(since).map((message) => message.startLine);
        reject(new Error(`no such message within ${timeoutMs} ms; received since: ${JSON.stringify(got)}`));
      }, timeoutMs);
      this.#waiters.push({
        matches,
        resolve: (message) => {
          clearTimeout(timer);
          resolve(message);
        },
      });
    });
  }

  compose(options: RequestOptions, extra: readonly string[] = []): string {
    const body = options.body ?? '';
    return [
      `${options.method} ${options.uri} SIP/2.0`,
      `Via: SIP/2.0/WS ${this.host};branch=${options.branch ?? `z9hG4bK${token()}`}`,
      'Max-Forwards: 70',
      `From: ${options.from ?? `<${this.aor}>`};tag=${options.fromTag ?? token()}`,
      `To: ${options.to ?? `<${options.uri}>`}${options.toTag === undefined ? '' : `;tag=${options.toTag}`}`,
      `Call-ID: ${options.callId ?? token()}`,
      `CSeq: ${options.cseq ?? 1} ${options.method}`,
      ...(options.headers ?? []),
      ...extra,
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n');
  }

  /** Sends a request and gives its final answer; a 401 is answered with the credentials, once. */
  async request(given: RequestOptions, account: Partial<Credentials> = {}): Promise<ReceivedMessage> {
    const options = { ...given, fromTag: given.fromTag ?? token(), callId: given.callId ?? token() };
    const response = await this.exchange(this.compose(options));
    if (response.status !== 401 || given.authenticate === false) return response;
    const challenge = challengesOf(response)[0];
    if (challenge === undefined) return response;
    const value = authorize(challenge, { user: this.user, password: this.#password, ...account }, options);
    const again = { ...options, cseq: (options.cseq ?? 1) + 1, branch: `z9hG4bK${token()}` };
    return this.exchange(this.compose(again, [`Authorization: ${value}`]));
  }

  /** Sends this text and gives the answer with its Call-ID and CSeq (or the next answer, when it has none). */
  exchange(text: string, timeoutMs = PATIENCE_MS): Promise<ReceivedMessage> {
    const callId = /^(?:call-id|i)\s*:\s*(.*?)\s*$/im.exec(text)?.[1];
    const cseq = /^cseq\s*:\s*(.*?)\s*$/im.exec(text)?.[1];
    const answer = this.next(
      (message) =>
        message.status >= 200 &&
        (callId === undefined || message.header('call-id') === callId) &&
        (cseq === undefined || message.header('cseq') === cseq),
      { timeoutMs },
    );
    this.raw(text);
    return answer;
  }

  register(
    expiresSeconds = 600,
    headers: readonly string[] = [],
    account: Partial<Credentials> = {},
  ): Promise<ReceivedMessage> {
    const contact = [`Contact: ${this.contact}`, `Expires: ${expiresSeconds}`, ...headers];
    const options = { method: 'REGISTER', uri: `sip:${this.domain}`, to: `<${this.aor}>`, headers: contact };
    return this.request(options, account);
  }

  /** Opens a subscription and gives it with the answer and the first NOTIFY. */
  async subscribe(user: string, options: SubscribeOptions = {}): Promise<TestSubscription> {
    const uri = options.uri ?? `sip:${user}@${this.domain}`;
    const dialog = { callId: token(), fromTag: token() };
    const since = this.received.length;
    const answer = await this.request({
      method: 'SUBSCRIBE',
      uri,
      ...dialog,
      headers: subscribeHeaders(this.contact, options),
    });
    const toTag = /;tag=([^;]+)/.exec(answer.header('to'))?.[1] ?? '';
    const subscription = new TestSubscription(this, uri, { ...dialog, toTag }, options, answer);
    subscription.cseq = Number(answer.header('cseq').split(' ')[0]);
    if (answer.status === 200) await this.next((message) => subscription.owns(message), { since });
    return subscription;
  }

  publish(user: string, body: string | undefined, options: PublishOptions = {}): Promise<ReceivedMessage> {
    const headers = [`Event: ${options.event ?? 'dialog'}`, `Expires: ${options.expiresSeconds ?? 3600}`];
    if (options.ifMatch !== undefined) headers.push(`SIP-If-Match: ${options.ifMatch}`);
    if (body !== undefined) headers.push(`Content-Type: ${options.contentType ?? 'application/dialog-info+xml'}`);
    const uri = `sip:${user}@${options.domain ?? this.domain}`;
    return this.request({ method: 'PUBLISH', uri, headers, ...(body === undefined ? {} : { body }) });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.readyState === WebSocket.CLOSED) return resolve();
      this.#socket.once('close', () => resolve());
      this.#socket.close();
    });
  }

  /** Cuts the connection without a closing handshake. */
  cut(): void {
    this.#socket.terminate();
  }
}

export interface SubscribeOptions {
  readonly uri?: string;
  readonly event?: string;
  readonly expiresSeconds?: number;
  readonly accept?: string;
  readonly headers?: readonly string[];
}

export interface PublishOptions {
  readonly event?: string;
  readonly expiresSeconds?: number;
  readonly ifMatch?: string;
  readonly contentType?: string;
  readonly domain?: string;
}

const subscribeHeaders = (contact: string, options: SubscribeOptions): string[] => [
  `Event: ${options.event ?? 'dialog'}`,
  `Accept: ${options.accept ?? 'application/dialog-info+xml'}`,
  `Expires: ${options.expiresSeconds ?? 600}`,
  `Contact: ${contact}`,
  ...(options.headers ?? []),
];

export class TestSubscription {
  readonly client: SipClient;
  readonly uri: string;
  readonly dialog: { readonly callId: string; readonly fromTag: string; readonly toTag: string };
  readonly answer: ReceivedMessage;
  readonly #options: SubscribeOptions;
  cseq = 1;

  constructor(
    client: SipClient,
    uri: string,
    dialog: TestSubscription['dialog'],
    options: SubscribeOptions,
    answer: ReceivedMessage,
  ) {
    this.client = client;
    this.uri = uri;
    this.dialog = dialog;
    this.#options = options;
    this.answer = answer;
  }

  owns(message: ReceivedMessage): boolean {
    return message.method === 'NOTIFY' && message.header('call-id') === this.dialog.callId;
  }

  notifies(client = this.client): ReceivedMessage[] {
    return client.received.filter((message) => this.owns(message));
  }

  /** The next NOTIFY of this subscription whose body has the text. */
  nextNotify(text = '', { timeoutMs = PATIENCE_MS, since = this.client.received.length, client = this.client } = {}) {
    return client.next((message) => this.owns(message) && message.text.includes(text), { timeoutMs, since });
  }

  /** Refreshes, or with 0 ends, the subscription; from another client it is taken over. */
  async refresh(expiresSeconds: number, options: { client?: SipClient; cseq?: number } = {}) {
    const client = options.client ?? this.client;
    const cseq = options.cseq ?? this.cseq + 1;
    const answer = await client.request({
      method: 'SUBSCRIBE',
      uri: this.uri,
      ...this.dialog,
      cseq,
      headers: subscribeHeaders(client.contact, { ...this.#options, expiresSeconds }),
    });
    this.cseq = Number(answer.header('cseq').split(' ')[0]);
    return answer;
  }
}

/** A dialog-info document with one dialog. */
export function dialogInfo(
  entity: string,
  dialog: { id?: string; callId?: string; state: string; direction?: 'initiator' | 'recipient' },
): string {
  const { id = 'd1', callId = 'call-1', state, direction = 'recipient' } = dialog;
  return `<?xml version="1.0"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="${entity}">
<dialog id="${id}" call-id="${callId}" local-tag="lt-${id}" remote-tag="rt-${id}" direction="${direction}">
<state>${state}</state>
<local><identity display="Local">${entity}</identity><target uri="${entity}"/></local>
<remote><identity display="Caller">sip:+15550100@pstn.example</identity><target uri="sip:+15550100@pstn.example;user=phone"/></remote>
</dialog>
</dialog-info>`;
}

/** The states of all dialogs in a NOTIFY's body. */
export function dialogStates(message: Pick<ReceivedMessage, 'body'>): string[] {
  return [...message.body.matchAll(/<state[^>]*>\s*([a-z]+)\s*<\/state>/g)].map((match) => match[1] ?? '');
}
