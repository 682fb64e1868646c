/** Whether functions can be reached at all: an answer that says "failed" is one, since another gateway would get the same. */
import { ContractError } from '#core/error.ts';
import type { Invoke } from './backend.ts';

/** A gateway that no function has answered for so long is of no use; the lease alone asks every few seconds. */
const UNREACHABLE_AFTER_MS = 120_000;

export class FunctionReach {
  readonly #nowMs: () => number;
  #answeredAtMs = Number.NEGATIVE_INFINITY;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** False too before the first answer: a gateway that never reaches a function must not replace one that does. */
  get isReachable(): boolean {
    return this.#nowMs() - this.#answeredAtMs < UNREACHABLE_AFTER_MS;
  }

  /** The same, listened to. */
  listen(invoke: Invoke): Invoke {
    return async (functionName, payload, deadlineMs) => {
      try {
        const result = await invoke(functionName, payload, deadlineMs);
        this.#answeredAtMs = this.#nowMs();
        return result;
      } catch (error) {
        if (error instanceof ContractError) this.#answeredAtMs = this.#nowMs();
        throw error;
      }
    };
  }
}
