import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Match } from 'aws-cdk-lib/assertions';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { readConfig } from '#gateway/config.ts';
import { placeholderRoot, synthesize } from './deployment.ts';
import { isAllowed, nameOf, statementsOf } from './policy.ts';

const CERTIFICATE = 'arn:aws:acm:eu-west-1:123456789012:certificate/5f3c';
const root = placeholderRoot();
const dev = synthesize({}, root).edge;
const prod = synthesize({
  stage: 'prod',
  certificateArn: CERTIFICATE,
  domainName: 'blf.example.com',
  hostedZoneId: 'Z0123456789',
  iceServersSecret: 'turn/prod',
}).edge;

const taskSchema = v.object({
  ContainerDefinitions: v.tuple([
    v.looseObject({
      Environment: v.array(v.object({ Name: v.string(), Value: v.unknown() })),
      Secrets: v.optional(v.array(v.object({ Name: v.string(), ValueFrom: v.unknown() })), []),
    }),
  ]),
});
const [container] = v.parse(
  taskSchema,
  Object.values(dev.findResources('AWS::ECS::TaskDefinition'))[0]?.Properties,
).ContainerDefinitions;
const everything = Object.fromEntries(container.Environment.map(({ Name, Value }) => [Name, Value]));
/** What is known before it is deployed. */
const environment = Object.fromEntries(
  Object.entries(everything).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
);

describe('the listener', () => {
  it('ends TLS 1.2 or 1.3 with the configured certificate; there is no other listener', () => {
    prod.resourceCountIs('AWS::ElasticLoadBalancingV2::Listener', 1);
    prod.hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', {
      Port: 443,
      Protocol: 'TLS',
      SslPolicy: 'ELBSecurityPolicy-TLS13-1-2-Res-2021-06',
      Certificates: [{ CertificateArn: CERTIFICATE }],
    });
  });

  it('asks for the certificate when deploying if none is configured', () => {
    dev.hasParameter('CertificateArn', { Type: 'String', Default: Match.absent() });
    dev.hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', {
      Protocol: 'TLS',
      Certificates: [{ CertificateArn: { Ref: 'CertificateArn' } }],
    });
  });

  it('forwards to gateways with the client address, health by HTTP, and never cuts flows itself', () => {
    dev.hasResourceProperties('AWS::ElasticLoadBalancingV2::TargetGroup', {
      Port: 8080,
      Protocol: 'TCP',
      TargetType: 'ip',
      HealthCheckProtocol: 'HTTP',
      HealthCheckPath: '/healthz/functions',
      TargetGroupAttributes: Match.arrayWith([
        { Key: 'preserve_client_ip.enabled', Value: 'true' },
        { Key: 'deregistration_delay.connection_termination.enabled', Value: 'false' },
        { Key: 'target_health_state.unhealthy.connection_termination.enabled', Value: 'false' },
      ]),
    });
  });

  it('has a record for the domain when its zone is known', () => {
    dev.resourceCountIs('AWS::Route53::RecordSet', 0);
    prod.hasResourceProperties('AWS::Route53::RecordSet', {
      Name: 'blf.example.com.',
      HostedZoneId: 'Z0123456789',
      Type: 'A',
    });
  });
});

const statements = statementsOf(dev, 'GatewayTaskTaskRole');

describe('the gateway task', () => {
  it('has room for 50,000 flows in production: descriptors, memory, and a heap that fits in it', () => {
    prod.hasResourceProperties('AWS::ECS::TaskDefinition', {
      Memory: '3072',
      ContainerDefinitions: [
        Match.objectLike({
          Ulimits: [{ Name: 'nofile', SoftLimit: 104_096, HardLimit: 104_096 }],
          Environment: Match.arrayWith([
            { Name: 'MAX_FLOWS', Value: '50000' },
            { Name: 'PROTECTED_FLOWS', Value: '15000' },
            { Name: 'NODE_OPTIONS', Value: '--max-old-space-size=2304' },
          ]),
        }),
      ],
    });
  });

  it('runs on arm64 Fargate, read-only, with descriptors for its flows and 120 s to stop', () => {
    dev.hasResourceProperties('AWS::ECS::TaskDefinition', {
      RuntimePlatform: { CpuArchitecture: 'ARM64', OperatingSystemFamily: 'LINUX' },
      RequiresCompatibilities: ['FARGATE'],
      ContainerDefinitions: [
        Match.objectLike({
          ReadonlyRootFilesystem: true,
          StopTimeout: 120,
          Ulimits: [{ Name: 'nofile', SoftLimit: 14_096, HardLimit: 14_096 }],
          HealthCheck: Match.objectLike({ Command: Match.arrayWith([Match.stringLikeRegexp('/healthz')]) }),
        }),
      ],
    });
  });

  it('reads the TURN servers of its calls from the secret that is named, and may read that one', () => {
    expect(container.Secrets.map(({ Name }) => Name)).not.toContain('ICE_SERVERS');
    prod.hasResourceProperties('AWS::ECS::TaskDefinition', {
      ContainerDefinitions: [
        Match.objectLike({
          Secrets: Match.arrayWith([
            { Name: 'ICE_SERVERS', ValueFrom: { 'Fn::Join': ['', Match.arrayWith([':secret:turn/prod'])] } },
          ]),
        }),
      ],
    });
    const ofExecution = statementsOf(prod, 'GatewayTaskExecutionRole');
    const secret = (name: string) =>
      `arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:${name}-??????`;
    expect(isAllowed(ofExecution, 'secretsmanager:GetSecretValue', secret('turn/prod'))).toBe(true);
    expect(isAllowed(ofExecution, 'secretsmanager:GetSecretValue', secret('turn/dev'))).toBe(false);
  });

  it('is told where the HTTP API is, for the console', () => {
    expect(JSON.stringify(everything.API_URL)).toMatch(
      /ImportValue.*HttpApi.*execute-api.*ImportValue.*HttpApi.*Stage/,
    );
  });

  it('gets an environment that the gateway can read: functions by method, its address from ECS', () => {
    const config = readConfig({
      ...environment,
      INSTRUCTION_SECRET_ARN: 'arn:aws:secretsmanager:eu-west-1:1:secret:x',
    });
    expect(config).toMatchObject({
      PORT: 8080,
      INSTRUCTION_PORT: 9090,
      ADVERTISED_HOST: 'auto',
      PUBLIC_TRANSPORT: 'WSS',
    });
    expect(config.FUNCTIONS).toEqual({
      methods: {
        REGISTER: 'lampfield-dev-register',
        SUBSCRIBE: 'lampfield-dev-subscribe',
        PUBLISH: 'lampfield-dev-publish',
        MESSAGE: 'lampfield-dev-message',
        INVITE: 'lampfield-dev-call',
      },
      flowClosed: 'lampfield-dev-flow-closed',
      callReport: 'lampfield-dev-call-report',
      signIn: 'lampfield-dev-sign-in',
      lease: 'lampfield-dev-lease',
    });
    expect(config.DRAIN_SECONDS).toBeLessThan(120);
    // The load balancer forgets a TLS connection that is idle for 350 s, which is no setting.
    expect(config.PING_SECONDS * 2).toBeLessThan(350);
    expect(config.MAX_FLOWS).toBe(5_000);
  });

  it('is told where the instruction secret is, and reads it itself, since it rotates', () => {
    expect(environment).not.toHaveProperty('INSTRUCTION_SECRET');
    expect(nameOf(everything.INSTRUCTION_SECRET_ARN)).toBe('<InstructionSecret>');
    expect(container.Secrets).toEqual([]);
    expect(isAllowed(statements, 'secretsmanager:GetSecretValue', '<InstructionSecret>')).toBe(true);
    expect(isAllowed(statements, 'secretsmanager:GetSecretValue', '<VaultSecret>')).toBe(false);
  });

  it('may invoke the functions that it needs and do nothing else', () => {
    const needed = ['Register', 'Subscribe', 'Publish', 'FlowClosed', 'Lease', 'Call', 'CallReport'];
    const invocable = [...needed, 'Notify', 'Expire'].filter((name) =>
      isAllowed(statements, 'lambda:InvokeFunction', `<${name}Arn>`),
    );
    expect(invocable).toEqual(needed);
    const actions = statements.flatMap((statement) => statement.actions);
    expect(actions).toEqual([
      ...['lambda:InvokeFunction', 'secretsmanager:GetSecretValue'],
      ...['ecs:GetTaskProtection', 'ecs:UpdateTaskProtection'],
    ]);
    const wide = statements.flatMap(({ resources }) => resources).filter((arn) => arn.includes('*'));
    expect(wide).toEqual(['arn:<AWS::Partition>:ecs:<AWS::Region>:<AWS::AccountId>:task/<Cluster>/*']);
  });

  it('passes a health check only once functions answer it', () => {
    const { HealthCheck } = v.parse(
      v.looseObject({ HealthCheck: v.object({ Command: v.array(v.string()) }) }),
      container,
    );
    // Of the process alone: ECS must not kill a gateway with flows because something behind it is away.
    expect(HealthCheck.Command.at(-1)).toContain("/healthz'");
  });
});

describe('the service', () => {
  it('starts new gateways before old ones stop, and rolls back when they do not live', () => {
    dev.hasResourceProperties('AWS::ECS::Service', {
      LaunchType: 'FARGATE',
      DesiredCount: 1,
      DeploymentConfiguration: {
        MinimumHealthyPercent: 100,
        MaximumPercent: 200,
        DeploymentCircuitBreaker: { Enable: true, Rollback: true },
      },
    });
    prod.hasResourceProperties('AWS::ECS::Service', {
      DesiredCount: 2,
      NetworkConfiguration: { AwsvpcConfiguration: Match.objectLike({ AssignPublicIp: 'DISABLED' }) },
    });
  });
});

describe('scaling', () => {
  const targets = (name: string, value: number, metric: object) => ({
    PolicyType: 'TargetTrackingScaling',
    TargetTrackingScalingPolicyConfiguration: Match.objectLike({
      ...{ TargetValue: value, ScaleInCooldown: 900, ScaleOutCooldown: 60 },
      ...(name === 'cpu'
        ? { PredefinedMetricSpecification: { PredefinedMetricType: 'ECSServiceAverageCPUUtilization' } }
        : { CustomizedMetricSpecification: Match.objectLike(metric) }),
    }),
  });
  const dimensions = Match.arrayWith([
    { Name: 'Service', Value: 'gateway' },
    { Name: 'Stage', Value: 'lampfield-prod' },
  ]);

  it('follows flows, CPU and what sockets hold back, between the counts that are set', () => {
    prod.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', { MinCapacity: 2, MaxCapacity: 20 });
    const metric = { Namespace: 'Lampfield', Statistic: 'Average', Dimensions: dimensions };
    const flows = targets('flows', 30_000, { ...metric, MetricName: 'Flows' });
    prod.hasResourceProperties('AWS::ApplicationAutoScaling::ScalingPolicy', flows);
    const backlog = targets('backlog', 51_200_000, { ...metric, MetricName: 'SendBacklogBytes' });
    prod.hasResourceProperties('AWS::ApplicationAutoScaling::ScalingPolicy', backlog);
    prod.hasResourceProperties('AWS::ApplicationAutoScaling::ScalingPolicy', targets('cpu', 60, {}));
  });

  it('replaces a quarter of the gateways at a time, and never fewer than one', () => {
    for (const [gatewayCount, MaximumPercent] of [
      [2, 150],
      [3, 134],
      [8, 125],
    ])
      synthesize({ gatewayCount }, root).edge.hasResourceProperties('AWS::ECS::Service', {
        DeploymentConfiguration: Match.objectLike({ MinimumHealthyPercent: 100, MaximumPercent }),
      });
  });
});

describe('the image', () => {
  it('is built from the Dockerfile and dist/gateway, and from nothing else of the repository', () => {
    const assembly = join(root, 'cdk.out');
    const contexts = readdirSync(assembly).filter((name) => existsSync(join(assembly, name, 'edge-gateway')));
    expect(contexts).toHaveLength(1);
    const context = join(assembly, contexts[0] ?? '');
    const files = readdirSync(context, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(files.map((file) => join(file.parentPath, file.name).slice(context.length + 1)).toSorted()).toEqual([
      '.dockerignore',
      'dist/gateway/gateway.mjs',
      'dist/gateway/panel/index.html',
      'edge-gateway/Dockerfile',
    ]);
    expect(readFileSync(join(context, 'dist/gateway/gateway.mjs'), 'utf8')).toBe('// gateway\n');
  });
});
