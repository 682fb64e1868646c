import { App, CfnResource, type Stack } from 'aws-cdk-lib';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { describe, expect, it } from 'vitest';
import { deploy } from '#cdk/stacks/deployment.ts';
import { checkSecurity } from '#cdk/stacks/security-checks.ts';
import { readSettings } from '#cdk/stacks/settings.ts';
import { placeholderRoot, readCdkJson } from './deployment.ts';

const root = placeholderRoot();

/** Synthesizes with cdk-nag and with CloudFormation's own validation. @param spoil makes something wrong before */
function synth(given: Readonly<Record<string, unknown>>, spoil: (stack: Stack) => unknown = () => undefined): void {
  const app = new App({ context: readCdkJson().context, analyticsReporting: false });
  const deployment = deploy(
    app,
    readSettings((name) => given[name]),
    root,
  );
  checkSecurity(app, deployment);
  spoil(deployment.data);
  app.synth();
}

describe('AwsSolutions and CloudFormation Validate', { timeout: 300_000 }, () => {
  it.each<[string, Readonly<Record<string, unknown>>]>([
    ['dev', {}],
    [
      'prod',
      {
        stage: 'prod',
        domainName: 'blf.example.com',
        hostedZoneId: 'Z0123456789',
        alarmTarget: 'ops@example.com',
        availabilityZones: 3,
      },
    ],
    [
      'two regions',
      {
        ...{ stage: 'prod', domainName: 'blf.example.com', hostedZoneId: 'Z0123456789' },
        regions: 'eu-central-1,us-east-1',
        certificateArn: ['eu-central-1', 'us-east-1']
          .map((region) => `arn:aws:acm:${region}:123456789012:certificate/11111111-2222-3333-4444-555555555555`)
          .join(','),
      },
    ],
  ])('find nothing in %s', (_name, settings) => {
    synth(settings);
  });

  it('find what is wrong: a rule of security, and of the form of a resource', () => {
    const type = 'AWS::Logs::LogGroup';
    expect(() => synth({}, (stack) => new Queue(stack, 'Plain'))).toThrow(/SQS4/);
    expect(() => synth({}, (stack) => new CfnResource(stack, 'Odd', { type, properties: { Retention: 1 } }))).toThrow(
      /Odd/,
    );
  });
});
