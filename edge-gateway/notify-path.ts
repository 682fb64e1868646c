/** Outbound, in reading order: a state arrives for subscriptions, waits its turn, becomes a NOTIFY, is answered. */
import type { SubscriptionId } from '#contract/ids.ts';
import type { Notification, TerminationReason } from '#contract/schemas.ts';
import { parseSeconds } from '#core/sip/header.ts';
import type { SipResponse } from '#core/sip/message.ts';
import type { Flow } from './flow-table.ts';
import type { Outbox } from './outbox.ts';
import {
  type Content,
  type Document,
  internDocument,
  OutstandingQueue,
  type Subscription,
  type SubscriptionTable,
  WakeWheel,
} from './subscription-table.ts';
import type { Counts, Log } from './telemetry.ts';
import { judgeNotifyAnswer } from './transaction.ts';

/** Timer F: 64 * T1 (RFC 3261 section 17.1.2.2). */
export const TIMER_F_MS = 32_000;
/** Flows served before the event loop may turn: a fan-out never blocks the gateway for long. */
const FLOWS_PER_TURN = 256;
const MAX_RETRY_AFTER_SECONDS = 300;

export interface NotifyPathSettings {
  readonly holdBackBytes: number;
  readonly parkingMs: number;
  readonly maxParked: number;
}

export interface NotifyPathPorts {
  readonly subscriptions: SubscriptionTable;
  readonly outbox: Outbox;
  readonly counts: Counts;
  readonly log: Log;
  readonly nowMs: () => number;
  /** A subscription that the table of the functions still lists is gone from here. */
  readonly reportEnded: (subscription: Subscription) => void;
}

export class NotifyPath {
  readonly #settings: NotifyPathSettings;
  readonly #ports: NotifyPathPorts;
  readonly #outstanding = new OutstandingQueue();
  readonly #wheel: WakeWheel;
  #ready: Flow[] = [];
  #turnScheduled = false;

  constructor(settings: NotifyPathSettings, ports: NotifyPathPorts) {
    this.#settings = settings;
    this.#ports = ports;
    this.#wheel = new WakeWheel(ports.nowMs());
  }

  get outstanding(): number {
    return this.#outstanding.size;
  }

  /** Takes one state for many subscriptions; the document is shared by all of them. */
  takeState(subscriptions: readonly Subscription[], notification: Notification): void {
    let document: Document | undefined;
    for (const subscription of subscriptions) {
      document ??= internDocument(subscription.resource, notification);
      this.#offer(subscription, document);
    }
    this.#scheduleTurn();
  }

  /** Latest wins: an older or equal state is dropped, a newer one replaces the one that waits. */
  #offer(subscription: Subscription, document: Document): void {
    const { counts } = this.#ports;
    const newest = subscription.waiting ?? subscription.delivered;
    if (document.presentityVersion <= newest.presentityVersion) {
      counts.notifiesStale++;
      return;
    }
    if (subscription.waiting !== undefined) counts.notifiesReplaced++;
    subscription.waiting = document;
    this.#makeReady(subscription);
  }

  #makeReady(subscription: Subscription): void {
    const { flow } = subscription;
    if (flow === undefined || flow.closed || subscription.sentAtMs !== 0) return;
    if (flow.unsent === undefined) {
      flow.unsent = new Set();
      this.#ready.push(flow);
    }
    flow.unsent.add(subscription);
  }

  #scheduleTurn(): void {
    if (this.#turnScheduled || this.#ready.length === 0) return;
    this.#turnScheduled = true;
    this.#turn();
  }

  #turn(): void {
    const flows = this.#ready.length > FLOWS_PER_TURN ? this.#ready.splice(0, FLOWS_PER_TURN) : this.#ready;
    if (flows === this.#ready) this.#ready = [];
    for (const flow of flows) this.#sendUnsent(flow);
    this.#ports.outbox.flush();
    if (this.#ready.length > 0) setImmediate(() => this.#turn());
    else this.#turnScheduled = false;
  }

  /** Sends what waits for a flow, unless its socket does not drain: then the states wait, newest only. */
  #sendUnsent(flow: Flow): void {
    const { unsent } = flow;
    if (unsent === undefined) return;
    const now = this.#ports.nowMs();
    if (!flow.closed && flow.stream.writableLength > this.#settings.holdBackBytes) {
      if (flow.heldBackSinceMs === 0) flow.heldBackSinceMs = now;
      return;
    }
    flow.heldBackSinceMs = 0;
    flow.unsent = undefined;
    if (flow.closed) return;
    for (const subscription of unsent) this.#sendWaiting(subscription, now);
  }

  #sendWaiting(subscription: Subscription, now: number): void {
    const { waiting, flow } = subscription;
    if (waiting === undefined || flow === undefined || subscription.sentAtMs !== 0) return;
    if (subscription.holdUntilMs > now) return;
    subscription.waiting = undefined;
    const content = newsFor(subscription, waiting);
    this.#send(subscription, flow, waiting, `active;expires=${secondsLeft(subscription, now)}`, now, content);
    this.#outstanding.push(subscription, now);
  }

  #send(
    subscription: Subscription,
    flow: Flow,
    document: Document,
    state: string,
    now: number,
    content: Content = document,
  ): void {
    subscription.delivered = document;
    subscription.needsWhole = false;
    const text = composeNotify(subscription, content, state);
    subscription.cseq++;
    if (content.after !== undefined) subscription.documentVersion = (subscription.documentVersion + 1) >>> 0;
    this.#ports.counts.notifiesSent++;
    this.#ports.outbox.send(flow, text);
    this.#ports.log.trace({ hop: 'notify', subscription: subscription.id, state, at: now }, 'NOTIFY sent');
  }

  /** The socket of a flow has drained, or a flow came back: what waited may go. */
  resume(flow: Flow): void {
    if (flow.unsent === undefined) return;
    this.#ready.push(flow);
    this.#scheduleTurn();
  }

  /**
   * The NOTIFY that follows every 2xx to a SUBSCRIBE (RFC 6665 section 4.2.1.2), with the newest state known here.
   * It goes at once, whatever is outstanding: an earlier one may have died with its flow.
   */
  notifyRefreshed(subscription: Subscription, document: Document): void {
    const newest = [document, subscription.delivered, subscription.waiting ?? document].reduce((a, b) =>
      b.presentityVersion > a.presentityVersion ? b : a,
    );
    const { flow } = subscription;
    const now = this.#ports.nowMs();
    subscription.waiting = undefined;
    subscription.holdUntilMs = 0;
    this.#wheel.add(subscription, subscription.expiresAtMs);
    if (flow === undefined) return;
    this.#send(subscription, flow, newest, `active;expires=${secondsLeft(subscription, now)}`, now);
    this.#outstanding.push(subscription, now);
  }

  /** Ends a subscription with its last NOTIFY; a parked one ends silently. */
  terminate(subscription: Subscription, reason: TerminationReason, document = newestOf(subscription)): void {
    const { flow } = subscription;
    if (flow !== undefined && !flow.closed)
      this.#send(subscription, flow, document, `terminated;reason=${reason}`, this.#ports.nowMs());
    this.forget(subscription);
  }

  /** Drops a subscription from this gateway without a word. */
  forget(subscription: Subscription): void {
    this.#outstanding.remove(subscription);
    subscription.flow?.subscriptions.delete(subscription);
    subscription.flow?.unsent?.delete(subscription);
    if (subscription.flow === undefined && subscription.parkedUntilMs > 0) this.#ports.subscriptions.parked--;
    subscription.flow = undefined;
    subscription.parkedUntilMs = 0;
    if (this.#ports.subscriptions.remove(subscription)) this.#ports.counts.subscriptionsEnded++;
  }

  /** A flow is gone: its subscriptions are parked until they expire or are taken over. */
  park(flow: Flow): void {
    const now = this.#ports.nowMs();
    for (const subscription of flow.subscriptions) {
      this.#outstanding.remove(subscription);
      subscription.flow = undefined;
      if (this.#ports.subscriptions.parked >= this.#settings.maxParked) {
        this.#ports.counts.parkingOverflow++;
        this.#drop(subscription);
        continue;
      }
      subscription.parkedUntilMs = Math.min(subscription.expiresAtMs, now + this.#settings.parkingMs);
      this.#ports.subscriptions.parked++;
      this.#wheel.add(subscription, subscription.parkedUntilMs);
    }
    flow.subscriptions.clear();
    flow.unsent = undefined;
  }

  /** Puts a subscription on a flow: a new one, or one that is taken over from its old or lost flow. */
  attach(subscription: Subscription, flow: Flow): void {
    if (subscription.parkedUntilMs > 0) {
      subscription.parkedUntilMs = 0;
      this.#ports.subscriptions.parked--;
    }
    if (subscription.flow !== flow) {
      this.#outstanding.remove(subscription);
      subscription.flow?.subscriptions.delete(subscription);
      subscription.flow?.unsent?.delete(subscription);
    }
    subscription.flow = flow;
    flow.subscriptions.add(subscription);
  }

  /** Handles a 2xx to a NOTIFY; one that matches no outstanding NOTIFY of this flow is ignored. */
  takeSuccess(flow: Flow, branch: string): void {
    const subscription = this.#answered(flow, branch);
    if (subscription === undefined) return;
    this.#ports.counts.notifiesAnswered++;
    subscription.suspect = false;
    this.#sendNext(subscription);
  }

  /** Handles any answer to a NOTIFY. */
  takeAnswer(flow: Flow, branch: string, response: SipResponse): void {
    if (response.status < 200) return;
    if (response.status < 300) {
      this.takeSuccess(flow, branch);
      return;
    }
    const subscription = this.#answered(flow, branch);
    if (subscription !== undefined && this.#takeFailure(subscription, response)) this.#sendNext(subscription);
  }

  /** @returns the subscription whose outstanding NOTIFY has this branch, now no longer outstanding */
  #answered(flow: Flow, branch: string): Subscription | undefined {
    const numberAt = branch.lastIndexOf('.') + 1;
    const id = branch.slice(NOTIFY_BRANCH_PREFIX.length, numberAt - 1) as SubscriptionId;
    const subscription = this.#ports.subscriptions.get(id);
    if (subscription === undefined || subscription.flow !== flow || subscription.sentAtMs === 0) return undefined;
    if (Number(branch.slice(numberAt)) !== subscription.cseq - 1) return undefined;
    this.#outstanding.remove(subscription);
    return subscription;
  }

  #sendNext(subscription: Subscription): void {
    if (subscription.waiting === undefined) return;
    this.#makeReady(subscription);
    this.#scheduleTurn();
  }

  /** @returns true when the subscription lives on */
  #takeFailure(subscription: Subscription, response: SipResponse): boolean {
    const { counts, log } = this.#ports;
    counts.notifiesFailed++;
    subscription.needsWhole = true;
    const retryAfter = parseSeconds((response.get('retry-after') ?? '').split(/[ ;(]/, 1)[0] ?? '');
    const verdict = judgeNotifyAnswer(response.status, retryAfter !== undefined);
    log.info(
      {
        hop: 'notify-answer',
        subscription: subscription.id,
        callId: subscription.callId,
        status: response.status,
        verdict,
      },
      'NOTIFY failed',
    );
    if (verdict === 'ended' || (verdict === 'suspect' && !this.#suspect(subscription))) {
      this.#drop(subscription);
      return false;
    }
    if (verdict === 'retryAfter') {
      subscription.waiting ??= subscription.delivered;
      subscription.holdUntilMs = this.#ports.nowMs() + Math.min(retryAfter ?? 1, MAX_RETRY_AFTER_SECONDS) * 1000;
      this.#wheel.add(subscription, subscription.holdUntilMs);
    }
    return true;
  }

  /** @returns false when it was suspect already */
  #suspect(subscription: Subscription): boolean {
    if (subscription.suspect) return false;
    subscription.suspect = true;
    return true;
  }

  #drop(subscription: Subscription): void {
    this.forget(subscription);
    this.#ports.reportEnded(subscription);
  }

  /** Once a second: timer F, expiry, end of parking, end of Retry-After. */
  advance(now: number): void {
    for (;;) {
      const late = this.#outstanding.takeSentBefore(now - TIMER_F_MS);
      if (late === undefined) break;
      this.#ports.counts.notifiesTimedOut++;
      late.needsWhole = true;
      if (!this.#suspect(late)) this.#drop(late);
      else if (late.waiting !== undefined) this.#makeReady(late);
    }
    this.#wheel.advance(now, (subscription) => this.#wake(subscription, now));
    this.#scheduleTurn();
  }

  #wake(subscription: Subscription, now: number): void {
    if (this.#ports.subscriptions.get(subscription.id) !== subscription) return;
    if (subscription.expiresAtMs <= now) {
      this.terminate(subscription, 'timeout');
      this.#ports.reportEnded(subscription);
    } else if (subscription.parkedUntilMs > 0 && subscription.parkedUntilMs <= now) this.#drop(subscription);
    else if (subscription.waiting !== undefined && subscription.holdUntilMs <= now) this.#makeReady(subscription);
  }
}

const newestOf = (subscription: Subscription): Document => subscription.waiting ?? subscription.delivered;

/** The difference to what the subscription was sent last, if there is one and it fits; else the whole. */
function newsFor({ delivered, needsWhole }: Subscription, document: Document): Content {
  const { partial } = document;
  return partial !== undefined && !needsWhole && delivered.entityTag === partial.base ? partial.content : document;
}

const secondsLeft = (subscription: Subscription, now: number): number =>
  Math.max(0, Math.round((subscription.expiresAtMs - now) / 1000));

/** The branch of a NOTIFY is its subscription's id and its CSeq number: an answer finds both without a table. */
export const NOTIFY_BRANCH_PREFIX = 'z9hG4bK';

/** Text of the next NOTIFY of a subscription. */
function composeNotify(subscription: Subscription, document: Content, state: string): string {
  const { start, middle, tail, cseq } = subscription;
  const tag = document.entityTag === undefined ? '' : `SIP-ETag: ${document.entityTag}\r\n`;
  const head = `${start}${cseq}${middle}${cseq}${tail}${state}\r\n${tag}Content-Type: ${document.contentType}\r\nContent-Length: `;
  if (document.after === undefined) return `${head}${document.bytes}\r\n\r\n${document.before}`;
  const version = String(subscription.documentVersion);
  return `${head}${document.bytes + version.length}\r\n\r\n${document.before}${version}${document.after}`;
}
