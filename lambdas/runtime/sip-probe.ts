/** A SIP user agent of one flow that asks and measures (RFC 7118), with the parser and the digest of the system itself. */
import { randomBytes } from 'node:crypto';
import { type RawData, WebSocket } from 'ws';
import type { HeaderEntries } from '#contract/schemas.ts';
import { ha1Of } from '#core/digest.ts';
import { meetChallenge } from '#core/digest-client.ts';
import { parseMessage, type SipRequest, type SipResponse } from '#core/sip/message.ts';
import { serializeRequest, serializeResponse } from '#core/sip/serialize.ts';

export interface Account {
  readonly user: string;
  readonly domain: string;
  readonly password: string;
}

export interface ProbeRequest {
  readonly method: string;
  readonly uri: string;
  readonly to?: string;
  readonly callId?: string;
  readonly fromTag?: string;
  readonly toTag?: string | undefined;
  readonly cseq?: number;
  readonly headers?: HeaderEntries;
  readonly body?: string;
}

/** A final answer, and the time since its request left. */
export interface TimedAnswer {
  readonly response: SipResponse;
  readonly ms: number;
}

const HANDSHAKE_WITHIN_MS = 8_000;
const CLOSE_WITHIN_MS = 1_000;
const MOST_BYTES = 262_144;
const ECHOED = ['Via', 'From', 'To', 'Call-ID', 'CSeq'] as const;

export const token = (): string => randomBytes(8).toString('hex');

/** A request of the gateway, and when it came. */
export interface ReceivedRequest {
  readonly request: SipRequest;
  readonly atMs: number;
}

interface Waiter<T> {
  readonly matches: (message: T) => boolean;
  readonly resolve: (message: T) => void;
  readonly reject: (error: Error) => void;
}

export class SipProbe {
  readonly #socket: WebSocket;
  readonly #account: Account;
  readonly #userAgent: string;
  readonly #host = `${token()}.invalid`;
  readonly #seen: ReceivedRequest[] = [];
  #answers: Waiter<SipResponse>[] = [];
  #requests: Waiter<ReceivedRequest>[] = [];
  #closed: Error | undefined;

  private constructor(socket: WebSocket, account: Account, userAgent: string) {
    this.#socket = socket;
    this.#account = account;
    this.#userAgent = userAgent;
    socket.on('message', (data) => this.#receive(String(data satisfies RawData)));
    socket.on('close', (code) => this.#end(new Error(`the gateway closed the connection (WebSocket code ${code})`)));
    socket.on('error', (error) => this.#end(error));
  }

  /** @throws when there is no WebSocket with subprotocol `sip` */
  static async connect(url: string, account: Account, userAgent: string): Promise<SipProbe> {
    const socket = new WebSocket(url, ['sip'], { handshakeTimeout: HANDSHAKE_WITHIN_MS, maxPayload: MOST_BYTES });
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    if (socket.protocol === 'sip') return new SipProbe(socket, account, userAgent);
    socket.terminate();
    throw new Error('the server speaks WebSocket, but did not choose the subprotocol sip');
  }

  get aor(): string {
    return `sip:${this.#account.user}@${this.#account.domain}`;
  }

  get contact(): string {
    return `<sip:${this.#account.user}@${this.#host};transport=ws>`;
  }

  /** Asks, and meets one challenge. @returns the final answer */
  async request(given: ProbeRequest): Promise<TimedAnswer> {
    const request = { fromTag: token(), callId: token(), cseq: 1, ...given };
    const first = await this.#exchange(request, []);
    if (first.response.status !== 401) return first;
    const credentials = this.#credentials(first.response, request);
    if (credentials === undefined) return first;
    const second = await this.#exchange({ ...request, cseq: request.cseq + 1 }, [credentials]);
    return { response: second.response, ms: first.ms + second.ms };
  }

  /** The next request from the gateway that matches, those included that have come already. */
  received(isMeant: (request: SipRequest) => boolean): Promise<ReceivedRequest> {
    const matches = ({ request }: ReceivedRequest): boolean => isMeant(request);
    const known = this.#seen.find(matches);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      if (this.#closed) reject(this.#closed);
      else this.#requests.push({ matches, resolve, reject });
    });
  }

  close(): void {
    this.#socket.close(1000);
    // A gateway that hangs must not keep us.
    setTimeout(() => this.#socket.terminate(), CLOSE_WITHIN_MS).unref();
  }

  #credentials(response: SipResponse, { method, uri }: ProbeRequest): [string, string] | undefined {
    const { user, domain, password } = this.#account;
    const hash = (algorithm: 'MD5' | 'SHA-256'): string => ha1Of(algorithm, user, domain, password);
    const account = { username: user, realm: domain, ha1: { md5: hash('MD5'), sha256: hash('SHA-256') } };
    const challenges = response
      .all('www-authenticate')
      .map((value) => ({ field: 'WWW-Authenticate', value, count: 1 }));
    return meetChallenge({ challenges }, account, { method, uri, cnonce: token() });
  }

  #exchange(request: ProbeRequest & { callId: string; cseq: number; fromTag: string }, extra: HeaderEntries) {
    const { method, uri, to = `<${this.aor}>`, toTag, callId, cseq, fromTag, headers = [], body = '' } = request;
    const text = serializeRequest(
      method,
      uri,
      [
        ['Via', `SIP/2.0/WS ${this.#host};branch=z9hG4bK${token()}`],
        ['Max-Forwards', '70'],
        ['From', `<${this.aor}>;tag=${fromTag}`],
        ['To', toTag === undefined ? to : `${to};tag=${toTag}`],
        ['Call-ID', callId],
        ['CSeq', `${cseq} ${method}`],
        ['User-Agent', this.#userAgent],
        ...headers,
        ...extra,
      ],
      body,
    );
    const startMs = performance.now();
    return new Promise<TimedAnswer>((resolve, reject) => {
      if (this.#closed) return reject(this.#closed);
      this.#answers.push({
        matches: (answer) => answer.get('call-id') === callId && answer.get('cseq') === `${cseq} ${method}`,
        resolve: (response) => resolve({ response, ms: performance.now() - startMs }),
        reject,
      });
      this.#socket.send(text);
    });
  }

  #receive(text: string): void {
    const message = parseMessage(text);
    if (message.kind === 'response' && message.status >= 200) this.#answers = handed(this.#answers, message);
    if (message.kind !== 'request') return;
    const echoed = ECHOED.flatMap((name) =>
      message.all(name.toLowerCase()).map((value): [string, string] => [name, value]),
    );
    this.#socket.send(serializeResponse(200, 'OK', echoed, ''));
    const received = { request: message, atMs: performance.now() };
    this.#seen.push(received);
    this.#requests = handed(this.#requests, received);
  }

  #end(error: Error): void {
    this.#closed ??= error;
    for (const { reject } of [...this.#answers, ...this.#requests]) reject(this.#closed);
    this.#answers = [];
    this.#requests = [];
  }
}

/** Gives the message to those who wait for it. @returns who still waits */
function handed<T>(waiters: readonly Waiter<T>[], message: T): Waiter<T>[] {
  return waiters.filter(({ matches, resolve }) => {
    if (!matches(message)) return true;
    resolve(message);
    return false;
  });
}
