/** Transactions (RFC 3261 section 17) as a reliable transport needs them. Pure: no timers, no I/O. */

/** How a server transaction stands when a request with its key arrives. */
export type ServerTransactionState =
  | { readonly kind: 'new' }
  | { readonly kind: 'proceeding' }
  | { readonly kind: 'completed'; readonly response: string };

const PROCEEDING = '';

/**
 * Server transactions of one flow. Completed ones are kept for one to two rotations, so a retransmission gets the
 * same answer (RFC 3261 section 17.2.2; timer J is longer here than the zero of a reliable transport).
 */
export class ServerTransactions {
  #young = new Map<string, string>();
  #old: Map<string, string> | undefined;

  /** Looks a request up and opens its transaction when it is new. */
  receive(key: string): ServerTransactionState {
    const known = this.#young.get(key) ?? this.#old?.get(key);
    if (known === undefined) {
      this.#young.set(key, PROCEEDING);
      return { kind: 'new' };
    }
    return known === PROCEEDING ? { kind: 'proceeding' } : { kind: 'completed', response: known };
  }

  complete(key: string, response: string): void {
    this.#young.set(key, response);
  }

  /**
   * Ages all transactions by one rotation; those still in progress stay.
   * @returns true when nothing is left
   */
  rotate(): boolean {
    const retired = this.#old;
    this.#old = this.#young.size > 0 ? this.#young : undefined;
    this.#young = new Map();
    for (const [key, response] of retired ?? []) if (response === PROCEEDING) this.#young.set(key, PROCEEDING);
    return this.#old === undefined && this.#young.size === 0;
  }
}

/** Key of a server transaction (RFC 3261 section 17.2.3); the flow stands for the sent-by host. */
export function transactionKey(branch: string, method: string, sentBy: string): string {
  return `${branch} ${method} ${sentBy}`;
}

/** How a NOTIFY ended, and what becomes of its subscription (RFC 6665 section 4.2.2, RFC 5057 section 5.2). */
export type NotifyVerdict = 'delivered' | 'kept' | 'retryAfter' | 'suspect' | 'ended';

/** Statuses that destroy the subscription's usage or its whole dialog (table 1 of RFC 5057). */
const USAGE_ENDING: ReadonlySet<number> = new Set([
  404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 502, 604,
]);

/** Judges the final answer to a NOTIFY. */
export function judgeNotifyAnswer(status: number, hasRetryAfter: boolean): NotifyVerdict {
  if (status < 300) return 'delivered';
  if (status === 408) return 'suspect';
  if (status >= 500 && status < 600 && hasRetryAfter) return 'retryAfter';
  return USAGE_ENDING.has(status) ? 'ended' : 'kept';
}
