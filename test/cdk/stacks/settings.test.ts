import { describe, expect, it } from 'vitest';
import { certificateOf, readSettings } from '#cdk/stacks/settings.ts';
import { describeSetting, SETTING_NAMES } from '#cdk/stacks/settings-schema.ts';

const read = (given: Readonly<Record<string, unknown>> = {}) => readSettings((name) => given[name]);

describe('settings', () => {
  it('has a default for everything that needs no account: a cheap dev deployment', () => {
    expect(read()).toMatchObject({
      stage: 'dev',
      prefix: 'lampfield',
      availabilityZones: 2,
      gatewayCount: 1,
      gatewayCpu: 256,
      gatewayMemoryMb: 512,
      gatewaySubnets: 'public',
      keepData: false,
    });
  });

  it('keeps data and stands in private subnets in prod', () => {
    expect(read({ stage: 'prod' })).toMatchObject({ gatewayCount: 2, gatewaySubnets: 'private', keepData: true });
  });

  it('reads the text that `-c name=value` brings as well as the values of cdk.json', () => {
    const text = read({ gatewayCount: '3', keepData: 'true', logRetentionDays: '30' });
    expect(text).toEqual(read({ gatewayCount: 3, keepData: true, logRetentionDays: 30 }));
    expect(text).toMatchObject({ gatewayCount: 3, keepData: true, logRetentionDays: 30 });
  });

  it.each([
    ['stage', 'test', 'must be dev or prod'],
    ['prefix', 'Lamp_field', 'must be 2 to 20 of a-z, 0-9, -'],
    ['domainName', 'https://blf.example.com', 'must be a domain name'],
    ['hostedZoneId', 'blf.example.com', 'must be a Route 53 hosted zone id'],
    ['certificateArn', 'arn:aws:iam::123456789012:server-certificate/x', 'must be the ARN of an ACM certificate'],
    ['apiOrigins', 'https://portal.example/admin', 'must be self or origins'],
    ['apiOrigins', '*', 'must be self or origins'],
    ['iceServersSecret', '[{"urls":"turn:x"}]', 'must be the name of a secret'],
    ['vpcCidr', '10.0.0.0/24', 'must be an IPv4 block'],
    ['availabilityZones', '1', 'must be at least 2'],
    ['gatewaySubnets', 'hidden', 'must be public or private'],
    ['gatewayCount', '0', 'must be at least 1'],
    ['gatewayCount', 'two', 'must be a whole number'],
    ['gatewayCpu', '300', 'must be one of 256'],
    ['gatewayMemoryMb', '4096', 'with gatewayCpu 256'],
    ['logRetentionDays', '8', 'must be one of 1, 3'],
    ['logLevel', 'loud', 'must be a log level'],
    ['encryption', 'none', 'must be aws or customer'],
    ['apiFirewall', 'on', 'must be true or false'],
    ['keepData', 'perhaps', 'must be true or false'],
    ['regions', 'Frankfurt', 'must be AWS regions'],
    ['vpcId', 'my-vpc', 'must be the id of a VPC'],
    ['vpcPrivateSubnets', '10.0.0.0/24', 'must be ids of subnets'],
    ['gatewayCountMost', '0', 'must be at least 1'],
    ['tableBilling', 'free', 'must be onDemand or provisioned'],
    ['alarmTarget', 'the admin', 'must be an e-mail address or the ARN of an SNS topic'],
    ['tags', 'owner', 'must be key=value'],
  ])('refuses %s=%s and says why', (name, value, why) => {
    expect(SETTING_NAMES.map(String)).toContain(name);
    expect(() => read({ [name]: value })).toThrow(new RegExp(`${name}: .*${why}`));
  });

  it('names everything that is wrong at once', () => {
    expect(() => read({ stage: 'x', logLevel: 'y' })).toThrow(/stage: .*\n {2}logLevel: /);
  });

  it('refuses a zone without the name of the record', () => {
    expect(() => read({ hostedZoneId: 'Z0123456789' })).toThrow('hostedZoneId: needs domainName');
  });

  const EU = 'arn:aws:acm:eu-central-1:123456789012:certificate/eu';
  const US = 'arn:aws:acm:us-east-1:123456789012:certificate/us';

  it('takes lists as text and as lists', () => {
    const given = { regions: 'eu-central-1, us-east-1', certificateArn: `${EU},${US}`, tags: 'owner=voice,cost=42' };
    const settings = read(given);
    expect(settings.regions).toEqual(['eu-central-1', 'us-east-1']);
    expect(settings.tags).toEqual(['owner=voice', 'cost=42']);
    expect(read({ ...given, regions: ['eu-central-1', 'us-east-1'] })).toEqual(settings);
  });

  it('knows the certificate of each region, and wants one for each', () => {
    const both = read({ regions: 'eu-central-1,us-east-1', certificateArn: `${US},${EU}` });
    expect(certificateOf(both, 'eu-central-1')).toBe(EU);
    expect(certificateOf(read({ certificateArn: EU }), undefined)).toBe(EU);
    expect(() => read({ regions: 'eu-central-1,us-east-1', certificateArn: EU })).toThrow('of the region us-east-1');
    expect(() => read({ certificateArn: `${EU},${US}` })).toThrow('certificateArn: one for each');
    expect(() => read({ regions: 'us-east-1,us-east-1' })).toThrow('regions: each one once');
  });

  it('takes a VPC that is there with the subnets of two zones, and then no other regions', () => {
    const vpc = {
      vpcId: 'vpc-0123456789abcdef0',
      vpcZones: 'eu-central-1a,eu-central-1b',
      vpcPublicSubnets: 'subnet-00000001,subnet-00000002',
      vpcPrivateSubnets: 'subnet-00000003,subnet-00000004',
    };
    expect(read(vpc).vpcPrivateSubnets).toEqual(['subnet-00000003', 'subnet-00000004']);
    expect(() => read({ ...vpc, vpcZones: 'eu-central-1a' })).toThrow('vpcZones: at least two');
    expect(() => read({ ...vpc, vpcPublicSubnets: 'subnet-00000001' })).toThrow('vpcPublicSubnets: one in each zone');
    expect(() => read({ ...vpc, regions: 'eu-central-1,us-east-1' })).toThrow('vpcId: with several regions');
    expect(() => read({ vpcZones: 'eu-central-1a' })).toThrow('vpcZones: needs vpcId');
  });

  it('wants memory for the flows that a gateway takes, as it was measured', () => {
    expect(() => read({ stage: 'prod', gatewayMemoryMb: 2_048 })).toThrow('50000 flows (flowsPerGateway) need 2179');
    expect(read({ stage: 'prod', gatewayMemoryMb: 2_048, flowsPerGateway: 40_000 }).gatewayMemoryMb).toBe(2_048);
  });

  it('wants bounds for a capacity that is paid by the hour, and a most that is no less than the least', () => {
    expect(() => read({ tableBilling: 'provisioned' })).toThrow('tableBilling: provisioned needs');
    expect(() => read({ gatewayCount: 3, gatewayCountMost: 2 })).toThrow('gatewayCountMost: must not be less');
    expect(read({ gatewayCount: 30 }).gatewayCountMost).toBe(30);
  });

  it('takes an address or a topic for alarms', () => {
    expect(read({ alarmTarget: 'voice@example.com' }).alarmTarget).toBe('voice@example.com');
    const topic = 'arn:aws:sns:eu-central-1:123456789012:alarms';
    expect(read({ alarmTarget: topic }).alarmTarget).toBe(topic);
  });

  it('says of every setting what it is for', () => {
    for (const name of SETTING_NAMES) expect(describeSetting(name), name).toMatch(/\w{3}.*\.$/);
  });
});
