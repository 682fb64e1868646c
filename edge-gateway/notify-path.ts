/** Outbound, in reading order: a state arrives for subscriptions, waits its turn, becomes a NOTIFY, is answered. */
import type { SubscriptionId } from '#contract/ids.ts';
import type { Notification, TerminationReason } from '#contract/schemas.ts';
import type { RateControl } from '#core/rate-control.ts';
import type { SipResponse } from '#core/sip/message.ts';
import type { Flow } from './flow-table.ts';
import { gatherChanges, offerMember } from './list-subscription.ts';
import { retryAfterSeconds } from './notify-answer.ts';
import { NO_ANSWER, NotifyMemory } from './notify-memory.ts';
import { activeState, bodiless, composeNotify, NOTIFY_BRANCH_PREFIX, newestOf, newsFor } from './notify-message.ts';
import type { MemberState, NotifyPathPorts, NotifyPathSettings } from './notify-path-ports.ts';
import { RateKeeper } from './rate-keeper.ts';
import { ReadyFlows } from './ready-flows.ts';
import {
  type Content,
  type Document,
  internDocument,
  OutstandingQueue,
  type Subscription,
  WakeWheel,
  type WatchedList,
} from './subscription-table.ts';
import { judgeNotifyAnswer } from './transaction.ts';

/** Timer F: 64 * T1 (RFC 3261 section 17.1.2.2). */
export const TIMER_F_MS = 32_000;

export class NotifyPath {
  readonly #settings: NotifyPathSettings;
  readonly #ports: NotifyPathPorts;
  /** What was sent of late, and its answers. */
  readonly memory: NotifyMemory;
  readonly #outstanding = new OutstandingQueue();
  readonly #wheel: WakeWheel;
  readonly #rates: RateKeeper;
  readonly #ready: ReadyFlows;

  constructor(settings: NotifyPathSettings, ports: NotifyPathPorts) {
    this.#settings = settings;
    this.#ports = ports;
    this.#wheel = new WakeWheel(ports.nowMs());
    this.memory = new NotifyMemory(ports.nowMs());
    this.#ready = new ReadyFlows(
      (flow) => this.#sendUnsent(flow),
      () => ports.outbox.flush(),
    );
    this.#rates = new RateKeeper({
      nowMs: ports.nowMs,
      release: (subscription) => this.#sendNext(subscription),
      repeat: (subscription) => this.#repeat(subscription),
    });
  }

  get outstanding(): number {
    return this.#outstanding.size;
  }

  /** Takes one state for many subscriptions; the document is shared by all of them. */
  takeState(subscriptions: readonly Subscription[], notification: Notification, of: MemberState = {}): void {
    let document: Document | undefined;
    for (const subscription of subscriptions) {
      if (subscription.list !== undefined) {
        this.#takeMember(subscription, subscription.list, of, notification);
        continue;
      }
      document ??= internDocument(subscription.resource, notification);
      this.#offer(subscription, document);
    }
    this.#ready.schedule();
  }

  /** The first change of a list's member opens a window; all that change within it go in one NOTIFY. */
  #takeMember(subscription: Subscription, list: WatchedList, of: MemberState, state: Notification): void {
    if (of.presentity === undefined || !offerMember(list, of.presentity, state, of.instance)) {
      this.#ports.counts.notifiesStale++;
      return;
    }
    if (subscription.waiting !== undefined) return;
    subscription.waiting = { ...subscription.delivered, changedAtMs: state.changedAtMs };
    gatherChanges(list, this.#settings.listWindowMs, () => {
      this.#ready.addFlowOf(subscription);
      this.#ready.schedule();
    });
  }

  /**
   * Latest wins: an older or equal state is dropped, a newer one replaces the one that waits. The first one activates: a
   * decision has a new version, so what is not newer was rendered for one who might see until then.
   */
  #offer(subscription: Subscription, document: Document): void {
    if (document.presentityVersion <= newestOf(subscription).presentityVersion) {
      this.#ports.counts.notifiesStale++;
      return;
    }
    subscription.isPending = false;
    if (subscription.waiting !== undefined) this.#ports.counts.notifiesReplaced++;
    subscription.waiting = document;
    this.#ready.addFlowOf(subscription);
  }

  /** Sends what waits for a flow, unless its socket does not drain: then the states wait, newest only. */
  #sendUnsent(flow: Flow): number {
    const { unsent } = flow;
    if (unsent === undefined || flow.closed) return 0;
    const now = this.#ports.nowMs();
    if (flow.stream.writableLength > this.#settings.holdBackBytes) {
      if (flow.heldBackSinceMs === 0) flow.heldBackSinceMs = now;
      return 0;
    }
    flow.heldBackSinceMs = 0;
    const some = this.#ready.takeSlice(flow, unsent);
    for (const subscription of some) this.#sendWaiting(subscription, now);
    return some.size;
  }

  #sendWaiting(subscription: Subscription, now: number): void {
    const { waiting, flow } = subscription;
    if (waiting === undefined || flow === undefined || subscription.sentAtMs !== 0) return;
    if (subscription.list?.isGathering === true) return;
    if (subscription.holdUntilMs > now) {
      if (subscription.rate !== undefined) this.#rates.held(subscription, subscription.rate);
      return;
    }
    subscription.waiting = undefined;
    const delayMs = subscription.delayOf(waiting, now);
    if (delayMs !== undefined) this.#ports.lampLatency.observe(delayMs);
    const content = newsFor(subscription, waiting);
    this.#send(subscription, flow, waiting, activeState(subscription, now), content);
    this.#outstanding.push(subscription, now);
  }

  #send(subscription: Subscription, flow: Flow, document: Document, state: string, content: Content = document): void {
    subscription.delivered = document;
    subscription.needsWhole = false;
    const { list } = subscription;
    const sent = list === undefined ? content : list.document.compose(subscription.documentVersion);
    const text = composeNotify(subscription, sent, state);
    if (list?.document.hasChanges) subscription.waiting = document;
    subscription.cseq++;
    const hasVersion = sent.after !== undefined;
    this.memory.sent(subscription, document.presentityVersion, hasVersion, this.#ports.nowMs());
    if (hasVersion) subscription.documentVersion = (subscription.documentVersion + 1) >>> 0;
    if (subscription.rate !== undefined) this.#rates.sent(subscription, subscription.rate);
    this.#ports.counts.notifiesSent++;
    this.#ports.outbox.send(flow, text);
    this.#ports.log.trace({ hop: 'notify', callId: subscription.callId, state }, 'NOTIFY sent');
  }

  /** The socket of a flow has drained, or a flow came back: what waited may go. */
  resume(flow: Flow): void {
    if (flow.unsent === undefined) return;
    this.#ready.add(flow);
    this.#ready.schedule();
  }

  /**
   * The NOTIFY that follows every 2xx to a SUBSCRIBE (RFC 6665 section 4.2.1.2), with the newest state known here.
   * It goes at once, whatever is outstanding: an earlier one may have died with its flow.
   * @param isKnown the watcher has this document: if it is still the newest, the NOTIFY has no body (RFC 5839)
   */
  notifyRefreshed(subscription: Subscription, document: Document, isKnown = false): void {
    const newest = [document, subscription.delivered, subscription.waiting ?? document].reduce((a, b) =>
      b.presentityVersion > a.presentityVersion ? b : a,
    );
    const { flow } = subscription;
    const now = this.#ports.nowMs();
    subscription.waiting = undefined;
    subscription.holdUntilMs = 0;
    this.#wheel.add(subscription, subscription.expiresAtMs);
    if (flow === undefined) return;
    const content = isKnown && newest.entityTag === document.entityTag ? bodiless(newest) : newest;
    this.#send(subscription, flow, newest, activeState(subscription, now), content);
    this.#outstanding.push(subscription, now);
  }

  /** A refresh whose watcher has this document and wants no NOTIFY (RFC 5839); a newer state still goes out. */
  refreshSilently(subscription: Subscription, document: Document): void {
    this.#wheel.add(subscription, subscription.expiresAtMs);
    if (document.presentityVersion > subscription.delivered.presentityVersion) subscription.delivered = document;
    const { waiting } = subscription;
    if (waiting === undefined) return;
    if (waiting.presentityVersion <= document.presentityVersion) subscription.waiting = undefined;
    else this.#sendNext(subscription);
  }

  /** Takes the rate control of the newest SUBSCRIBE (RFC 6446); most have none. */
  setRate(subscription: Subscription, control: RateControl | undefined): void {
    this.#rates.set(subscription, control);
  }

  /** The watcher wants to hear something: the state that it has, once more. @returns false when it can hear nothing */
  #repeat(subscription: Subscription): boolean {
    if (this.#ports.subscriptions.get(subscription.id) !== subscription || subscription.flow === undefined)
      return false;
    if (subscription.sentAtMs === 0) {
      subscription.list?.document.demandFull();
      subscription.waiting ??= subscription.delivered;
      this.#sendNext(subscription);
    }
    return true;
  }

  /**
   * Ends a subscription with its last NOTIFY; a parked one ends silently.
   * @param isKnown the watcher has the last document: its NOTIFY has no body (RFC 5839)
   */
  terminate(
    subscription: Subscription,
    reason: TerminationReason,
    last = newestOf(subscription),
    isKnown = false,
  ): void {
    const { flow, list } = subscription;
    list?.document.end(reason);
    if (flow !== undefined && !flow.closed)
      this.#send(subscription, flow, last, `terminated;reason=${reason}`, isKnown ? bodiless(last) : last);
    this.forget(subscription);
  }

  /** Drops a subscription from this gateway without a word. */
  forget(subscription: Subscription): void {
    this.#outstanding.remove(subscription);
    this.#rates.stop(subscription);
    subscription.flow?.subscriptions.delete(subscription);
    subscription.flow?.unsent?.delete(subscription);
    if (subscription.flow === undefined && subscription.parkedUntilMs > 0) this.#ports.subscriptions.parked--;
    subscription.flow = undefined;
    subscription.parkedUntilMs = 0;
    this.memory.forget(subscription);
    if (this.#ports.subscriptions.remove(subscription)) this.#ports.counts.subscriptionsEnded++;
  }

  /** A flow is gone: its subscriptions are parked until they expire or are taken over. */
  park(flow: Flow): void {
    const now = this.#ports.nowMs();
    for (const subscription of flow.subscriptions) {
      this.#outstanding.remove(subscription);
      subscription.list?.document.demandFull();
      subscription.flow = undefined;
      if (this.#ports.subscriptions.parked >= this.#settings.maxParked) {
        this.#ports.counts.parkingOverflow++;
        this.#drop(subscription, false);
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
    const subscription = this.#answered(flow, branch, 200);
    if (subscription === undefined) return;
    this.#ports.counts.notifiesAnswered++;
    subscription.suspect = false;
    this.#sendNext(subscription);
  }

  /** Handles any answer to a NOTIFY. */
  takeAnswer(flow: Flow, branch: string, response: SipResponse): void {
    if (response.status < 200) return;
    if (response.status < 300) this.takeSuccess(flow, branch);
    else this.#takeFailure(this.#answered(flow, branch, response.status), response);
  }

  /** @returns the subscription whose outstanding NOTIFY has this branch, now no longer outstanding */
  #answered(flow: Flow, branch: string, status: number): Subscription | undefined {
    const numberAt = branch.lastIndexOf('.') + 1;
    const id = branch.slice(NOTIFY_BRANCH_PREFIX.length, numberAt - 1) as SubscriptionId;
    const subscription = this.#ports.subscriptions.get(id);
    if (subscription === undefined || subscription.flow !== flow || subscription.sentAtMs === 0) return undefined;
    if (Number(branch.slice(numberAt)) !== subscription.cseq - 1) return undefined;
    this.memory.answered(subscription, status, this.#ports.nowMs() - subscription.sentAtMs);
    this.#outstanding.remove(subscription);
    return subscription;
  }

  #sendNext(subscription: Subscription): void {
    if (subscription.waiting === undefined) return;
    this.#ready.addFlowOf(subscription);
    this.#ready.schedule();
  }

  #takeFailure(subscription: Subscription | undefined, response: SipResponse): void {
    if (subscription === undefined) return;
    const { counts, log } = this.#ports;
    counts.notifiesFailed++;
    subscription.demandWhole();
    const retryAfter = retryAfterSeconds(response);
    const verdict = judgeNotifyAnswer(response.status, retryAfter !== undefined);
    const { id, callId } = subscription;
    log.info({ hop: 'notify-answer', subscription: id, callId, status: response.status, verdict }, 'NOTIFY failed');
    if (verdict === 'ended' || (verdict === 'suspect' && !subscription.becomeSuspect())) {
      this.#drop(subscription, true);
      return;
    }
    if (verdict === 'retryAfter') {
      subscription.waiting ??= subscription.delivered;
      subscription.holdUntilMs = this.#ports.nowMs() + (retryAfter ?? 1) * 1000;
      this.#wheel.add(subscription, subscription.holdUntilMs);
    }
    this.#sendNext(subscription);
  }

  #drop(subscription: Subscription, hasFailed: boolean): void {
    this.forget(subscription);
    this.#ports.reportEnded(subscription, hasFailed);
  }

  /** Once a second: timer F, expiry, end of parking, end of Retry-After. */
  advance(now: number): void {
    for (;;) {
      const late = this.#outstanding.takeSentBefore(now - TIMER_F_MS);
      if (late === undefined) break;
      this.#ports.counts.notifiesTimedOut++;
      this.memory.answered(late, NO_ANSWER, TIMER_F_MS);
      late.demandWhole();
      if (!late.becomeSuspect()) this.#drop(late, true);
      else if (late.waiting !== undefined) this.#ready.addFlowOf(late);
    }
    this.#wheel.advance(now, (subscription) => this.#wake(subscription, now));
    this.#ready.schedule();
  }

  #wake(subscription: Subscription, now: number): void {
    if (this.#ports.subscriptions.get(subscription.id) !== subscription) return;
    if (subscription.expiresAtMs <= now) {
      this.terminate(subscription, 'timeout');
      this.#ports.reportEnded(subscription, false);
    } else if (subscription.parkedUntilMs > 0 && subscription.parkedUntilMs <= now) this.#drop(subscription, false);
    else if (subscription.waiting !== undefined && subscription.holdUntilMs <= now) this.#ready.addFlowOf(subscription);
  }
}
