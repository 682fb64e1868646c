/** A subscription to one colleague's dialogs (RFC 6665) that outlives lost connections and comes back after failures. */
import { type Core, UserAgent } from 'sip.js';
import { backoffMs, RESUBSCRIBE } from '#gateway/panel/backoff.ts';

const EXPIRES_SECONDS = 1_800;
/** Statuses and reasons that trying again soon does not change. */
const LASTING_STATUSES: readonly number[] = [403, 404, 405, 406, 416, 489, 604];
const LASTING_REASONS: readonly string[] = ['rejected', 'noresource', 'invariant'];

export interface LampEvents {
  /** A subscription begins: its documents count anew. */
  onStart(extension: string): void;
  onDocument(extension: string, xml: string): void;
  /** It has ended and will be tried again. */
  onLost(extension: string): void;
  onRefused(extension: string, reason: string): void;
}

export class LampSubscription {
  readonly #agent: UserAgent;
  readonly #extension: string;
  readonly #events: LampEvents;
  #request: Core.OutgoingSubscribeRequest | undefined;
  #dialog: Core.Subscription | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #attempt = 0;
  /** Counts usages; what an abandoned one still reports is not ours. */
  #usage = 0;

  constructor(agent: UserAgent, extension: string, events: LampEvents) {
    this.#agent = agent;
    this.#extension = extension;
    this.#events = events;
  }

  /** Subscribes, or takes the running subscription over to the new flow, which also brings the current state. */
  resume(): void {
    clearTimeout(this.#retry);
    if (this.#dialog === undefined) this.#subscribe();
    else this.refresh();
  }

  /** Asks for the full state again (a refresh is always answered by a NOTIFY). */
  refresh(): void {
    const usage = this.#usage;
    const request = this.#dialog?.refresh();
    if (request === undefined) return;
    request.delegate = {
      onReject: ({ message }) => {
        if (usage === this.#usage && message.statusCode !== 503) this.#ended(usage);
      },
    };
  }

  /** The line is down: nothing is sent until `resume`. */
  suspend(): void {
    clearTimeout(this.#retry);
    if (this.#dialog === undefined) this.#abandon();
  }

  /** Ends the subscription; when the line is up, the server is told. */
  stop(connected: boolean): void {
    const dialog = this.#dialog;
    this.#abandon();
    if (dialog === undefined) return;
    dialog.delegate = { onNotify: (request) => void request.accept() };
    if (connected) dialog.unsubscribe();
    else dialog.dispose();
  }

  #abandon(): void {
    this.#usage += 1;
    clearTimeout(this.#retry);
    this.#request?.waitNotifyStop();
    this.#request = undefined;
    this.#dialog = undefined;
  }

  #subscribe(): void {
    this.#abandon();
    const usage = this.#usage;
    const { uri } = this.#agent.configuration;
    const target = UserAgent.makeURI(`sip:${encodeURIComponent(this.#extension)}@${uri.host}`);
    if (target === undefined) {
      this.#events.onRefused(this.#extension, 'not an extension');
      return;
    }
    this.#events.onStart(this.#extension);
    const message = this.#agent.userAgentCore.makeOutgoingRequestMessage('SUBSCRIBE', target, uri, target, {}, [
      'Event: dialog',
      `Expires: ${EXPIRES_SECONDS}`,
      'Accept: application/dialog-info+xml',
      `Contact: ${this.#agent.contact.toString()}`,
      'Allow: NOTIFY, OPTIONS',
    ]);
    this.#request = this.#agent.userAgentCore.subscribe(message, {
      onNotify: ({ request, subscription }) => this.#opened(usage, request, subscription),
      onNotifyTimeout: () => this.#ended(usage),
      onReject: ({ message: { statusCode = 0, reasonPhrase = '' } }) =>
        LASTING_STATUSES.includes(statusCode) ? this.#refused(usage, reasonPhrase) : this.#ended(usage),
    });
  }

  #opened(usage: number, first: Core.IncomingNotifyRequest, dialog: Core.Subscription | undefined): void {
    if (usage !== this.#usage) {
      void first.accept();
      return;
    }
    this.#dialog = dialog;
    if (dialog !== undefined) {
      dialog.autoRefresh = true;
      dialog.delegate = {
        onNotify: (request) => this.#notified(usage, request),
        onTerminated: () => this.#ended(usage),
      };
    }
    this.#notified(usage, first);
  }

  #notified(usage: number, notify: Core.IncomingNotifyRequest): void {
    void notify.accept();
    if (usage !== this.#usage) return;
    this.#attempt = 0;
    if (notify.message.body !== '') this.#events.onDocument(this.#extension, notify.message.body);
    const state = subscriptionState(notify.message.getHeader('Subscription-State') ?? '');
    if (state.value !== 'terminated') return;
    if (LASTING_REASONS.includes(state.reason)) this.#refused(usage, state.reason);
    else this.#ended(usage);
  }

  #refused(usage: number, reason: string): void {
    if (usage !== this.#usage) return;
    this.#abandon();
    this.#events.onRefused(this.#extension, reason);
  }

  #ended(usage: number): void {
    if (usage !== this.#usage) return;
    this.#abandon();
    this.#events.onLost(this.#extension);
    const waitMs = backoffMs(RESUBSCRIBE, this.#attempt, Math.random());
    this.#attempt += 1;
    this.#retry = setTimeout(() => this.#subscribe(), waitMs);
  }
}

/** Reads a Subscription-State value (RFC 6665 section 8.2.3). */
export function subscriptionState(value: string): { readonly value: string; readonly reason: string } {
  const [state = '', ...params] = value.split(';').map((part) => part.trim().toLowerCase());
  const reason = params.find((param) => /^reason\s*=/.test(param))?.replace(/^reason\s*=\s*/, '') ?? '';
  return { value: state, reason };
}
