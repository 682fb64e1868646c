/** The metrics that dashboard and alarms look at: ours by their one list, AWS's by the constructs that have them. */
import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import type * as ecs from 'aws-cdk-lib/aws-ecs';
import type * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { METRIC_NAMESPACE, METRICS, type MetricName } from '#core/metric.ts';
import type { FunctionName } from '../system.ts';
import { deploymentName } from './names.ts';
import type { Settings } from './settings.ts';

/** What stands in one region, and is looked after. */
export interface Watched {
  readonly settings: Settings;
  readonly functions: Readonly<Record<FunctionName, lambda.IFunction>>;
  readonly table: dynamodb.ITableV2;
  /** Of stream records that `notify` gave up. */
  readonly notifyFailures: sqs.IQueue;
  /** Of records of calls that could not leave. */
  readonly recordFailures: sqs.IQueue;
  readonly apiServerErrors: cloudwatch.IMetric;
  readonly service: ecs.FargateService;
  readonly loadBalancer: elbv2.INetworkLoadBalancer;
  readonly targets: elbv2.NetworkTargetGroup;
}

export const MINUTE = Duration.minutes(1);

/** A metric of ours. */
export function ownMetric(settings: Settings, metricName: MetricName, statistic: string): cloudwatch.Metric {
  return new cloudwatch.Metric({
    namespace: METRIC_NAMESPACE,
    metricName,
    dimensionsMap: { Stage: deploymentName(settings), Service: METRICS[metricName].service },
    statistic,
    period: MINUTE,
    label: `${metricName} ${statistic}`,
  });
}

type FunctionMetric = 'Errors' | 'Throttles' | 'Invocations' | 'Duration' | 'IteratorAge' | 'ConcurrentExecutions';

export const functionMetric = (
  { functions }: Watched,
  name: FunctionName,
  metricName: FunctionMetric,
  statistic: string,
): cloudwatch.Metric => functions[name].metric(metricName, { statistic, period: MINUTE, label: name });

/** Of ten functions at most: an alarm takes no more metrics. */
export function sumOfFunctions(
  watched: Watched,
  names: readonly FunctionName[],
  metricName: FunctionMetric,
): cloudwatch.MathExpression {
  const metrics = names.map((name, index) => [`m${index}`, functionMetric(watched, name, metricName, 'Sum')] as const);
  const expression = metrics.map(([id]) => `FILL(${id}, 0)`).join(' + ');
  return new cloudwatch.MathExpression({
    ...{ expression, label: metricName, period: MINUTE },
    usingMetrics: Object.fromEntries(metrics),
  });
}

/** Of so many at least: one error of two requests is no share. */
export function shareOf(
  part: cloudwatch.Metric,
  whole: cloudwatch.Metric,
  { percentOf, label }: { readonly percentOf: number; readonly label: string },
): cloudwatch.MathExpression {
  const expression = `IF(whole >= ${percentOf}, 100 * part / whole, 0)`;
  return new cloudwatch.MathExpression({ expression, label, period: MINUTE, usingMetrics: { part, whole } });
}

type TableMetric =
  | 'ReadThrottleEvents'
  | 'WriteThrottleEvents'
  | 'ConsumedReadCapacityUnits'
  | 'ConsumedWriteCapacityUnits';

export const tableMetric = ({ table }: Watched, metricName: TableMetric): cloudwatch.Metric =>
  new cloudwatch.Metric({
    ...{ namespace: 'AWS/DynamoDB', metricName, statistic: 'Sum', period: MINUTE, label: metricName },
    dimensionsMap: { TableName: table.tableName },
  });

export function tableThrottles(watched: Watched): cloudwatch.MathExpression {
  const usingMetrics = {
    read: tableMetric(watched, 'ReadThrottleEvents'),
    write: tableMetric(watched, 'WriteThrottleEvents'),
  };
  const expression = 'FILL(read, 0) + FILL(write, 0)';
  return new cloudwatch.MathExpression({ expression, label: 'throttled', period: MINUTE, usingMetrics });
}
