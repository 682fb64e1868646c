/**
 * What wakes somebody: each alarm with its metric, its threshold in each stage, and how long it must stand. What to do then is
 * in the runbook under the alarm's own name.
 */
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { type FunctionName, STREAM_MAPPING } from '../system.ts';
import type { Settings } from './settings.ts';
import {
  functionMetric,
  MINUTE,
  ownMetric,
  shareOf,
  sumOfFunctions,
  tableThrottles,
  type Watched,
} from './watched-metrics.ts';

export interface AlarmDescription {
  /** What is wrong, for who reads it at night. */
  readonly what: string;
  readonly metric: (watched: Watched) => cloudwatch.IMetric;
  /** Alarms above it, or below it. */
  readonly threshold: (settings: Settings) => number;
  readonly isBelow?: true;
  /** So many of so many minutes. */
  readonly minutes: readonly [bad: number, of: number];
  /** Silence is no good sign: what should say something every minute says nothing. */
  readonly missingIsBad?: true;
  /** Made only then. */
  readonly when?: (settings: Settings) => boolean;
}

/** Who waits for an answer. */
const ANSWERING = ['register', 'sign-in', 'subscribe', 'publish', 'message', 'call', 'api'] as const;
/** Whose failure is found by nobody else. */
const BACKGROUND = ['notify', 'expire', 'webhook', 'call-report', 'flow-closed', 'lease', 'rotate'] as const;
/** Ten, which is what one alarm can look at. */
const BURSTING = [
  'register',
  'sign-in',
  'subscribe',
  'publish',
  'message',
  'call',
  'notify',
  'call-report',
  'flow-closed',
  'api',
] as const;

const inStage =
  (dev: number, prod: number) =>
  ({ stage }: Settings): number =>
    stage === 'prod' ? prod : dev;
const always = (threshold: number) => (): number => threshold;
const MEGABYTE = 2 ** 20;
/** From this part of its connections on a gateway is full; more gateways should have come at 60 %. */
const FULL = 0.85;
/** Promised at the wire: a change is told within three seconds. */
const LAMP_WITHIN_MS = 3_000;

const own =
  (...[name, statistic]: [Parameters<typeof ownMetric>[1], string]) =>
  ({ settings }: Watched) =>
    ownMetric(settings, name, statistic);
const sum = (names: readonly FunctionName[], metric: 'Errors' | 'Throttles') => (watched: Watched) =>
  sumOfFunctions(watched, names, metric);
const waiting = (queue: 'notifyFailures' | 'recordFailures') => (watched: Watched) =>
  watched[queue].metricApproximateNumberOfMessagesVisible({ period: MINUTE, statistic: 'Maximum' });

export const ALARMS = {
  'canary-failed': {
    what: 'The canary cannot sign in, subscribe, publish or see its lamp: clients probably cannot either.',
    ...{ metric: own('CanaryFailed', 'Maximum'), threshold: always(0), minutes: [3, 5], missingIsBad: true },
    when: ({ canary }) => canary,
  },
  'canary-slow': {
    what: 'The lamp of the canary comes late.',
    ...{ metric: own('CanaryLampMs', 'Maximum'), threshold: always(LAMP_WITHIN_MS), minutes: [3, 5] },
    when: ({ canary }) => canary,
  },
  'lamps-late': {
    what: 'One lamp in a hundred comes later than promised.',
    ...{ metric: own('LampMs', 'p99'), threshold: inStage(2 * LAMP_WITHIN_MS, LAMP_WITHIN_MS), minutes: [3, 5] },
  },
  'stream-late': {
    what: 'The function notify is behind the stream of the table: lamps are late.',
    metric: (watched) => functionMetric(watched, STREAM_MAPPING.function, 'IteratorAge', 'Maximum'),
    ...{ threshold: inStage(30_000, 10_000), minutes: [3, 3] },
  },
  'lamps-lost': {
    what: 'Records of the stream were given up: some lamps show an old state until their next change.',
    ...{ metric: waiting('notifyFailures'), threshold: always(0), minutes: [1, 1] },
  },
  'records-lost': {
    what: 'Records of calls could not leave the table.',
    ...{ metric: waiting('recordFailures'), threshold: always(0), minutes: [1, 1] },
  },
  'answers-failing': {
    what: 'Functions fail that clients or operators wait for.',
    ...{ metric: sum(ANSWERING, 'Errors'), threshold: inStage(5, 2), minutes: [2, 5] },
  },
  'background-failing': {
    what: 'Functions fail that nobody waits for, and whose work is then not done: notify, expire, webhooks, reports of gateways.',
    ...{ metric: sum(BACKGROUND, 'Errors'), threshold: inStage(5, 2), minutes: [2, 5] },
  },
  'functions-throttled': {
    what: 'Lambda refuses invocations: the concurrency of the account, or of a function, is used up.',
    ...{ metric: sum(BURSTING, 'Throttles'), threshold: always(0), minutes: [2, 5] },
  },
  'expiry-stopped': {
    what: 'The function expire does not run: lamps whose publication ran out stay as they are.',
    metric: (watched) => functionMetric(watched, 'expire', 'Invocations', 'Sum'),
    ...{ threshold: always(1), isBelow: true, minutes: [5, 5], missingIsBad: true },
  },
  'requests-failing': {
    what: 'More than one SIP request in a hundred is answered 5xx.',
    metric: ({ settings }) =>
      shareOf(ownMetric(settings, 'ServerErrors', 'Sum'), ownMetric(settings, 'Requests', 'Sum'), {
        ...{ percentOf: 100, label: '5xx in %' },
      }),
    ...{ threshold: inStage(5, 1), minutes: [3, 5] },
  },
  'requests-refused': {
    what: 'Gateways refuse requests (503) because the functions are behind or do not answer.',
    ...{ metric: own('Overloads', 'Sum'), threshold: inStage(50, 10), minutes: [3, 5] },
  },
  'api-failing': {
    what: 'The HTTP API answers 5xx.',
    metric: ({ apiServerErrors }) => apiServerErrors,
    ...{ threshold: inStage(10, 5), minutes: [2, 5] },
  },
  'table-throttled': {
    what: 'DynamoDB refuses requests: one partition is too hot, or a limit of the table or the account is reached.',
    ...{ metric: tableThrottles, threshold: inStage(100, 20), minutes: [3, 5] },
  },
  'gateways-few': {
    what: 'Fewer gateways are healthy than there are to be.',
    metric: ({ targets }) => targets.metrics.healthyHostCount({ period: MINUTE, statistic: 'Minimum' }),
    ...{ threshold: ({ gatewayCount }) => gatewayCount, isBelow: true, minutes: [5, 5], missingIsBad: true },
  },
  'gateways-unready': {
    what: 'A gateway does not reach the functions or the table: it holds no lease, and lamps of its clients stand still.',
    ...{ metric: own('LeaseMissing', 'Maximum'), threshold: always(0), minutes: [3, 5], missingIsBad: true },
  },
  'gateways-full': {
    what: 'A gateway is nearly full of connections, and no further one has come.',
    ...{ metric: own('Flows', 'Maximum'), threshold: ({ flowsPerGateway }) => FULL * flowsPerGateway, minutes: [5, 5] },
  },
  'gateways-busy': {
    what: 'The CPU of the gateways is used up: lamps and answers wait.',
    metric: ({ service }) => service.metricCpuUtilization({ period: MINUTE, statistic: 'Average' }),
    ...{ threshold: always(85), minutes: [5, 5] },
  },
  'gateways-heavy': {
    what: 'The memory of the gateways is nearly used up: they would be killed with all their connections.',
    metric: ({ service }) => service.metricMemoryUtilization({ period: MINUTE, statistic: 'Maximum' }),
    ...{ threshold: always(85), minutes: [5, 5] },
  },
  'send-backlog': {
    what: 'Much waits in the sockets of clients: they, or the network to them, are slow.',
    ...{
      metric: own('SendBacklogBytes', 'Maximum'),
      threshold: inStage(16 * MEGABYTE, 64 * MEGABYTE),
      minutes: [5, 5],
    },
  },
  'watchers-silent': {
    what: 'One NOTIFY in twenty gets no answer within 32 s: watchers are gone, or a network swallows what they say.',
    metric: ({ settings }) =>
      shareOf(ownMetric(settings, 'SuspectWatchers', 'Sum'), ownMetric(settings, 'Notifies', 'Sum'), {
        ...{ percentOf: 100, label: 'unanswered in %' },
      }),
    ...{ threshold: always(5), minutes: [5, 10] },
  },
} as const satisfies Record<string, AlarmDescription>;

export type AlarmName = keyof typeof ALARMS;
export const ALARM_NAMES = Object.keys(ALARMS) as AlarmName[];
/** All but the canary, which has alarms of its own. */
export const WATCHED_FUNCTIONS: readonly FunctionName[] = [...ANSWERING, ...BACKGROUND];
export const RUNBOOK = 'cdk/runbook.md';
