/** The gateway's metrics for CloudWatch: one line a minute on standard output, whatever the level of the log. */
import { type MetricValues, metricLine } from '#core/metric.ts';
import type { Gauges } from './gauges.ts';
import type { Counts, LampLatency } from './telemetry.ts';

export interface MetricLogPorts {
  readonly counts: Counts;
  readonly lampLatency: LampLatency;
  readonly gauges: Gauges;
  readonly isLeaseHeld: () => boolean;
  readonly write: (line: string) => void;
}

const EVERY_MS = 60_000;

/** Metrics that are the growth of a counter. */
const COUNTED = {
  SuspectWatchers: 'notifiesTimedOut',
  Requests: 'requestsReceived',
  ServerErrors: 'serverErrors',
  Overloads: 'requestsOverload',
  InvocationFailures: 'invocationsFailed',
  Notifies: 'notifiesSent',
  NotifyFailures: 'notifiesFailed',
  FlowsStalled: 'flowsStalled',
} as const satisfies Partial<Record<keyof MetricValues<'gateway'>, keyof Counts>>;

export class MetricLog {
  readonly #stage: string | undefined;
  readonly #ports: MetricLogPorts;
  #before: Counts;
  #nextMs: number;

  /** @param stage the deployment; undefined where nobody makes metrics of lines */
  constructor(stage: string | undefined, ports: MetricLogPorts, nowMs: number) {
    this.#stage = stage;
    this.#ports = ports;
    this.#before = { ...ports.counts };
    this.#nextMs = nowMs;
  }

  /** Once a second; the first line comes at once. */
  advance(nowMs: number): void {
    if (nowMs >= this.#nextMs) this.tell(nowMs);
  }

  /** What was counted since the last line; the end of a gateway does not lose it. */
  tell(nowMs: number): void {
    this.#nextMs = nowMs + EVERY_MS;
    if (this.#stage !== undefined) this.#ports.write(metricLine(this.#stage, 'gateway', this.#values(), nowMs));
  }

  #values(): MetricValues<'gateway'> {
    const { counts, gauges, lampLatency, isLeaseHeld } = this.#ports;
    const before = this.#before;
    this.#before = { ...counts };
    const grown = Object.entries(COUNTED).map(([name, counter]) => [name, counts[counter] - before[counter]]);
    return {
      ...Object.fromEntries(grown),
      Flows: gauges.flows(),
      Subscriptions: gauges.subscriptions(),
      SendBacklogBytes: gauges.sendBacklogBytes(),
      RequestsWaiting: gauges.requestsWaiting(),
      Calls: gauges.calls(),
      LampMs: lampLatency.take(),
      LeaseMissing: isLeaseHeld() ? 0 : 1,
    };
  }
}
