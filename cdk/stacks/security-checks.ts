/** The rules of cdk-nag's AwsSolutions over all stacks, and why some of them do not apply to some resource. */
import { type App, type Stack, Token, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { FUNCTION_NAMES } from '../system.ts';
import type { DataStack } from './data.ts';
import type { Deployment } from './deployment.ts';
import { roleIdOf } from './names.ts';

interface Accepted {
  readonly rule: string;
  readonly reason: string;
  /** Ids of the constructs directly in the stack, or how they begin; where none is named or there, nothing is accepted. */
  readonly at: readonly string[];
}

const KEEPS_FAILURES = 'It is itself the queue of what could not be delivered.';
const ROTATED_ELSEWHERE = 'It rotates every 30 days; the schedule stands beside the function, in another stack.';

const ACCEPTED: Readonly<Record<'network' | 'data' | 'functions' | 'edge', readonly Accepted[]>> = {
  network: [
    { rule: 'EC23', at: ['LoadBalancerGroup'], reason: 'Clients come from everywhere, to the TLS port alone.' },
  ],
  data: [
    { rule: 'SMG4', at: ['NonceSecret', 'InstructionSecret'], reason: ROTATED_ELSEWHERE },
    {
      rule: 'SMG4',
      at: ['AdminSecret'],
      reason: 'People hold it: they change it when one of them leaves (threat-model.md).',
    },
    {
      rule: 'SMG4',
      at: ['VaultSecret'],
      reason: 'It seals what stands in the table: a new key goes before the old one (README).',
    },
    { rule: 'SMG4', at: ['CanarySecret'], reason: 'It opens a tenant in which there is nothing but the canary.' },
  ],
  functions: [
    {
      rule: 'IAM5[Resource::*]',
      at: FUNCTION_NAMES.map(roleIdOf),
      reason: 'X-Ray has no resource level; nor has EC2 for Describe, which the code of the function is denied.',
    },
    {
      rule: 'IAM5[Resource::arn:<AWS::Partition>:ec2:<AWS::Region>:<AWS::AccountId>:*/*]',
      at: ['MessageRole', 'NotifyRole', 'ApiRole'],
      reason: 'Interfaces get their ids when Lambda makes them; the code of the function is denied it.',
    },
    { rule: 'SQS3', at: ['NotifyFailures', 'RecordFailures'], reason: KEEPS_FAILURES },
    { rule: 'APIG2', at: ['HttpApi'], reason: 'The function checks every body, query and path against its schema.' },
    { rule: 'APIG3', at: ['HttpApi'], reason: 'AWS WAF stands there with the setting apiFirewall, as in production.' },
    {
      rule: 'APIG4',
      at: ['HttpApi'],
      reason: 'The function asks for an API key, which belongs to a tenant and has a permission.',
    },
    { rule: 'COG4', at: ['HttpApi'], reason: 'Callers are programs with API keys, which the function checks.' },
    { rule: 'APIG6', at: ['HttpApi'], reason: 'It would log bodies, and with them passwords; access is logged.' },
  ],
  edge: [
    {
      rule: 'IAM5[Resource::*]',
      at: ['GatewayTask'],
      reason: 'ecr:GetAuthorizationToken knows no resource; it is the right of the agent that starts the task.',
    },
    {
      rule: 'ELB2',
      at: ['LoadBalancer'],
      reason: 'Gateways log each flow with the address of its client, which is preserved.',
    },
    {
      rule: 'ECS4',
      at: ['Cluster'],
      reason: 'A deployment for trials pays for no Container Insights; production has them.',
    },
    {
      rule: 'IAM5[Resource::arn:<AWS::Partition>:ecs:<AWS::Region>:<AWS::AccountId>:task/<ClusterEB0386A7>/*]',
      at: ['GatewayTask'],
      reason:
        'It protects itself from scale-in; tasks get their ids when they start, those of other clusters are out of reach.',
    },
    { rule: 'ECS2', at: ['GatewayTask'], reason: 'No secret is among the variables: the gateway reads it by its ARN.' },
  ],
};

/** From now on a synthesis fails that breaks a rule. */
export function checkSecurity(app: App, deployment: Deployment): void {
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  for (const stacks of [deployment, ...deployment.others])
    for (const name of ['network', 'data', 'functions', 'edge'] as const) accept(stacks[name], ACCEPTED[name]);
  accept(deployment.functions, [listStreams(deployment.data)]);
  for (const { data, functions } of deployment.others) {
    const tableArn = 'arn:<AWS::Partition>:dynamodb:<AWS::Region>:<AWS::AccountId>:table';
    accept(functions, [listStreamsOf(`${tableArn}/${data.table.tableName}`)]);
    accept(data, FINDS_STREAM);
  }
}

const FINDS_STREAM: readonly Accepted[] = [
  {
    rule: 'IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]',
    at: ['AWS679f53fac002430cb0da5b7982bd2287'],
    reason: "CDK's own function, which asks once for the replica's stream, writes its log.",
  },
  {
    rule: 'L1',
    at: ['AWS679f53fac002430cb0da5b7982bd2287'],
    reason: "CDK's own function; its version comes with CDK.",
  },
];

/** cdk-nag names a value of another stack by its export. */
function listStreams(data: DataStack): Accepted {
  const imported: Readonly<Record<string, string>> = data.resolve(data.exportValue(data.table.tableArn));
  return listStreamsOf(String(imported['Fn::ImportValue']));
}

function listStreamsOf(tableArn: string): Accepted {
  return {
    rule: `IAM5[Resource::${tableArn}/stream/*]`,
    at: ['NotifyRole', 'RecordPipeRole'],
    reason: 'ListStreams names the streams of this table and reads none; their ids are times.',
  };
}

function accept(stack: Stack, accepted: readonly Accepted[]): void {
  for (const { rule, at, reason } of accepted)
    for (const construct of at.map((id) => stack.node.tryFindChild(id)).filter((each) => each !== undefined))
      Validations.of(construct).acknowledge({ id: `AwsSolutions-${inRegionOf(stack, rule)}`, reason });
}

/** A stack that names its region has that, and the partition, in its ARNs; those of managed policies are AWS's own. */
function inRegionOf({ region, partition }: Stack, rule: string): string {
  if (Token.isUnresolved(region) || rule.startsWith('IAM4')) return rule;
  return rule.replaceAll('<AWS::Region>', region).replaceAll('<AWS::Partition>', partition);
}
