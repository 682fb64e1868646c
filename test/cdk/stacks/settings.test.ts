import { describe, expect, it } from 'vitest';
import { readSettings, SETTING_NAMES } from '#cdk/stacks/settings.ts';

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
    ['keepData', 'perhaps', 'must be true or false'],
  ])('refuses %s=%s and says why', (name, value, why) => {
    expect(SETTING_NAMES).toContain(name);
    expect(() => read({ [name]: value })).toThrow(new RegExp(`${name}: .*${why}`));
  });

  it('names everything that is wrong at once', () => {
    expect(() => read({ stage: 'x', logLevel: 'y' })).toThrow(/stage: .*\n {2}logLevel: /);
  });

  it('refuses a zone without the name of the record', () => {
    expect(() => read({ hostedZoneId: 'Z0123456789' })).toThrow('hostedZoneId: needs domainName');
  });
});
