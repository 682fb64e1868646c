/** How many gateways there are: by the connections that they hold, their CPU, and what their sockets do not get rid of. */
import { Duration } from 'aws-cdk-lib';
import { Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { FargateService } from 'aws-cdk-lib/aws-ecs';
import { METRIC_NAMESPACE, METRICS, type MetricName } from '#core/metric.ts';
import { deploymentName } from './names.ts';
import type { Settings } from './settings.ts';

/** Of the flows that a gateway takes: the others have room for those of one that dies, and for a busy hour. */
const FLOWS_SHARE = 0.6;
const CPU_PERCENT = 60;
/** Bytes in sockets for each flow that a gateway may have: a frame each is normal in a storm, hundreds of them are not. */
const BACKLOG_BYTES_PER_FLOW = 1_024;
const COOLDOWN = { scaleOutCooldown: Duration.minutes(1), scaleInCooldown: Duration.minutes(15) };

/** Each measure alone brings another gateway; one goes only when all agree. */
export function scaleGateways(service: FargateService, settings: Settings): void {
  const { gatewayCount, gatewayCountMost, flowsPerGateway } = settings;
  const count = service.autoScaleTaskCount({ minCapacity: gatewayCount, maxCapacity: gatewayCountMost });
  // The gateways say these once a minute; an average is over gateways.
  const metricOf = (metricName: MetricName) =>
    new Metric({
      ...{ namespace: METRIC_NAMESPACE, metricName, statistic: Stats.AVERAGE, period: Duration.minutes(1) },
      dimensionsMap: { Stage: deploymentName(settings), Service: METRICS[metricName].service },
    });
  count.scaleToTrackCustomMetric('Flows', {
    ...{ metric: metricOf('Flows'), targetValue: Math.floor(flowsPerGateway * FLOWS_SHARE) },
    ...COOLDOWN,
  });
  count.scaleToTrackCustomMetric('Backlog', {
    ...{ metric: metricOf('SendBacklogBytes'), targetValue: flowsPerGateway * BACKLOG_BYTES_PER_FLOW },
    ...COOLDOWN,
  });
  count.scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: CPU_PERCENT, ...COOLDOWN });
}
