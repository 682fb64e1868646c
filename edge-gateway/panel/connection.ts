/** The page's line to the gateway: one SIP user agent that registers, loses its WebSocket, and comes back by itself. */
import {
  type Invitation,
  type Message,
  type SessionDescriptionHandlerFactory,
  UserAgent,
  UserAgentState,
  Web,
} from 'sip.js';
import { backoffMs, RECONNECT } from '#gateway/panel/backoff.ts';
import { keepAlive } from '#gateway/panel/keep-alive.ts';
import { type LampEvents, LampSubscription } from '#gateway/panel/lamp-subscription.ts';
import type { PortalToken } from '#gateway/panel/portal-token.ts';
import { type Problem, unreachable } from '#gateway/panel/problem.ts';
import { REFRESH_SECONDS, type Registration, registrationOf } from '#gateway/panel/registration.ts';

export interface Credentials {
  readonly user: string;
  readonly domain: string;
  readonly password: string;
  /** Instead of a password. */
  readonly token?: PortalToken;
}

export type ConnectionState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'online' }
  | { readonly kind: 'offline'; readonly problem: Problem; readonly retryAtMs: number }
  /** The server no longer takes the credentials: only a new sign-in helps. */
  | { readonly kind: 'refused'; readonly problem: Problem };

export interface ConnectionEvents extends LampEvents {
  onState(state: ConnectionState): void;
  onInvite(invitation: Invitation): void;
  onMessage(message: Message): void;
}

/** How long a call may ring here; the server's own limit comes first. */
const NO_ANSWER_SECONDS = 300;
/** A portal that has no new token is not asked all the time. */
const LEAST_REFRESH_MS = 15_000;

export class Connection {
  /** Calls and messages go over it, too. */
  readonly agent: UserAgent;
  readonly #registration: Registration;
  readonly #token: PortalToken | undefined;
  readonly #events: ConnectionEvents;
  readonly #host: string;
  readonly #lamps = new Map<string, LampSubscription>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Ends a sign-in that waits on a line which has just gone. */
  #failConnect: () => void = () => undefined;
  #attempt = 0;
  #online = false;
  #closed = false;

  constructor(
    server: URL,
    credentials: Credentials,
    device: { readonly instanceId: string; readonly media: SessionDescriptionHandlerFactory },
    events: ConnectionEvents,
  ) {
    this.#events = events;
    this.#host = server.host;
    this.agent = userAgentFor(server, credentials, device.instanceId, device.media);
    this.agent.delegate = {
      onDisconnect: (error) => {
        if (error !== undefined) this.#lost(unreachable(this.#host));
        this.#failConnect();
      },
      onInvite: (invitation) => events.onInvite(invitation),
      onMessage: (message) => events.onMessage(message),
    };
    this.#token = credentials.token;
    this.#registration = registrationOf(this.agent, credentials.token);
  }

  /**
   * Connects and registers for the first time.
   * @returns what is wrong; `undefined` once signed in, and from then on the connection keeps itself up
   */
  async signIn(): Promise<Problem | undefined> {
    this.#events.onState({ kind: 'connecting' });
    const problem = await this.#connect();
    if (problem === undefined) this.#nowOnline();
    else await this.close();
    return problem;
  }

  /** Watches exactly these extensions from now on. */
  watch(extensions: readonly string[]): void {
    for (const [extension, lamp] of this.#lamps) {
      if (extensions.includes(extension)) continue;
      lamp.stop(this.#online);
      this.#lamps.delete(extension);
    }
    for (const extension of extensions) {
      if (this.#lamps.has(extension)) continue;
      const lamp = new LampSubscription(this.agent, extension, this.#events);
      this.#lamps.set(extension, lamp);
      if (this.#online) lamp.resume();
    }
  }

  /** Asks for one colleague's full state again. */
  refresh(extension: string): void {
    if (this.#online) this.#lamps.get(extension)?.refresh();
  }

  /** Tries at once instead of waiting: the network came back, or the user asked. */
  retryNow(): void {
    if (this.#closed || this.#online || this.#timer === undefined) return;
    clearTimeout(this.#timer);
    void this.#reconnect();
  }

  /** The browser says that the network is gone: no need to wait for the silence to be noticed. */
  networkLost(): void {
    if (this.#online) this.#dropLine();
  }

  /** Signs out: ends subscriptions and binding, then the line. Nothing is reported after this. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.agent.delegate = {};
    for (const lamp of this.#lamps.values()) lamp.stop(this.#online);
    if (this.#online) await this.#registration.unregister();
    this.#online = false;
    await this.agent.stop().catch(() => undefined);
  }

  async #connect(): Promise<Problem | undefined> {
    try {
      await (this.agent.state === UserAgentState.Stopped ? this.agent.start() : this.agent.reconnect());
    } catch {
      return unreachable(this.#host);
    }
    const socket = this.agent.transport instanceof Web.Transport ? this.agent.transport.ws : undefined;
    if (socket !== undefined) keepAlive(socket, () => this.#dropLine());
    const lineLost = new Promise<Problem>((resolve) => {
      this.#failConnect = () => resolve(unreachable(this.#host));
    });
    return Promise.race([this.#registration.register(), lineLost]);
  }

  #nowOnline(): void {
    this.#online = true;
    this.#attempt = 0;
    this.#events.onState({ kind: 'online' });
    for (const lamp of this.#lamps.values()) lamp.resume();
    this.#refreshLater();
  }

  #refreshLater(): void {
    this.#timer = setTimeout(async () => {
      const problem = await this.#registration.register();
      if (!this.#online) return;
      if (problem === undefined) this.#refreshLater();
      else if (problem.passing) this.#dropLine();
      else this.#refused(problem);
    }, this.#refreshInMs());
  }

  /** A token that is about to end is renewed by the next REGISTER. */
  #refreshInMs(): number {
    const renewInMs = this.#token?.renewInMs(Date.now()) ?? Number.POSITIVE_INFINITY;
    return Math.min(REFRESH_SECONDS * 1_000, Math.max(renewInMs, LEAST_REFRESH_MS));
  }

  /** Closing a dead socket can take a minute until the browser gives up; the line counts as lost at once. */
  #dropLine(): void {
    void this.agent.transport.disconnect().catch(() => undefined);
    this.#lost(unreachable(this.#host));
  }

  #lost(problem: Problem): void {
    if (this.#closed || !this.#online) return;
    this.#online = false;
    clearTimeout(this.#timer);
    for (const lamp of this.#lamps.values()) lamp.suspend();
    this.#retryLater(problem);
  }

  #retryLater(problem: Problem): void {
    const waitMs = backoffMs(RECONNECT, this.#attempt, Math.random());
    this.#attempt += 1;
    this.#events.onState({ kind: 'offline', problem, retryAtMs: Date.now() + waitMs });
    this.#timer = setTimeout(() => void this.#reconnect(), waitMs);
  }

  async #reconnect(): Promise<void> {
    this.#timer = undefined;
    this.#events.onState({ kind: 'connecting' });
    const problem = await this.#connect();
    if (this.#closed) return;
    if (problem === undefined) this.#nowOnline();
    else if (problem.passing) this.#retryLater(problem);
    else this.#refused(problem);
  }

  #refused(problem: Problem): void {
    void this.close();
    this.#events.onState({ kind: 'refused', problem });
  }
}

function userAgentFor(
  server: URL,
  { user, domain, password }: Credentials,
  instanceId: string,
  sessionDescriptionHandlerFactory: SessionDescriptionHandlerFactory,
): UserAgent {
  const uri = UserAgent.makeURI(`sip:${encodeURIComponent(user)}@${domain}`);
  if (uri === undefined) throw new Error(`not a SIP address: ${user}@${domain}`);
  return new UserAgent({
    uri,
    authorizationUsername: user,
    authorizationPassword: password,
    instanceId,
    sessionDescriptionHandlerFactory,
    noAnswerTimeout: NO_ANSWER_SECONDS,
    // A call that replaces another must not ring first.
    sendInitialProvisionalResponse: false,
    // Said here and done by the call desk: sip.js itself cannot replace a call that only rings.
    sipExtensionExtraSupported: ['replaces'],
    // Stopping must not wait for answers on a line that may be dead; close() says goodbye itself.
    gracefulShutdown: false,
    logBuiltinEnabled: false,
    logLevel: 'error',
    userAgentString: 'Lampfield panel',
    transportOptions: { server: server.href, connectionTimeout: 8, traceSip: false },
  });
}
