/** Logs and metrics of the gateway. Hot paths count in plain numbers; Prometheus reads them at a scrape. */
import { type Logger, pino } from 'pino';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { MetricSample } from '#core/metric.ts';
import type { Gauges } from './gauges.ts';

export type Log = Logger;

/** Counted since start; every field is a Prometheus counter `lampfield_<name>_total`. */
export const COUNTERS = {
  flowsOpened: 'WebSocket connections accepted',
  flowsRefused: 'WebSocket connections refused by a limit, the subprotocol or the Origin',
  flowsStalled: 'Flows closed because their socket did not drain',
  flowsDead: 'Flows closed because their peer answered no ping',
  strangersClosed: 'Flows closed because they had proven nothing while the gateway was half full',
  requestsReceived: 'SIP requests received',
  requestsRetransmitted: 'Requests answered from a completed transaction',
  requestsLimited: 'Requests refused by the limit of one flow',
  tenantRequestsLimited: 'Requests refused by the quotas of their tenant',
  requestsOverload: 'Requests refused because the functions are behind',
  serverErrors: 'Requests answered 5xx',
  messagesUnreadable: 'Messages dropped as unreadable',
  invocations: 'Function invocations',
  invocationsFailed: 'Function invocations that failed or missed the deadline',
  notifiesSent: 'NOTIFY requests sent',
  notifiesAnswered: 'NOTIFY requests answered 2xx',
  notifiesFailed: 'NOTIFY requests answered with an error',
  notifiesTimedOut: 'NOTIFY requests not answered within 32 s (timer F)',
  notifiesReplaced: 'States replaced by a newer one before they were sent',
  notifiesStale: 'Instructions dropped as older than what the watcher has',
  forwardsSent: 'Requests of functions sent through a flow',
  forwardsTimedOut: 'Requests of functions that a flow did not answer in time',
  subscriptionsEnded: 'Subscriptions that ended on this gateway',
  parkingOverflow: 'Subscriptions dropped at flow loss because the parking was full',
  instructionsReceived: 'Instruction batches taken in',
  instructionsRefused: 'Instruction batches refused',
  reportsFailed: 'Reports to the functions that failed and were kept for another try',
  callsStarted: 'Calls that the functions routed',
  callsAnswered: 'Calls that were answered',
  callsFailed: 'Calls that ended without an answer',
  callsLimited: 'INVITEs refused by the limits of calls of this gateway or of one flow',
  callForks: 'INVITEs sent to devices',
  callLegsMoved: 'Parties of calls that went on over another flow',
  callMessagesRefused: 'Requests and answers in calls that were not believed or fit no call',
  trunkChallenges: 'Requests to trunks that went out again with credentials, or were to',
  trunkChallengesUnmet: 'Requests whose credentials a trunk did not take',
  trunksUnreachable: 'Calls and dialogs whose trunk could not be reached',
  callRelays: 'Messages of calls sent to flows of other gateways',
  callRelaysDropped: 'Messages of calls dropped because another gateway takes none',
  callReports: 'Reports about calls sent to the functions',
  callReportsFailed: 'Reports about calls that failed and were kept for another try',
} as const;
export type CounterName = keyof typeof COUNTERS;
export type Counts = Record<CounterName, number>;

/** From the change of a state to its NOTIFY: a histogram for Prometheus, and a sample for a line of metrics. */
export interface LampLatency {
  observe(milliseconds: number): void;
  /** Gives the sample and begins a new one. */
  take(): readonly number[];
}

export interface Telemetry {
  readonly log: Log;
  readonly counts: Counts;
  /** Seconds from a request's arrival to its answer. */
  readonly requestSeconds: Histogram<'method'>;
  readonly lampLatency: LampLatency;
  readonly registry: Registry;
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

export function createTelemetry(level: string, gatewayId: string): Telemetry {
  const registry = new Registry();
  const counts = Object.fromEntries(Object.keys(COUNTERS).map((name) => [name, 0])) as Counts;
  for (const name of Object.keys(COUNTERS) as CounterName[]) {
    new Counter({
      name: `lampfield_${snakeCase(name)}_total`,
      help: COUNTERS[name],
      registers: [registry],
      collect() {
        this.reset();
        this.inc(counts[name]);
      },
    });
  }
  const requestSeconds = new Histogram({
    name: 'lampfield_request_seconds',
    help: 'From the arrival of a request to its answer',
    labelNames: ['method'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  collectDefaultMetrics({ register: registry });
  const lampLatency = createLampLatency(registry);
  return { log: pino({ level, base: { gateway: gatewayId } }), counts, requestSeconds, lampLatency, registry };
}

function createLampLatency(registry: Registry): LampLatency {
  const sample = new MetricSample(Math.random);
  const histogram = new Histogram({
    name: 'lampfield_lamp_seconds',
    help: 'From the change of a state to the NOTIFY that tells it, without what the watcher itself held up',
    buckets: [0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5, 10],
    registers: [registry],
  });
  return {
    observe(milliseconds) {
      histogram.observe(milliseconds / 1_000);
      sample.add(milliseconds);
    },
    take: () => sample.take(),
  };
}

/** Adds the gauges, once the tables that they look at exist. */
export function registerGauges(registry: Registry, gauges: Gauges): void {
  for (const [name, read] of Object.entries(gauges) as [keyof Gauges, () => number][]) {
    new Gauge({
      name: `lampfield_${snakeCase(name)}`,
      help: `Now: ${snakeCase(name).replaceAll('_', ' ')}`,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  }
}
