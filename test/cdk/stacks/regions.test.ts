import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { placesOf } from '#cdk/stacks/places.ts';
import { readSettings } from '#cdk/stacks/settings.ts';
import { readEnvironment } from '#runtime/environment.ts';
import { synthesize, synthesizeRegions, type Templates } from './deployment.ts';
import { nameOf } from './policy.ts';

const REGIONS = ['eu-central-1', 'us-east-1'];
const given = {
  stage: 'prod',
  regions: REGIONS.join(','),
  domainName: 'blf.example.com',
  hostedZoneId: 'Z0123456789',
  certificateArn: REGIONS.map((region) => `arn:aws:acm:${region}:123456789012:certificate/${region}`).join(','),
};
const all = synthesizeRegions(given);
const [first, second] = all as [Templates, Templates];

const variablesOf = ({ functions }: Templates, name: string): Record<string, string> => {
  const found = Object.values(functions.findResources('AWS::Lambda::Function')).find(
    ({ Properties }) => Properties.FunctionName === `lampfield-prod-${name}`,
  );
  const variables = Object.entries<unknown>(found?.Properties.Environment.Variables);
  return Object.fromEntries(variables.map(([key, value]) => [key, nameOf(value)]));
};

describe('several regions', () => {
  it('share one table with a replica in each, kept and recoverable, which the others know by its name', () => {
    for (const Region of REGIONS)
      first.data.hasResourceProperties('AWS::DynamoDB::GlobalTable', {
        TableName: 'lampfield-prod',
        Replicas: Match.arrayWith([
          Match.objectLike({
            ...{ Region, DeletionProtectionEnabled: true },
            PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
          }),
        ]),
      });
    second.data.resourceCountIs('AWS::DynamoDB::GlobalTable', 0);
    expect(variablesOf(second, 'publish').TABLE_NAME).toBe('lampfield-prod');
  });

  it('share their secrets: what one seals or signs the other one opens', () => {
    const secrets = Object.values(first.data.findResources('AWS::SecretsManager::Secret'));
    expect(secrets.length).toBeGreaterThanOrEqual(4);
    for (const { Properties } of secrets) expect(Properties.ReplicaRegions).toEqual([{ Region: 'us-east-1' }]);
    second.data.resourceCountIs('AWS::SecretsManager::Secret', 0);
    expect(variablesOf(second, 'register').VAULT_SECRET_ARN).toMatch(/:secret:lampfield-prod\/vault$/);
  });

  it('have each their own fleet, functions and stream of their own replica', () => {
    for (const { edge, functions } of all) {
      edge.resourceCountIs('AWS::ECS::Service', 1);
      functions.resourceCountIs('AWS::Lambda::EventSourceMapping', 1);
    }
    second.functions.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      EventSourceArn: { 'Fn::ImportValue': Match.stringLikeRegexp('us-east-1|Stream') },
    });
  });

  it('tell functions which of the regions they are in, and let the second one sweep what the first has left', () => {
    expect(readEnvironment(variablesOf(first, 'notify')).regionRole).toBe('first');
    expect(readEnvironment(variablesOf(second, 'notify')).regionRole).toBe('further');
    expect(readEnvironment(variablesOf(first, 'expire')).expireLagSeconds).toBe(0);
    expect(readEnvironment(variablesOf(second, 'expire')).expireLagSeconds).toBe(30);
  });

  it('put the records of calls on the bus of the first one, once', () => {
    first.functions.hasResourceProperties('AWS::Pipes::Pipe', { DesiredState: 'RUNNING' });
    second.functions.hasResourceProperties('AWS::Pipes::Pipe', { DesiredState: 'STOPPED' });
  });

  it('are found by latency, the nearest that is healthy, each with its own certificate', () => {
    for (const [index, { edge }] of all.entries()) {
      const region = REGIONS[index];
      edge.hasResourceProperties('AWS::Route53::RecordSet', {
        ...{ Name: 'blf.example.com.', Region: region, SetIdentifier: region },
        AliasTarget: Match.objectLike({ EvaluateTargetHealth: true }),
      });
      edge.hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', {
        Certificates: [{ CertificateArn: Match.stringLikeRegexp(`:acm:${region}:`) }],
      });
    }
  });

  it('reach the gateways of each other on the instruction port, for calls and messages, and nothing else', () => {
    const places = placesOf(readSettings((name) => given[name as keyof typeof given]));
    expect(places.map(({ cidr }) => cidr)).toEqual(['10.20.0.0/16', '10.21.0.0/16']);
    for (const [index, { network }] of all.entries()) {
      const [other] = places[index]?.otherCidrs ?? [];
      const groups = Object.entries(network.findResources('AWS::EC2::SecurityGroup'));
      const fromOther = groups.flatMap(([id, { Properties }]) =>
        (Properties.SecurityGroupIngress ?? [])
          .filter(({ CidrIp }: { CidrIp: string }) => CidrIp === other)
          .map(({ FromPort, ToPort }: { FromPort: number; ToPort: number }) => [id.slice(0, 12), FromPort, ToPort]),
      );
      expect(fromOther).toEqual([['GatewayGroup', 9090, 9090]]);
    }
  });

  it('change nothing in the ids of a first region that was there before', () => {
    const [certificateArn] = given.certificateArn.split(',');
    const alone = synthesize({ ...given, regions: 'eu-central-1', certificateArn, encryption: 'aws' });
    const idsOf = ({ data, edge }: Templates) =>
      [data, edge]
        .flatMap((template) => Object.keys(template.toJSON().Resources))
        .filter((id) => !/Export|Custom/.test(id));
    expect(idsOf(first)).toEqual(expect.arrayContaining(idsOf(alone)));
  });
});

describe('a VPC that is there', () => {
  const vpc = {
    vpcId: 'vpc-0123456789abcdef0',
    vpcZones: 'eu-central-1a,eu-central-1b',
    vpcPublicSubnets: 'subnet-00000001,subnet-00000002',
    vpcPrivateSubnets: 'subnet-00000003,subnet-00000004',
  };
  const { network, edge, functions } = synthesize({ ...vpc, gatewaySubnets: 'private' });

  it('is used as it is: no VPC, subnet, route or endpoint is made', () => {
    for (const type of ['VPC', 'Subnet', 'RouteTable', 'Route', 'VPCEndpoint', 'InternetGateway'])
      network.resourceCountIs(`AWS::EC2::${type}`, 0);
  });

  it('gets the load balancer in its public subnets, gateways and notify in its private ones', () => {
    edge.hasResourceProperties('AWS::ElasticLoadBalancingV2::LoadBalancer', {
      Subnets: ['subnet-00000001', 'subnet-00000002'],
    });
    edge.hasResourceProperties('AWS::ECS::Service', {
      NetworkConfiguration: {
        AwsvpcConfiguration: Match.objectLike({ Subnets: ['subnet-00000003', 'subnet-00000004'] }),
      },
    });
    functions.hasResourceProperties('AWS::Lambda::Function', {
      FunctionName: 'lampfield-dev-notify',
      VpcConfig: Match.objectLike({ SubnetIds: ['subnet-00000003', 'subnet-00000004'] }),
    });
  });
});

describe('billing', () => {
  it('bounds what a table may cost on demand', () => {
    synthesize({ tableMostReadUnits: 4_000, tableMostWriteUnits: 2_000 }).data.hasResourceProperties(
      'AWS::DynamoDB::GlobalTable',
      {
        BillingMode: 'PAY_PER_REQUEST',
        WriteOnDemandThroughputSettings: { MaxWriteRequestUnits: 2_000 },
      },
    );
  });

  it('provisions a capacity that follows the use when it is asked to', () => {
    const bounds = { tableBilling: 'provisioned', tableMostReadUnits: 400, tableMostWriteUnits: 200 };
    synthesize(bounds).data.hasResourceProperties('AWS::DynamoDB::GlobalTable', {
      BillingMode: 'PROVISIONED',
      WriteProvisionedThroughputSettings: {
        WriteCapacityAutoScalingSettings: Match.objectLike({ MinCapacity: 5, MaxCapacity: 200 }),
      },
    });
  });
});
