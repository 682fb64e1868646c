/** Notifier-side subscription rules (RFC 6665 section 4.2). Pure: time and chance come in as arguments. */
import { SipRejection } from './error.ts';

/** Seconds that a tenant allows. */
export interface ExpiryPolicy {
  readonly minExpiresSeconds: number;
  readonly defaultExpiresSeconds: number;
  readonly maxExpiresSeconds: number;
}

/** From this grant on, a share is taken off at random, so that a herd that arrives together does not return together. */
const JITTER_FROM_SECONDS = 600;
const JITTER_SHARE = 0.1;

/**
 * Chooses how long something lives (RFC 6665 section 4.2.1.1, RFC 3903 section 6).
 * @param requestedSeconds Expires; `undefined` if absent, `0` to fetch, unsubscribe or remove
 * @param chance 0 to 1, spreads long grants; 0 for no spread
 * @returns granted seconds, never more than requested
 * @throws {SipRejection} 423 with Min-Expires when a non-zero request is under the minimum
 */
export function grantExpiry(requestedSeconds: number | undefined, policy: ExpiryPolicy, chance = 0): number {
  const { minExpiresSeconds, defaultExpiresSeconds, maxExpiresSeconds } = policy;
  // Zero is a fetch, not a short subscription, so the minimum does not apply.
  if (requestedSeconds === 0) return 0;
  const wantedSeconds = requestedSeconds ?? defaultExpiresSeconds;
  if (wantedSeconds < minExpiresSeconds) {
    throw new SipRejection(423, 'Interval Too Brief', [['Min-Expires', String(minExpiresSeconds)]]);
  }
  const granted = Math.min(wantedSeconds, maxExpiresSeconds);
  if (granted < JITTER_FROM_SECONDS) return granted;
  return Math.max(minExpiresSeconds, Math.floor(granted * (1 - JITTER_SHARE * chance)));
}
