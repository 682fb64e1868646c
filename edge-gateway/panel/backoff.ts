/** When to try again: growing waits with jitter, so that a whole company does not come back in one instant. Pure. */

export interface BackoffPolicy {
  readonly firstMs: number;
  readonly longestMs: number;
}

export const RECONNECT: BackoffPolicy = { firstMs: 500, longestMs: 15_000 };
export const RESUBSCRIBE: BackoffPolicy = { firstMs: 1_000, longestMs: 60_000 };

/**
 * @param attempt 0 for the first try after a failure
 * @param random in [0, 1)
 * @returns between half and the whole of the doubled wait
 */
export function backoffMs(policy: BackoffPolicy, attempt: number, random: number): number {
  const ceiling = Math.min(policy.longestMs, policy.firstMs * 2 ** Math.min(attempt, 20));
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
}
