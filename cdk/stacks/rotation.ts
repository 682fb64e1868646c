/** Rotation: Secrets Manager asks the function for a new version of each secret that rotates. */
import { Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnRotationSchedule, type ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { ROTATION, type SecretName } from '../system.ts';

const ROTATE = ['DescribeSecret', 'GetSecretValue', 'PutSecretValue', 'UpdateSecretVersionStage'];

/** Lets the function make versions of these secrets and of no other; deploying alone rotates nothing. */
export function rotateSecrets(rotate: LambdaFunction, secrets: Readonly<Record<SecretName, ISecret>>): void {
  for (const name of ROTATION.secrets) {
    const { secretArn } = secrets[name];
    const actions = ROTATE.map((action) => `secretsmanager:${action}`);
    rotate.role?.addToPrincipalPolicy(new iam.PolicyStatement({ actions, resources: [secretArn] }));
    rotate.addPermission(`Rotation-${name}`, {
      principal: new iam.ServicePrincipal('secretsmanager.amazonaws.com'),
      sourceAccount: Stack.of(rotate).account,
      sourceArn: secretArn,
    });
    const schedule = new CfnRotationSchedule(Stack.of(rotate), `Rotation-${name}`, {
      secretId: secretArn,
      rotationLambdaArn: rotate.functionArn,
      rotationRules: { scheduleExpression: `rate(${ROTATION.everyDays} days)` },
      rotateImmediatelyOnUpdate: false,
    });
    // Secrets Manager tries at once whether it may invoke the function, and whether that may read the secret.
    schedule.node.addDependency(rotate, ...(rotate.role ? [rotate.role] : []));
  }
}
