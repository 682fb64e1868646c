/** Proofs that are worth nothing any more. What functions have in their caches may prove them for a while yet. */
import type { SignOutInstruction } from '#contract/instruction.ts';
import type { Identity } from '#contract/schemas.ts';

/** Functions know an account for ten seconds (handlers/request-ports); a request takes five at most. */
const REMEMBERED_MS = 20_000;

export type SignOut = Omit<SignOutInstruction, 'kind'>;

export class SignOuts {
  readonly #standing = new Map<SignOut, number>();

  add(order: SignOut, nowMs: number): void {
    for (const [old, endsAtMs] of this.#standing) if (endsAtMs <= nowMs) this.#standing.delete(old);
    this.#standing.set(order, nowMs + REMEMBERED_MS);
  }

  /** True when what proves this identity was taken back a moment ago. */
  cover(identity: Identity, nowMs: number): boolean {
    if (this.#standing.size === 0) return false;
    return [...this.#standing].some(([order, endsAtMs]) => nowMs < endsAtMs && isMeant(order, identity));
  }
}

/** A proof of which nothing is known is of before: it is meant, if its tenant and user are. */
export function isMeant(order: SignOut, { domain, user, proof }: Identity): boolean {
  if (order.domain !== domain || (order.user !== undefined && order.user !== user)) return false;
  if (proof === undefined) return order.by === undefined && order.tokenId === undefined;
  const isSame = (['way', 'by', 'tokenId'] as const).every(
    (part) => order[part] === undefined || order[part] === proof[part],
  );
  return isSame && (order.issuedBeforeMs === undefined || (proof.issuedAtMs ?? 0) < order.issuedBeforeMs);
}
