/** Flows with states to send, served some at a time. */
import type { Flow } from './flow-table.ts';
import type { Subscription } from './subscription-table.ts';

/** Flows served before the event loop may turn: a fan-out never blocks the gateway for long. */
const FLOWS_PER_TURN = 256;

export class ReadyFlows {
  readonly #sendUnsent: (flow: Flow) => void;
  readonly #flush: () => void;
  #flows: Flow[] = [];
  #isScheduled = false;

  constructor(sendUnsent: (flow: Flow) => void, flush: () => void) {
    this.#sendUnsent = sendUnsent;
    this.#flush = flush;
  }

  add(flow: Flow): void {
    this.#flows.push(flow);
  }

  /** A subscription has a state to send; while a NOTIFY of it is outstanding, its answer brings it here again. */
  addFlowOf(subscription: Subscription): void {
    const { flow } = subscription;
    if (flow === undefined || flow.closed || subscription.sentAtMs !== 0) return;
    if (flow.unsent === undefined) {
      flow.unsent = new Set();
      this.#flows.push(flow);
    }
    flow.unsent.add(subscription);
  }

  /** Serves what is ready, now or, if a turn is under way, in its course. */
  schedule(): void {
    if (this.#isScheduled || this.#flows.length === 0) return;
    this.#isScheduled = true;
    this.#turn();
  }

  #turn(): void {
    const flows = this.#flows.length > FLOWS_PER_TURN ? this.#flows.splice(0, FLOWS_PER_TURN) : this.#flows;
    if (flows === this.#flows) this.#flows = [];
    for (const flow of flows) this.#sendUnsent(flow);
    this.#flush();
    if (this.#flows.length > 0) setImmediate(() => this.#turn());
    else this.#isScheduled = false;
  }
}
