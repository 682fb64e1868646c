/** Call detail records leave the table by its stream: an EventBridge pipe puts each on the deployment's event bus. */
import { Duration } from 'aws-cdk-lib';
import type * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as events from 'aws-cdk-lib/aws-events';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as pipes from 'aws-cdk-lib/aws-pipes';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { RECORD_EXPORT } from '../system.ts';
import { deploymentName } from './names.ts';
import type { Place } from './places.ts';
import type { Settings } from './settings.ts';

/**
 * Makes bus, pipe and the queue of what could not be put; the pipe may read the stream and put events, nothing else.
 * @returns the queue
 */
export function exportRecords(
  scope: Construct,
  settings: Settings,
  table: dynamodb.ITableV2,
  { index }: Place,
): sqs.IQueue {
  const stream = table.tableStreamArn;
  if (stream === undefined) throw new Error('The table has no stream.');
  const name = `${deploymentName(settings)}-calls`;
  const bus = new events.EventBus(scope, 'CallBus', { eventBusName: name });
  const failures = new sqs.Queue(scope, 'RecordFailures', {
    queueName: `${name}-failures`,
    encryption: sqs.QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    retentionPeriod: Duration.days(14),
  });
  const role = new iam.Role(scope, 'RecordPipeRole', { assumedBy: new iam.ServicePrincipal('pipes.amazonaws.com') });
  const read = ['dynamodb:DescribeStream', 'dynamodb:GetRecords', 'dynamodb:GetShardIterator'];
  role.addToPolicy(new iam.PolicyStatement({ actions: read, resources: [stream] }));
  role.addToPolicy(
    new iam.PolicyStatement({ actions: ['dynamodb:ListStreams'], resources: [`${table.tableArn}/stream/*`] }),
  );
  bus.grantPutEventsTo(role);
  failures.grantSendMessages(role);
  const pipe = new pipes.CfnPipe(scope, 'RecordPipe', {
    name,
    description: 'Records of calls that have ended',
    roleArn: role.roleArn,
    // Every region's stream has every record: those of the others stand by.
    desiredState: index === 0 ? 'RUNNING' : 'STOPPED',
    source: stream,
    sourceParameters: {
      dynamoDbStreamParameters: {
        startingPosition: 'TRIM_HORIZON',
        batchSize: RECORD_EXPORT.batchSize,
        maximumRetryAttempts: RECORD_EXPORT.maximumRetryAttempts,
        deadLetterConfig: { arn: failures.queueArn },
      },
      filterCriteria: { filters: [{ pattern: JSON.stringify(RECORD_EXPORT.filterPattern) }] },
    },
    target: bus.eventBusArn,
    targetParameters: {
      eventBridgeEventBusParameters: { source: RECORD_EXPORT.source, detailType: RECORD_EXPORT.detailType },
    },
  });
  // A pipe looks at once whether its role can read the stream.
  pipe.node.addDependency(role);
  return failures;
}
