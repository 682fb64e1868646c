/** The best of the answers that the branches of one request gave (RFC 3261 section 16.7, step 6). Pure. */

interface Answer {
  readonly status: number;
}

/** 4xx that tell the client how to ask again: they come before other 4xx. */
const TELLING: ReadonlySet<number> = new Set([401, 407, 415, 420, 484]);

/**
 * 2xx first, then 6xx (which speak for the whole AOR), then the lowest class.
 * @returns undefined when no branch answered
 */
export function bestResponse<A extends Answer>(responses: readonly A[]): A | undefined {
  let best: A | undefined;
  for (const response of responses) {
    if (best === undefined || preference(response.status) < preference(best.status)) best = response;
  }
  return best;
}

/** An answer that decides at once, whatever other branches will say. */
export const isDecisive = ({ status }: Answer): boolean => status < 300 || status >= 600;

function preference(status: number): number {
  const group = Math.floor(status / 100);
  if (group === 2) return 0;
  if (group === 6) return 1;
  return group * 10 + (TELLING.has(status) ? 0 : 1);
}
