/** One page that answers: do lamps follow, how many are there, who refuses, and what does it cost. */
import { Stack } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';
import type { MetricName } from '#core/metric.ts';
import { FUNCTION_NAMES, STREAM_MAPPING } from '../system.ts';
import { deploymentName } from './names.ts';
import { functionMetric, MINUTE, ownMetric, tableMetric, tableThrottles, type Watched } from './watched-metrics.ts';

const WIDTH = 8;

export function createDashboard(scope: Construct, watched: Watched, alarms: readonly cloudwatch.IAlarm[]): void {
  const dashboard = new cloudwatch.Dashboard(scope, 'Dashboard', {
    // Dashboards are the account's, whatever their region.
    dashboardName: `${deploymentName(watched.settings)}-${Stack.of(scope).region}`,
  });
  dashboard.addWidgets(new cloudwatch.AlarmStatusWidget({ alarms: [...alarms], width: 24, title: 'Alarms' }));
  for (const row of [lamps(watched), held(watched), refusals(watched), watchers(watched), costs(watched)])
    dashboard.addWidgets(...row);
}

function graph(title: string, left: cloudwatch.IMetric[], right: cloudwatch.IMetric[] = []): cloudwatch.GraphWidget {
  return new cloudwatch.GraphWidget({ title, left, right, width: WIDTH, leftYAxis: { min: 0 } });
}

const own = ({ settings }: Watched, statistic: string, ...names: MetricName[]): cloudwatch.Metric[] =>
  names.map((name) => ownMetric(settings, name, statistic));

/** From a change to its lamp, hop by hop. */
function lamps(watched: Watched): cloudwatch.IWidget[] {
  const percentiles = (name: MetricName) => ['p50', 'p99'].flatMap((statistic) => own(watched, statistic, name));
  return [
    graph('Lamps: from the change to the NOTIFY sent (ms)', percentiles('LampMs')),
    graph('Of that: until the gateways took it (ms)', percentiles('LampAcceptedMs'), [
      functionMetric(watched, STREAM_MAPPING.function, 'IteratorAge', 'Maximum'),
    ]),
    graph(
      'Canary: lamp (ms) and failures',
      own(watched, 'Maximum', 'CanaryLampMs'),
      own(watched, 'Sum', 'CanaryFailed'),
    ),
  ];
}

function held(watched: Watched): cloudwatch.IWidget[] {
  const { service, targets } = watched;
  return [
    // Each gateway says its own number once a minute.
    graph('Connections, subscriptions, calls', own(watched, 'Sum', 'Flows', 'Subscriptions', 'Calls')),
    graph(
      'Gateways: healthy, and without lease',
      [targets.metrics.healthyHostCount({ period: MINUTE, statistic: 'Minimum' })],
      own(watched, 'Sum', 'LeaseMissing'),
    ),
    graph('Gateways: CPU, memory (%)', [
      service.metricCpuUtilization({ period: MINUTE }),
      service.metricMemoryUtilization({ period: MINUTE }),
    ]),
  ];
}

function refusals(watched: Watched): cloudwatch.IWidget[] {
  return [
    graph(
      'SIP requests: all, 5xx, refused, failed invocations',
      own(watched, 'Sum', 'Requests'),
      own(watched, 'Sum', 'ServerErrors', 'Overloads', 'InvocationFailures'),
    ),
    graph(
      'Functions: errors, throttles',
      FUNCTION_NAMES.map((name) => functionMetric(watched, name, 'Errors', 'Sum')),
      FUNCTION_NAMES.map((name) => functionMetric(watched, name, 'Throttles', 'Sum')),
    ),
    graph('HTTP API 5xx, table throttled', [watched.apiServerErrors], [tableThrottles(watched)]),
  ];
}

function watchers(watched: Watched): cloudwatch.IWidget[] {
  const queues = [watched.notifyFailures, watched.recordFailures];
  return [
    graph(
      'NOTIFYs: sent, unanswered, refused',
      own(watched, 'Sum', 'Notifies'),
      own(watched, 'Sum', 'SuspectWatchers', 'NotifyFailures', 'FlowsStalled'),
    ),
    graph(
      'Waiting: bytes for clients, requests for functions',
      own(watched, 'Maximum', 'SendBacklogBytes'),
      own(watched, 'Maximum', 'RequestsWaiting'),
    ),
    graph(
      'Given up: stream records, records of calls; stream records that come again',
      queues.map((queue) => queue.metricApproximateNumberOfMessagesVisible({ period: MINUTE })),
      own(watched, 'Sum', 'StreamRecordsFailed'),
    ),
  ];
}

/** What is paid for: requests to the table, invocations and their time, bytes, gateways. */
function costs(watched: Watched): cloudwatch.IWidget[] {
  const { loadBalancer } = watched;
  return [
    graph('Table: units consumed', [
      tableMetric(watched, 'ConsumedReadCapacityUnits'),
      tableMetric(watched, 'ConsumedWriteCapacityUnits'),
    ]),
    graph(
      'Functions: invocations, time (ms)',
      FUNCTION_NAMES.map((name) => functionMetric(watched, name, 'Invocations', 'Sum')),
      FUNCTION_NAMES.map((name) => functionMetric(watched, name, 'Duration', 'Sum')),
    ),
    graph(
      'Load balancer: bytes, connections; stream records',
      [loadBalancer.metrics.processedBytes({ period: MINUTE })],
      [loadBalancer.metrics.activeFlowCount({ period: MINUTE }), ...own(watched, 'Sum', 'StreamRecords')],
    ),
  ];
}
