/** Rate control of single subscriptions (RFC 6446), for the few watchers that ask for it. */
import { assumedHistory, longestGapMs, type RateControl, shortestGapMs, windowMs } from '#core/rate-control.ts';
import type { Subscription } from './subscription-table.ts';

/** NOTIFYs remembered for an adaptive minimum rate. */
const MAX_REMEMBERED = 256;

export interface RateKeeperPorts {
  readonly nowMs: () => number;
  /** The gap is over: what waits may go. */
  readonly release: (subscription: Subscription) => void;
  /** Nothing was sent for the longest gap: the same state again. @returns false when that makes no sense any more */
  readonly repeat: (subscription: Subscription) => boolean;
}

/** What a rate-controlled subscription carries. */
export interface RateState {
  readonly control: RateControl;
  sentAtMs: number[];
  releaseTimer: NodeJS.Timeout | undefined;
  repeatTimer: NodeJS.Timeout | undefined;
}

export class RateKeeper {
  readonly #ports: RateKeeperPorts;

  constructor(ports: RateKeeperPorts) {
    this.#ports = ports;
  }

  /** Takes the rates of the newest SUBSCRIBE; those of the one before it end. */
  set(subscription: Subscription, control: RateControl | undefined): void {
    const before = subscription.rate;
    if (before === undefined && control === undefined) return;
    this.stop(subscription);
    subscription.holdUntilMs = 0;
    if (control === undefined) return;
    const isContinued = before !== undefined && before.control.adaptiveMinRate !== undefined;
    const sentAtMs = isContinued ? before.sentAtMs : assumedHistory(control, this.#ports.nowMs());
    subscription.rate = { control, sentAtMs, releaseTimer: undefined, repeatTimer: undefined };
  }

  /** A NOTIFY was sent: from here the gaps count. */
  sent(subscription: Subscription, rate: RateState): void {
    const now = this.#ports.nowMs();
    const since = now - windowMs(rate.control);
    rate.sentAtMs = [...rate.sentAtMs.filter((at) => at > since), now].slice(-MAX_REMEMBERED);
    subscription.holdUntilMs = Math.max(subscription.holdUntilMs, now + shortestGapMs(rate.control));
    clearTimeout(rate.releaseTimer);
    rate.releaseTimer = undefined;
    this.#armRepeat(subscription, rate);
  }

  /** A state waits behind the shortest gap. */
  held(subscription: Subscription, rate: RateState): void {
    if (rate.releaseTimer !== undefined) return;
    const wait = Math.max(0, subscription.holdUntilMs - this.#ports.nowMs());
    rate.releaseTimer = setTimeout(() => {
      rate.releaseTimer = undefined;
      this.#ports.release(subscription);
    }, wait);
  }

  stop(subscription: Subscription): void {
    clearTimeout(subscription.rate?.releaseTimer);
    clearTimeout(subscription.rate?.repeatTimer);
    subscription.rate = undefined;
  }

  #armRepeat(subscription: Subscription, rate: RateState): void {
    clearTimeout(rate.repeatTimer);
    const gap = longestGapMs(rate.control, rate.sentAtMs, this.#ports.nowMs());
    if (gap === undefined) return;
    rate.repeatTimer = setTimeout(() => {
      if (subscription.rate === rate && this.#ports.repeat(subscription)) this.#armRepeat(subscription, rate);
    }, gap);
  }
}
