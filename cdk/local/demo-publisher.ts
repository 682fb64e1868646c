/** Publishes dialog-info for a whole company over one WebSocket (RFC 3903, RFC 7118), and comes back after failures. */
import { type Core, UserAgent } from 'sip.js';

const EXPIRES_SECONDS = 60;
const CONTENT_TYPE = 'application/dialog-info+xml';

export interface PublisherOptions {
  /** WebSocket URL of the gateway. */
  readonly url: string;
  readonly domain: string;
  readonly user: string;
  readonly password: string;
}

interface Publication {
  /** The document that should stand. */
  body: string;
  /** The document that does stand; '' when none. */
  published: string;
  etag: string;
  refreshAtMs: number;
  /** Counts requests, so that an answer that comes too late is not taken for the current one. */
  request: number;
  inFlight: boolean;
}

/** What the server will never accept, however often it is sent. */
export class PublishRefused extends Error {
  override readonly name = 'PublishRefused';
}

export interface PublisherEvents {
  /** Told whenever it changes whether the gateway can be reached. */
  onReachable(reachable: boolean): void;
  onRefused(error: PublishRefused): void;
}

export class DemoPublisher {
  readonly #agent: UserAgent;
  readonly #options: PublisherOptions;
  readonly #publications = new Map<string, Publication>();
  readonly #events: PublisherEvents;
  #housekeeping: ReturnType<typeof setInterval> | undefined;
  #connecting = false;
  #reachable: boolean | undefined;

  constructor(options: PublisherOptions, events: PublisherEvents) {
    this.#options = options;
    this.#events = events;
    this.#agent = new UserAgent({
      uri: uriOf(options.user, options.domain),
      authorizationUsername: options.user,
      authorizationPassword: options.password,
      gracefulShutdown: false,
      logBuiltinEnabled: false,
      logLevel: 'error',
      userAgentString: 'Lampfield demo',
      transportOptions: { server: options.url, connectionTimeout: 5, traceSip: false },
      delegate: { onDisconnect: () => this.#forgetRequests() },
    });
  }

  /** Connects, and keeps connecting; publications wait until the line is up. */
  start(): void {
    void this.#connect();
    this.#housekeeping = setInterval(() => {
      if (!this.#agent.isConnected()) void this.#connect();
      for (const extension of this.#publications.keys()) this.#pump(extension);
    }, 1_000);
  }

  /** Makes this the document of a presentity; of several in a row only the last one needs to arrive. */
  publish(extension: string, body: string): void {
    const known = this.#publications.get(extension);
    if (known === undefined)
      this.#publications.set(extension, { body, published: '', etag: '', refreshAtMs: 0, request: 0, inFlight: false });
    else known.body = body;
    this.#pump(extension);
  }

  /** Removes all publications and closes the line; gives up waiting after two seconds. */
  async close(): Promise<void> {
    clearInterval(this.#housekeeping);
    const removals = [...this.#publications].map(([extension, { etag }]) =>
      etag === '' || !this.#agent.isConnected()
        ? undefined
        : new Promise((resolve) => this.#send(extension, { etag, expiresSeconds: 0 }, resolve)),
    );
    this.#publications.clear();
    await Promise.race([Promise.all(removals), new Promise((resolve) => setTimeout(resolve, 2_000))]);
    await this.#agent.stop().catch(() => undefined);
  }

  async #connect(): Promise<void> {
    if (this.#connecting) return;
    this.#connecting = true;
    await (this.#agent.state === 'Started' ? this.#agent.reconnect() : this.#agent.start()).catch(() => undefined);
    this.#connecting = false;
    this.#tellReachable();
    for (const extension of this.#publications.keys()) this.#pump(extension);
  }

  #tellReachable(): void {
    const reachable = this.#agent.isConnected();
    if (reachable !== this.#reachable) this.#events.onReachable(reachable);
    this.#reachable = reachable;
  }

  #forgetRequests(): void {
    for (const publication of this.#publications.values()) {
      publication.inFlight = false;
      publication.request += 1;
      publication.published = '';
    }
  }

  #pump(extension: string): void {
    const publication = this.#publications.get(extension);
    if (publication === undefined || publication.inFlight || !this.#agent.isConnected()) return;
    const { body, published, etag, refreshAtMs } = publication;
    const changed = body !== published;
    if (!changed && Date.now() < refreshAtMs) return;
    publication.inFlight = true;
    publication.request += 1;
    const { request } = publication;
    this.#send(extension, { etag, expiresSeconds: EXPIRES_SECONDS, ...(changed ? { body } : {}) }, (answer) => {
      if (publication.request !== request) return;
      publication.inFlight = false;
      this.#answered(extension, publication, body, answer);
    });
  }

  #answered(extension: string, publication: Publication, body: string, answer: Core.IncomingResponseMessage): void {
    const { statusCode = 0, reasonPhrase = '' } = answer;
    if (statusCode >= 200 && statusCode < 300) {
      publication.etag = answer.getHeader('SIP-ETag') ?? '';
      publication.published = body;
      const grantedSeconds = Number(answer.getHeader('Expires') ?? EXPIRES_SECONDS);
      publication.refreshAtMs = Date.now() + grantedSeconds * 500;
      this.#pump(extension);
    } else if (statusCode === 412) {
      publication.etag = '';
      publication.published = '';
      this.#pump(extension);
    } else if (statusCode >= 400 && statusCode < 500 && statusCode !== 408) {
      this.#events.onRefused(new PublishRefused(`${statusCode} ${reasonPhrase} to the PUBLISH for ${extension}`));
    }
    // Anything else passes: housekeeping sends it again.
  }

  #send(
    extension: string,
    { etag, expiresSeconds, body }: { etag: string; expiresSeconds: number; body?: string },
    onAnswer: (answer: Core.IncomingResponseMessage) => void,
  ): void {
    const target = uriOf(extension, this.#options.domain);
    const message = this.#agent.userAgentCore.makeOutgoingRequestMessage(
      'PUBLISH',
      target,
      this.#agent.configuration.uri,
      target,
      {},
      ['Event: dialog', `Expires: ${expiresSeconds}`, ...(etag === '' ? [] : [`SIP-If-Match: ${etag}`])],
      body === undefined ? undefined : { contentDisposition: 'render', contentType: CONTENT_TYPE, content: body },
    );
    const settle = (response: Core.IncomingResponse) => onAnswer(response.message);
    this.#agent.userAgentCore.publish(message, { onAccept: settle, onReject: settle, onRedirect: settle });
  }
}

function uriOf(user: string, domain: string) {
  const uri = UserAgent.makeURI(`sip:${user}@${domain}`);
  if (uri === undefined) throw new Error(`not a SIP address: ${user}@${domain}`);
  return uri;
}
