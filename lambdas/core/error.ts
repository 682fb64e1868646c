/** The four errors of the product, each with its answer and its retry. Anything else is a defect. */
import type { HeaderEntries } from '#contract/schemas.ts';

/** The peer is refused by a rule: this status goes back; never retried. */
export class SipRejection extends Error {
  override readonly name = 'SipRejection';
  readonly status: number;
  readonly reason: string;
  readonly headers: HeaderEntries;

  constructor(status: number, reason: string, headers: HeaderEntries = []) {
    super(`${status} ${reason}`);
    this.status = status;
    this.reason = reason;
    this.headers = headers;
  }
}

/** Gateway and functions disagree about the contract: answered 500, alarmed, not retried. */
export class ContractError extends Error {
  override readonly name = 'ContractError';
}

/** A conditional write lost its race: reload and decide again, at most three times. */
export class StaleWrite extends Error {
  override readonly name = 'StaleWrite';
}

/** Something behind us does not answer: 503 with Retry-After; the peer retries. */
export class DependencyUnavailable extends Error {
  override readonly name = 'DependencyUnavailable';
  readonly retryAfterSeconds: number;

  constructor(message: string, options: { retryAfterSeconds?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.retryAfterSeconds = options.retryAfterSeconds ?? 5;
  }
}
