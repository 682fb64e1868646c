/** What one tenant uses of this gateway, and how much of it is its share. PURE: the time comes in as an argument. */
import type { LimitUse } from '#contract/instruction.ts';
import { GATEWAY_LIMITS, type GatewayLimit, type GatewayQuotas } from '#contract/schemas.ts';
import { type Bucket, type BucketRate, newBucket, returnToken, secondsToToken, takeToken } from '#core/token-bucket.ts';

/** A bucket saves so many seconds of its rate: a PBX that starts tells all it knows at once. */
const BURST_SECONDS = 5;

export type HeldLimit = 'flows' | 'subscriptions' | 'calls';
export type RateLimit = Exclude<GatewayLimit, HeldLimit>;

/** Which rate a request counts in beside that of all requests. */
const RATE_OF_METHOD: Readonly<Record<string, RateLimit>> = {
  PUBLISH: 'publicationsPerSecond',
  MESSAGE: 'messagesPerSecond',
};

interface Meter {
  readonly bucket: Bucket;
  rate: BucketRate;
  /** Since the gateway started. */
  admitted: number;
  /** Of `admitted`, up to the last reading, and what came a second before that. */
  readAt: number;
  perSecond: number;
}

export class TenantAccount {
  readonly domain: string;
  /** Flows that have proven an identity of this tenant. */
  flows = 0;
  /** Held for its watchers, parked ones too. */
  subscriptions = 0;
  /** SUBSCRIBEs of new subscriptions that are with their function. */
  opening = 0;
  calls = 0;
  readonly refused: Record<GatewayLimit, number>;
  /** Undefined until a function has said so, which it does with the first proof of an identity. */
  #shares: GatewayQuotas | undefined;
  readonly #meters: Readonly<Record<RateLimit, Meter>>;

  constructor(domain: string, nowMs: number) {
    this.domain = domain;
    this.refused = { ...NOTHING };
    this.#meters = {
      requestsPerSecond: newMeter(nowMs),
      publicationsPerSecond: newMeter(nowMs),
      messagesPerSecond: newMeter(nowMs),
    };
  }

  get isIdle(): boolean {
    return this.flows + this.subscriptions + this.opening + this.calls === 0;
  }

  setShares(shares: GatewayQuotas): void {
    this.#shares = shares;
    for (const limit of RATES) {
      const perSecond = shares[limit];
      this.#meters[limit].rate = { perSecond, burst: perSecond === 0 ? 0 : Math.max(1, perSecond * BURST_SECONDS) };
    }
  }

  /** @returns the seconds to wait when the tenant sends more than its share; undefined when the request may pass */
  takeRequest(method: string, nowMs: number): number | undefined {
    if (this.#shares === undefined) return undefined;
    const own = RATE_OF_METHOD[method];
    if (own !== undefined && !this.#take(own, nowMs)) return this.#secondsTo(own);
    if (this.#take('requestsPerSecond', nowMs)) return undefined;
    if (own !== undefined) this.#giveBack(own);
    return this.#secondsTo('requestsPerSecond');
  }

  /** @returns false when the tenant holds its share */
  hasRoomFor(limit: HeldLimit): boolean {
    return this.#shares === undefined || this.#held(limit) < this.#shares[limit];
  }

  use(): LimitUse[] {
    return GATEWAY_LIMITS.map((limit) => ({
      ...{ limit, share: this.#shares?.[limit] ?? 0, refused: this.refused[limit] },
      used: limit in this.#meters ? this.#meters[limit as RateLimit].perSecond : this.#held(limit as HeldLimit),
    }));
  }

  /** Every `seconds`: how many requests a second passed since. */
  readMeters(seconds: number): void {
    for (const limit of RATES) {
      const meter = this.#meters[limit];
      meter.perSecond = (meter.admitted - meter.readAt) / seconds;
      meter.readAt = meter.admitted;
    }
  }

  #held(limit: HeldLimit): number {
    return limit === 'subscriptions' ? this.subscriptions + this.opening : this[limit];
  }

  #take(limit: RateLimit, nowMs: number): boolean {
    const meter = this.#meters[limit];
    if (takeToken(meter.bucket, meter.rate, nowMs)) {
      meter.admitted++;
      return true;
    }
    this.refused[limit]++;
    return false;
  }

  #giveBack(limit: RateLimit): void {
    const meter = this.#meters[limit];
    returnToken(meter.bucket, meter.rate);
    meter.admitted--;
  }

  #secondsTo(limit: RateLimit): number {
    const { bucket, rate } = this.#meters[limit];
    return secondsToToken(bucket, rate);
  }
}

const RATES = ['requestsPerSecond', 'publicationsPerSecond', 'messagesPerSecond'] as const satisfies RateLimit[];

const NOTHING: Readonly<Record<GatewayLimit, number>> = {
  ...{ flows: 0, subscriptions: 0, calls: 0 },
  ...{ requestsPerSecond: 0, publicationsPerSecond: 0, messagesPerSecond: 0 },
};

const newMeter = (nowMs: number): Meter => ({
  bucket: newBucket(nowMs),
  rate: { perSecond: 0, burst: 0 },
  ...{ admitted: 0, readAt: 0, perSecond: 0 },
});
