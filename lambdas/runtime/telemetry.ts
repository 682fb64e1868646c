/** One JSON line a hop on standard output. Never Authorization values; bodies at debug only. */
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import { DependencyUnavailable } from '#core/error.ts';
import { type MetricService, type MetricValues, metricLine } from '#core/metric.ts';
import { type Clock, systemClock } from './clock.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
const RANK = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 } as const;

/** Usual fields: hop, tenant, callId, cseq, flow, outcome, durationMs; others where they help. */
export type LogFields = Readonly<Record<string, unknown>>;

export interface Telemetry {
  /** @param hop name of the function or role that speaks, such as `register` */
  log(level: LogLevel, hop: string, fields: LogFields): void;
}

export function createTelemetry(
  minimum: keyof typeof RANK,
  write: (line: string) => void = (line) => process.stdout.write(line),
): Telemetry {
  return {
    log(level, hop, fields) {
      if (RANK[level] < RANK[minimum]) return;
      write(`${JSON.stringify({ level, hop, ...fields })}\n`);
    },
  };
}

/**
 * Metrics, whatever the level of the log.
 * @param stage the deployment; undefined where nobody makes metrics of log lines: then there are none
 */
export function createMetrics<Service extends MetricService>(
  stage: string | undefined,
  service: Service,
  write: (line: string) => void = (line) => process.stdout.write(line),
  clock: Clock = systemClock,
): (values: MetricValues<Service>) => void {
  return (values) => {
    if (stage !== undefined) write(metricLine(stage, service, values, clock()));
  };
}

/** What identifies a request in a log line. */
export function requestFields({ request, flowId, identity }: RequestEnvelope): LogFields {
  return {
    method: request.method,
    tenant: identity?.domain,
    callId: firstHeader(request.headers, 'call-id'),
    cseq: firstHeader(request.headers, 'cseq'),
    flow: flowId,
  };
}

/** What is worth knowing of an error: its cause, and its place unless it is an outage. */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: String(error) };
  const cause = error.cause instanceof Error ? `${error.cause.name}: ${error.cause.message}` : undefined;
  // Where an outage was noticed says nothing; the stack of a defect says all.
  const stack = error instanceof DependencyUnavailable ? undefined : error.stack;
  return { error: error.name, message: error.message, cause, stack };
}

function firstHeader(headers: readonly (readonly [string, string])[], name: string): string | undefined {
  return headers.find(([each]) => each.toLowerCase() === name)?.[1];
}
