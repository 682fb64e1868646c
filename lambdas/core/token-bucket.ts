/** Token buckets: at most `perSecond * t + burst` in any time t. Pure: the time comes in as an argument. */

/** What is left; mutable, because busy paths keep many of them inside of their own objects. */
export interface Bucket {
  /** Below 0 before the first use, which finds it full. */
  tokens: number;
  tokensAtMs: number;
}

export interface BucketRate {
  readonly perSecond: number;
  /** Tokens that can be saved. */
  readonly burst: number;
}

export const newBucket = (nowMs: number): Bucket => ({ tokens: -1, tokensAtMs: nowMs });

/**
 * Takes one token, or as many as are asked for. A clock that goes back gives nothing.
 * @returns false when there are too few
 */
export function takeToken(bucket: Bucket, rate: BucketRate, nowMs: number, count = 1): boolean {
  fill(bucket, rate, nowMs);
  if (bucket.tokens < count) return false;
  bucket.tokens -= count;
  return true;
}

/** Gives back a token that was taken for something that did not happen. */
export function returnToken(bucket: Bucket, { burst }: BucketRate): void {
  bucket.tokens = Math.min(burst, bucket.tokens + 1);
}

/** Whole seconds until there is a token again, or as many as are asked for; at least one. */
export function secondsToToken({ tokens }: Bucket, { perSecond }: BucketRate, count = 1): number {
  return Math.max(1, Math.ceil((count - tokens) / perSecond));
}

function fill(bucket: Bucket, { perSecond, burst }: BucketRate, nowMs: number): void {
  const saved = bucket.tokens < 0 ? burst : bucket.tokens;
  const elapsedMs = Math.max(0, nowMs - bucket.tokensAtMs);
  bucket.tokens = Math.min(burst, saved + (elapsedMs * perSecond) / 1000);
  bucket.tokensAtMs = nowMs;
}
