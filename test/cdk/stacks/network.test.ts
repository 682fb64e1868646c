import { Match, type Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { synthesize } from './deployment.ts';
import { nameOf } from './policy.ts';

const dev = synthesize().network;
const prod = synthesize({ stage: 'prod', availabilityZones: 3 }).network;

/** Who may reach a group: `<source> <port>`, from rules of their own and rules inside the group. */
function ingressOf(template: Template, group: string): string[] {
  const separate = Object.values(template.findResources('AWS::EC2::SecurityGroupIngress'))
    .filter(({ Properties }) => nameOf(Properties.GroupId) === `<${group}GroupId>`)
    .map(({ Properties }) => `${nameOf(Properties.SourceSecurityGroupId)} ${Properties.FromPort}-${Properties.ToPort}`);
  const inline = Object.entries(template.findResources('AWS::EC2::SecurityGroup'))
    .filter(([id]) => id.startsWith(group))
    .flatMap(([, { Properties }]) => Properties.SecurityGroupIngress ?? [])
    .map(
      (rule: { CidrIp: string; FromPort: number; ToPort: number }) => `${rule.CidrIp} ${rule.FromPort}-${rule.ToPort}`,
    );
  return [...separate, ...inline].toSorted();
}

describe('who may reach whom', () => {
  it('the load balancer: everyone, with TLS only', () => {
    expect(ingressOf(dev, 'LoadBalancerGroup')).toEqual(['0.0.0.0/0 443-443']);
  });

  it('a gateway: clients by the load balancer, instructions by notify and other gateways, nobody else', () => {
    expect(ingressOf(dev, 'GatewayGroup')).toEqual([
      '<GatewayGroupGroupId> 9090-9090',
      '<LoadBalancerGroupGroupId> 8080-8080',
      '<NotifyGroupGroupId> 9090-9090',
    ]);
  });

  it('notify: nobody', () => {
    expect(ingressOf(dev, 'NotifyGroup')).toEqual([]);
  });

  it('the endpoints: gateways and notify', () => {
    expect(ingressOf(dev, 'EndpointGroup')).toEqual(['<GatewayGroupGroupId> 443-443', '<NotifyGroupGroupId> 443-443']);
  });
});

describe('ways out', () => {
  const services = (template: Template) =>
    Object.values(template.findResources('AWS::EC2::VPCEndpoint'))
      .map(({ Properties }) => nameOf(Properties.ServiceName).replace('com.amazonaws.<AWS::Region>.', ''))
      .toSorted();

  it('has no NAT gateway, and no route to the internet from private subnets', () => {
    dev.resourceCountIs('AWS::EC2::NatGateway', 0);
    const routes = Object.values(dev.findResources('AWS::EC2::Route'));
    for (const { Properties } of routes)
      expect(nameOf(Properties.RouteTableId)).toMatch(/^<VpcpublicSubnet\dRouteTable>$/);
    expect(routes).toHaveLength(2);
  });

  it('pays for no endpoint that notify does not need while gateways have public addresses', () => {
    expect(services(dev)).toEqual(['dynamodb', 's3', 'secretsmanager']);
    dev.hasResourceProperties('AWS::EC2::VPCEndpoint', { VpcEndpointType: 'Interface', PrivateDnsEnabled: true });
  });

  it('gives private gateways an endpoint for everything they call', () => {
    const called = ['dynamodb', 'ecr.api', 'ecr.dkr', 'lambda', 'logs', 's3', 'secretsmanager'];
    expect(services(prod)).toEqual(called);
  });
});

describe('what nobody should be in', () => {
  it('the default group of the VPC is emptied when it is made', () => {
    dev.resourceCountIs('Custom::VpcRestrictDefaultSG', 1);
  });

  it('connections that were refused are logged', () => {
    dev.hasResourceProperties('AWS::EC2::FlowLog', {
      ResourceType: 'VPC',
      TrafficType: 'REJECT',
      LogDestinationType: 'cloud-watch-logs',
    });
  });

  it('there is no bucket that could be public', () => {
    for (const template of Object.values(synthesize({ stage: 'prod' }))) template.resourceCountIs('AWS::S3::Bucket', 0);
  });
});

describe('zones', () => {
  it('are taken by position, so that no account is asked', () => {
    dev.resourceCountIs('AWS::EC2::Subnet', 4);
    prod.resourceCountIs('AWS::EC2::Subnet', 6);
    prod.hasResourceProperties('AWS::EC2::Subnet', {
      AvailabilityZone: { 'Fn::Select': [2, { 'Fn::GetAZs': Match.anyValue() }] },
    });
  });
});
