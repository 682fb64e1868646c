/** What stays when a stack is deleted, and how long logs are kept. */
import { RemovalPolicy } from 'aws-cdk-lib';
import * as logs from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { Settings } from './settings.ts';

/** Kept data survives its stack, but a first deployment that fails leaves nothing that would block the second. */
export function removalPolicyOf({ keepData }: Settings): RemovalPolicy {
  return keepData ? RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE : RemovalPolicy.DESTROY;
}

/** Makes a log group with the deployment's retention. */
export function createLogGroup(scope: Construct, id: string, settings: Settings, logGroupName: string): logs.LogGroup {
  return new logs.LogGroup(scope, id, {
    logGroupName,
    retention: settings.logRetentionDays,
    removalPolicy: removalPolicyOf(settings),
  });
}
