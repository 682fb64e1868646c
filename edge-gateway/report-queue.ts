/** What the gateway no longer holds, told to the functions in batches; kept until they have taken it. */
import type { FlowClosedReport } from '#contract/gateway-report.ts';
import type { GatewayId, SubscriptionId } from '#contract/ids.ts';
import { CONTRACT_VERSION, type Identity } from '#contract/schemas.ts';
import type { Invoke } from './backend.ts';
import type { Flow } from './flow-table.ts';
import type { Subscription } from './subscription-table.ts';
import type { Counts, Log } from './telemetry.ts';

export type EndedSubscription = FlowClosedReport['subscriptions'][number];

const BATCH = 100;
const GATHER_MS = 100;
const RETRY_MS = 2_000;
const DEADLINE_MS = 20_000;
/** Beyond this, reports are dropped, oldest first: expiry in the table stands behind them. */
const MAX_WAITING = 100_000;

/** What the functions are told of a subscription that ended here. */
export function endedSubscription({ id, resource, askedCSeq }: Subscription): EndedSubscription {
  return { id, presentity: resource.presentity, event: resource.event, cseq: askedCSeq };
}

export class ReportQueue {
  readonly #gatewayId: GatewayId;
  readonly #functionName: string;
  readonly #invoke: Invoke;
  readonly #log: Log;
  readonly #counts: Counts;
  #flows: FlowClosedReport['flows'] = [];
  #subscriptions: FlowClosedReport['subscriptions'] = [];
  #messages: NonNullable<FlowClosedReport['messages']> = [];
  /** Of the subscriptions above, and of those whose report is under way: what a NOTIFY has ended. */
  readonly #ending = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;

  constructor(gatewayId: GatewayId, functionName: string, invoke: Invoke, log: Log, counts: Counts) {
    this.#gatewayId = gatewayId;
    this.#functionName = functionName;
    this.#invoke = invoke;
    this.#log = log;
    this.#counts = counts;
  }

  /** The flow is gone, or what it had proven. */
  flowClosed(flow: Flow): void {
    const identity = flow.identity ?? flow.lapsed?.identity;
    if (!flow.registered || identity === undefined) return;
    this.#flows.push({ flowId: flow.id, identity });
    this.#schedule(GATHER_MS);
  }

  subscriptionEnded(subscription: Subscription, hasFailed = false): void {
    this.#subscriptions.push(endedSubscription(subscription));
    // One whose parking or time is over may live on another gateway; the functions know.
    if (hasFailed) this.#ending.add(subscription.id);
    if (this.#subscriptions.length > MAX_WAITING) this.#forget(this.#subscriptions.splice(0, 1));
    this.#schedule(GATHER_MS);
  }

  /** True for a subscription that a NOTIFY has ended, and that the functions may still take for a living one. */
  isEnding(id: SubscriptionId): boolean {
    return this.#ending.has(id);
  }

  #forget(reported: FlowClosedReport['subscriptions']): void {
    for (const { id } of reported) this.#ending.delete(id);
  }

  messageDelivered(recipient: Identity, id: string): void {
    this.#messages.push({ recipient, id });
    if (this.#messages.length > MAX_WAITING) this.#messages.shift();
    this.#schedule(GATHER_MS);
  }

  #schedule(delayMs: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#sending = this.#send();
    }, delayMs);
  }

  async #send(): Promise<void> {
    while (this.#flows.length + this.#subscriptions.length + this.#messages.length > 0) {
      const flows = this.#flows.splice(0, BATCH);
      const subscriptions = this.#subscriptions.splice(0, BATCH);
      const messages = this.#messages.splice(0, BATCH);
      try {
        const gatewayId = this.#gatewayId;
        const report = { contractVersion: CONTRACT_VERSION, gatewayId, flows, subscriptions, messages };
        await this.#invoke(this.#functionName, report, DEADLINE_MS);
        this.#forget(subscriptions);
      } catch (error) {
        this.#counts.reportsFailed++;
        this.#log.warn({ hop: 'report', err: String(error) }, 'report not taken, kept for another try');
        this.#flows.unshift(...flows);
        this.#subscriptions.unshift(...subscriptions);
        this.#messages.unshift(...messages);
        this.#schedule(RETRY_MS);
        return;
      }
    }
  }

  /** Sends what is left, once, at the end of the process. */
  async drain(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#sending;
    clearTimeout(this.#timer);
    await this.#send();
    clearTimeout(this.#timer);
  }
}
