/** Flows with states to send, served some at a time, tenants in turn. */
import type { Flow } from './flow-table.ts';
import type { Subscription } from './subscription-table.ts';

/** NOTIFYs before the event loop may turn: a fan-out never blocks the gateway for long. */
const NOTIFIES_PER_TURN = 256;
/** NOTIFYs of one tenant before the next one's: its fan-out waits for so many of each other tenant at most. */
const NOTIFIES_PER_SLICE = 64;
/** Served entries that a lane keeps before it is tidied. */
const TIDY_AFTER = 4_096;

/** The ready flows of one tenant, oldest first from `next` on. */
interface Lane {
  readonly flows: Flow[];
  next: number;
}

export class ReadyFlows {
  readonly #sendUnsent: (flow: Flow) => number;
  readonly #flush: () => void;
  /** By tenant; those without one share a lane. The first is served next. */
  readonly #lanes = new Map<Flow['account'], Lane>();
  #isScheduled = false;

  /** @param sendUnsent gives how many NOTIFYs it sent */
  constructor(sendUnsent: (flow: Flow) => number, flush: () => void) {
    this.#sendUnsent = sendUnsent;
    this.#flush = flush;
  }

  add(flow: Flow): void {
    const lane = this.#lanes.get(flow.account);
    if (lane === undefined) this.#lanes.set(flow.account, { flows: [flow], next: 0 });
    else lane.flows.push(flow);
  }

  /** A subscription has a state to send; while a NOTIFY of it is outstanding, its answer brings it here again. */
  addFlowOf(subscription: Subscription): void {
    const { flow } = subscription;
    if (flow === undefined || flow.closed || subscription.sentAtMs !== 0) return;
    if (flow.unsent === undefined) {
      flow.unsent = new Set();
      this.add(flow);
    }
    flow.unsent.add(subscription);
  }

  /** Serves what is ready, now or, if a turn is under way, in its course. */
  schedule(): void {
    if (this.#isScheduled || this.#lanes.size === 0) return;
    this.#isScheduled = true;
    this.#turn();
  }

  /** @returns what a flow may send now: all, or the first part, and then the flow has its turn again */
  takeSlice(flow: Flow, unsent: Set<Subscription>): ReadonlySet<Subscription> {
    if (unsent.size <= NOTIFIES_PER_SLICE) {
      flow.unsent = undefined;
      return unsent;
    }
    const first = new Set<Subscription>();
    for (const each of unsent) {
      if (first.size === NOTIFIES_PER_SLICE) break;
      first.add(each);
      unsent.delete(each);
    }
    this.add(flow);
    return first;
  }

  #turn(): void {
    let left = NOTIFIES_PER_TURN;
    while (left > 0 && this.#lanes.size > 0) left -= this.#serveNextLane();
    this.#flush();
    if (this.#lanes.size > 0) setImmediate(() => this.#turn());
    else this.#isScheduled = false;
  }

  /** @returns how many NOTIFYs were sent, at least one */
  #serveNextLane(): number {
    const [account, lane] = this.#lanes.entries().next().value ?? [];
    let sent = 0;
    while (lane !== undefined && sent < NOTIFIES_PER_SLICE) {
      const flow = lane.flows[lane.next++];
      if (flow === undefined) {
        this.#lanes.delete(account);
        return Math.max(1, sent);
      }
      sent += Math.max(1, this.#sendUnsent(flow));
    }
    this.#lanes.delete(account);
    if (lane !== undefined) this.#lanes.set(account, tidied(lane));
    return sent;
  }
}

function tidied(lane: Lane): Lane {
  return lane.next < TIDY_AFTER ? lane : { flows: lane.flows.slice(lane.next), next: 0 };
}
