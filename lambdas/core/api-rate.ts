/** How fast a tenant may ask the HTTP API, or change its lamps there, and how it is told (RateLimit fields, draft-ietf-httpapi-ratelimit-headers). PURE. */
import { Problem } from './problem.ts';
import { type Bucket, newBucket, secondsToToken, takeToken } from './token-bucket.ts';

/** So many seconds of the rate may come at once. */
const BURST_SECONDS = 5;
const MAX_TENANTS = 10_000;

/** Buckets of the tenants that have asked lately; the one that has not for longest goes first. */
export class ApiRates {
  readonly #policy: string;
  readonly #buckets = new Map<string, Bucket>();

  /** @param policy its name in the fields */
  constructor(policy: string) {
    this.#policy = policy;
  }

  /**
   * Counts what is asked. What is more than can be saved at all needs everything.
   * @returns header fields that tell what is left
   * @throws {Problem} 429 with Retry-After and the same fields
   */
  take(tenant: string, perSecond: number, nowMs: number, count = 1): Readonly<Record<string, string>> {
    const bucket = this.#buckets.get(tenant) ?? newBucket(nowMs);
    this.#buckets.delete(tenant);
    this.#buckets.set(tenant, bucket);
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= MAX_TENANTS) break;
      this.#buckets.delete(oldest);
    }
    const rate = { perSecond, burst: perSecond * BURST_SECONDS };
    const cost = Math.min(count, Math.max(1, rate.burst));
    const isTaken = takeToken(bucket, rate, nowMs, cost);
    const fields = fieldsOf(this.#policy, bucket, perSecond);
    if (isTaken) return fields;
    const seconds = Math.min(MAX_RETRY_SECONDS, secondsToToken(bucket, rate, cost));
    throw new Problem(429, 'This tenant asks for too much at a time.', { ...fields, 'retry-after': String(seconds) });
  }
}

const MAX_RETRY_SECONDS = 60;

function fieldsOf(policy: string, { tokens }: Bucket, perSecond: number): Record<string, string> {
  const quota = perSecond * BURST_SECONDS;
  const secondsToFull = perSecond === 0 ? MAX_RETRY_SECONDS : Math.ceil((quota - tokens) / perSecond);
  return {
    'ratelimit-policy': `"${policy}";q=${quota};w=${BURST_SECONDS}`,
    ratelimit: `"${policy}";r=${Math.floor(tokens)};t=${secondsToFull}`,
  };
}
