/** What tells how a deployment does: its dashboard, and alarms that lead to the runbook. */
import { Stack, type StackProps } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import * as sns from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Construct } from 'constructs';
import { ALARM_NAMES, ALARMS, type AlarmDescription, type AlarmName, RUNBOOK } from './alarm-list.ts';
import { createDashboard } from './dashboard.ts';
import { deploymentName } from './names.ts';
import type { Settings } from './settings.ts';
import type { Watched } from './watched-metrics.ts';

interface ObservabilityProps extends StackProps {
  readonly watched: Watched;
}

export class ObservabilityStack extends Stack {
  constructor(scope: Construct, id: string, { watched, ...props }: ObservabilityProps) {
    super(scope, id, props);
    const topic = alarmTopic(this, watched.settings);
    const alarms = ALARM_NAMES.flatMap((name) => createAlarm(this, name, watched));
    if (topic !== undefined)
      for (const alarm of alarms) {
        alarm.addAlarmAction(new SnsAction(topic));
        alarm.addOkAction(new SnsAction(topic));
      }
    createDashboard(this, watched, alarms);
  }
}

/** The topic of the setting, or one of our own that writes to its e-mail address. */
function alarmTopic(scope: Construct, settings: Settings): sns.ITopic | undefined {
  const { alarmTarget } = settings;
  if (alarmTarget === undefined) return undefined;
  if (alarmTarget.startsWith('arn:')) return sns.Topic.fromTopicArn(scope, 'AlarmTarget', alarmTarget);
  const topic = new sns.Topic(scope, 'Alarms', { topicName: `${deploymentName(settings)}-alarms`, enforceSSL: true });
  topic.addSubscription(new EmailSubscription(alarmTarget));
  return topic;
}

function createAlarm(scope: Construct, name: AlarmName, watched: Watched): cloudwatch.Alarm[] {
  const { settings } = watched;
  const { what, metric, threshold, isBelow, minutes, missingIsBad, when }: AlarmDescription = ALARMS[name];
  if (when?.(settings) === false) return [];
  const [datapointsToAlarm, evaluationPeriods] = minutes;
  const { LESS_THAN_THRESHOLD, GREATER_THAN_THRESHOLD } = cloudwatch.ComparisonOperator;
  const { BREACHING, NOT_BREACHING } = cloudwatch.TreatMissingData;
  const alarm = new cloudwatch.Alarm(scope, name, {
    alarmName: `${deploymentName(settings)}-${name}`,
    alarmDescription: `${what} What to do: ${RUNBOOK}#${name}`,
    metric: metric(watched),
    ...{ threshold: threshold(settings), datapointsToAlarm, evaluationPeriods },
    comparisonOperator: isBelow ? LESS_THAN_THRESHOLD : GREATER_THAN_THRESHOLD,
    treatMissingData: missingIsBad ? BREACHING : NOT_BREACHING,
  });
  return [alarm];
}
