/**
 * Metrics for CloudWatch: the one list of their names, which their producers, the dashboard and the alarms share, and the
 * log line that they travel in (CloudWatch embedded metric format). Pure.
 */

export const METRIC_NAMESPACE = 'Lampfield';

/** Who counts; the dimension `Service` of its metrics. */
export type MetricService = 'gateway' | 'notify' | 'canary';
type Unit = 'Count' | 'Bytes' | 'Milliseconds';

interface Metric {
  readonly service: MetricService;
  readonly unit: Unit;
  readonly what: string;
}

/** Gateways say theirs once a minute each; counters are those of that minute. */
export const METRICS = {
  Flows: { service: 'gateway', unit: 'Count', what: 'connections that are open' },
  Subscriptions: { service: 'gateway', unit: 'Count', what: 'subscriptions, parked ones too' },
  SuspectWatchers: { service: 'gateway', unit: 'Count', what: 'NOTIFYs that nobody answered within 32 s' },
  SendBacklogBytes: { service: 'gateway', unit: 'Bytes', what: 'bytes that wait in the sockets of flows' },
  RequestsWaiting: { service: 'gateway', unit: 'Count', what: 'requests that wait for a function' },
  Calls: { service: 'gateway', unit: 'Count', what: 'calls under way' },
  LampMs: { service: 'gateway', unit: 'Milliseconds', what: 'from the change of a state to its NOTIFY, a sample' },
  Requests: { service: 'gateway', unit: 'Count', what: 'SIP requests' },
  ServerErrors: { service: 'gateway', unit: 'Count', what: 'SIP requests answered 5xx' },
  Overloads: { service: 'gateway', unit: 'Count', what: 'SIP requests refused because the functions are behind' },
  InvocationFailures: { service: 'gateway', unit: 'Count', what: 'invocations that failed or came too late' },
  Notifies: { service: 'gateway', unit: 'Count', what: 'NOTIFYs that were sent' },
  NotifyFailures: { service: 'gateway', unit: 'Count', what: 'NOTIFYs that were answered with an error' },
  FlowsStalled: { service: 'gateway', unit: 'Count', what: 'flows closed because they did not drain' },
  LeaseMissing: { service: 'gateway', unit: 'Count', what: '1 while a gateway holds no lease, which is not ready' },
  LampAcceptedMs: {
    ...{ service: 'notify', unit: 'Milliseconds' },
    what: 'from the change of a state until its gateways have taken the instruction, a sample',
  },
  StreamRecords: { service: 'notify', unit: 'Count', what: 'records of the stream' },
  StreamRecordsFailed: { service: 'notify', unit: 'Count', what: 'records that must come again' },
  CanaryLampMs: { service: 'canary', unit: 'Milliseconds', what: "from the canary's PUBLISH to its NOTIFY" },
  CanaryFailed: { service: 'canary', unit: 'Count', what: '1 for a run that failed, else 0' },
} as const satisfies Record<string, Metric>;

export type MetricName = keyof typeof METRICS;
export type MetricsOf<Service extends MetricService> = {
  [Name in MetricName]: (typeof METRICS)[Name]['service'] extends Service ? Name : never;
}[MetricName];
export type MetricValues<Service extends MetricService> = Readonly<
  Partial<Record<MetricsOf<Service>, number | readonly number[]>>
>;

/** Values of one metric that one line may have. */
export const MAX_METRIC_VALUES = 100;

/**
 * The log line that CloudWatch makes metrics of.
 * @param stage the deployment, dimension `Stage`
 */
export function metricLine<Service extends MetricService>(
  stage: string,
  service: Service,
  values: MetricValues<Service>,
  nowMs: number,
): string {
  // A metric without a value is no metric: CloudWatch drops a line with an empty array.
  const given = Object.entries(values)
    .filter((entry): entry is [MetricName, number | readonly number[]] => entry[0] in METRICS)
    .filter(([, value]) => typeof value === 'number' || value.length > 0)
    .map(([name, value]) => [name, typeof value === 'number' ? value : value.slice(0, MAX_METRIC_VALUES)] as const);
  const Metrics = given.map(([Name]) => ({ Name, Unit: METRICS[Name].unit }));
  const directive = { Namespace: METRIC_NAMESPACE, Dimensions: [['Stage', 'Service']], Metrics };
  const _aws = { Timestamp: nowMs, CloudWatchMetrics: [directive] };
  return `${JSON.stringify({ _aws, Stage: stage, Service: service, ...Object.fromEntries(given) })}\n`;
}

/** A sample of many values that is as likely to hold any of them (Vitter's algorithm R), for one line. */
export class MetricSample {
  readonly #chance: () => number;
  #values: number[] = [];
  #seen = 0;

  /** @param chance from 0 to below 1 */
  constructor(chance: () => number) {
    this.#chance = chance;
  }

  add(value: number): void {
    this.#seen += 1;
    if (this.#values.length < MAX_METRIC_VALUES) this.#values.push(value);
    else {
      const place = Math.floor(this.#chance() * this.#seen);
      if (place < MAX_METRIC_VALUES) this.#values[place] = value;
    }
  }

  /** Gives the sample and begins a new one. */
  take(): readonly number[] {
    const values = this.#values;
    this.#values = [];
    this.#seen = 0;
    return values;
  }
}
