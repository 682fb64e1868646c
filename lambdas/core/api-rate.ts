/** How fast the keys of a tenant may ask the HTTP API, and how it is told (RateLimit fields, draft-ietf-httpapi-ratelimit-headers). PURE. */
import { Problem } from './problem.ts';
import { type Bucket, newBucket, secondsToToken, takeToken } from './token-bucket.ts';

/** So many seconds of the rate may come at once. */
const BURST_SECONDS = 5;
const MAX_TENANTS = 10_000;

/** Name of the policy in the fields. */
const POLICY = '"tenant"';

/** Buckets of the tenants that have asked lately; the one that has not for longest goes first. */
export class ApiRates {
  readonly #buckets = new Map<string, Bucket>();

  /**
   * Counts one request.
   * @returns header fields that tell what is left
   * @throws {Problem} 429 with Retry-After and the same fields
   */
  take(tenant: string, perSecond: number, nowMs: number): Readonly<Record<string, string>> {
    const bucket = this.#buckets.get(tenant) ?? newBucket(nowMs);
    this.#buckets.delete(tenant);
    this.#buckets.set(tenant, bucket);
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= MAX_TENANTS) break;
      this.#buckets.delete(oldest);
    }
    const rate = { perSecond, burst: perSecond * BURST_SECONDS };
    const isTaken = takeToken(bucket, rate, nowMs);
    const fields = fieldsOf(bucket, perSecond);
    if (isTaken) return fields;
    const seconds = Math.min(MAX_RETRY_SECONDS, secondsToToken(bucket, rate));
    throw new Problem(429, 'This tenant asks too often.', { ...fields, 'retry-after': String(seconds) });
  }
}

const MAX_RETRY_SECONDS = 60;

function fieldsOf({ tokens }: Bucket, perSecond: number): Record<string, string> {
  const quota = perSecond * BURST_SECONDS;
  const secondsToFull = perSecond === 0 ? MAX_RETRY_SECONDS : Math.ceil((quota - tokens) / perSecond);
  return {
    'ratelimit-policy': `${POLICY};q=${quota};w=${BURST_SECONDS}`,
    ratelimit: `${POLICY};r=${Math.floor(tokens)};t=${secondsToFull}`,
  };
}
