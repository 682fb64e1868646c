/** A key of the deployment's own in the place of AWS's: for table, secrets, queues and logs of all its stacks. */
import type { Stack } from 'aws-cdk-lib';
import { CfnGlobalTable } from 'aws-cdk-lib/aws-dynamodb';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import { CfnLogGroup } from 'aws-cdk-lib/aws-logs';
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager';
import { CfnQueue } from 'aws-cdk-lib/aws-sqs';
import { deploymentName } from './names.ts';
import { removalPolicyOf } from './retention.ts';
import type { Settings } from './settings.ts';

const USE = ['kms:Decrypt', 'kms:Encrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:DescribeKey'];
/** Services that use the key for whoever may use what it encrypts. */
const SERVICES = ['dynamodb', 'secretsmanager', 'sqs'];

/** Makes the key in `owner`, and gives it to everything in `stacks` that keeps data. */
export function encryptWithKey(owner: Stack, stacks: readonly Stack[], settings: Settings): void {
  const key = createKey(owner, settings);
  for (const resource of stacks.flatMap((stack) => stack.node.findAll())) {
    if (resource instanceof CfnLogGroup) resource.kmsKeyId = key.keyArn;
    else if (resource instanceof CfnSecret) resource.kmsKeyId = key.keyArn;
    else if (resource instanceof CfnQueue) {
      resource.sqsManagedSseEnabled = undefined;
      resource.kmsMasterKeyId = key.keyArn;
    } else if (resource instanceof CfnGlobalTable) {
      resource.addPropertyOverride('SSESpecification', { SSEEnabled: true, SSEType: 'KMS' });
      resource.addPropertyOverride('Replicas.0.SSESpecification', { KMSMasterKeyId: key.keyArn });
    }
  }
}

function createKey(stack: Stack, settings: Settings): kms.Key {
  const key = new kms.Key(stack, 'Key', {
    alias: deploymentName(settings),
    description: 'Table, secrets, queues and logs',
    enableKeyRotation: true,
    removalPolicy: removalPolicyOf(settings),
  });
  const { account, region, partition } = stack;
  const through = SERVICES.map((service) => `${service}.${region}.amazonaws.com`);
  key.addToResourcePolicy(
    new iam.PolicyStatement({
      sid: 'ThroughServices',
      principals: [new iam.AnyPrincipal()],
      actions: [...USE, 'kms:CreateGrant'],
      resources: ['*'],
      conditions: { StringEquals: { 'kms:CallerAccount': account, 'kms:ViaService': through } },
    }),
  );
  const ofLogs = `arn:${partition}:logs:${region}:${account}:log-group:*`;
  key.addToResourcePolicy(
    new iam.PolicyStatement({
      sid: 'Logs',
      principals: [new iam.ServicePrincipal(`logs.${region}.amazonaws.com`)],
      actions: USE,
      resources: ['*'],
      conditions: { ArnLike: { 'kms:EncryptionContext:aws:logs:arn': ofLogs } },
    }),
  );
  return key;
}
