import type { Template } from 'aws-cdk-lib/assertions';
import { expect, it } from 'vitest';
import { synthesize } from './deployment.ts';

/** What loses something when CloudFormation replaces it: data, addresses, connections. A new logical id replaces. */
const KEPT_IN_PLACE: Readonly<Record<string, readonly string[]>> = {
  'AWS::DynamoDB::GlobalTable': ['TableName'],
  'AWS::SecretsManager::Secret': ['Name'],
  'AWS::KMS::Key': [],
  'AWS::SQS::Queue': ['QueueName'],
  'AWS::Events::EventBus': ['Name'],
  'AWS::ElasticLoadBalancingV2::LoadBalancer': ['Type', 'Scheme'],
  'AWS::ElasticLoadBalancingV2::TargetGroup': ['Port', 'Protocol', 'TargetType'],
  'AWS::ECS::Cluster': [],
  'AWS::ECS::Service': [],
  'AWS::EC2::VPC': ['CidrBlock'],
  'AWS::EC2::Subnet': ['CidrBlock'],
};

function linesOf(stack: string, template: Template): string[] {
  const resources: Record<string, { Type: string; DeletionPolicy?: string; Properties?: Record<string, unknown> }> =
    template.toJSON().Resources;
  return Object.entries(resources).flatMap(([id, { Type, DeletionPolicy, Properties = {} }]) => {
    const names = KEPT_IN_PLACE[Type];
    if (names === undefined) return [];
    const facts = names.flatMap((name) =>
      typeof Properties[name] === 'string' ? [`${name}=${Properties[name]}`] : [],
    );
    return [`${stack}/${id}  ${Type}  ${DeletionPolicy ?? 'Delete'}  ${facts.join(' ')}`.trimEnd()];
  });
}

// On purpose: npx vitest run test/cdk/stacks/inventory.test.ts -u, and say in the commit what happens to what stood there.
it('what must not be replaced has the logical ids and names that it had', async () => {
  const { data, functions, network, edge } = synthesize({ stage: 'prod' });
  const lines = Object.entries({ data, functions, network, edge }).flatMap(([name, each]) => linesOf(name, each));
  const head = 'prod: <stack>/<logical id>  <type>  <when its stack is deleted>  <names>';
  await expect(`${[head, ...lines.toSorted()].join('\n')}\n`).toMatchFileSnapshot('./inventory.txt');
});
