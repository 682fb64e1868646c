/** One gateway as an ECS task: its image, environment, rights and health. */
import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import { Platform } from 'aws-cdk-lib/aws-ecr-assets';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { FUNCTION_NAMES, FUNCTIONS, type FunctionDescription, type FunctionName } from '../system.ts';
import { heapFor, openFilesFor } from './gateway-size.ts';
import { deploymentName, functionNameOf } from './names.ts';
import { PORTS } from './network.ts';
import type { Settings } from './settings.ts';

/** From SIGTERM to the end of a gateway: the most that Fargate grants. */
const STOP_SECONDS = 120;
/** Flows are closed spread over this time; what is left of the stop serves the last reports. */
const DRAIN_SECONDS = 90;

/** So full a gateway is not stopped to save one: half of what makes more gateways come. */
const PROTECTED_SHARE = 0.3;

// ECS does not look at the image's own HEALTHCHECK.
const HEALTH_SCRIPT = `fetch('http://127.0.0.1:${PORTS.client}/healthz').then((r)=>process.exit(r.ok?0:1),()=>process.exit(1))`;

interface GatewayTaskProps {
  readonly settings: Settings;
  readonly cluster: ecs.ICluster;
  readonly imageDirectory: string;
  readonly logGroup: ILogGroup;
  readonly instructionSecret: ISecret;
  readonly functions: Readonly<Record<FunctionName, IFunction>>;
  /** Of the HTTP API, for the console. */
  readonly apiUrl: string;
}

/** Makes the task definition; its container is called `gateway`. */
export function createGatewayTask(scope: Construct, id: string, props: GatewayTaskProps): ecs.FargateTaskDefinition {
  const { settings, logGroup, instructionSecret, imageDirectory } = props;
  const task = new ecs.FargateTaskDefinition(scope, id, {
    cpu: settings.gatewayCpu,
    memoryLimitMiB: settings.gatewayMemoryMb,
    runtimePlatform: {
      cpuArchitecture: ecs.CpuArchitecture.ARM64,
      operatingSystemFamily: ecs.OperatingSystemFamily.LINUX,
    },
  });
  task.addToTaskRolePolicy(invokeStatement(props.functions));
  task.addToTaskRolePolicy(readStatement(instructionSecret));
  task.addToTaskRolePolicy(protectStatement(scope, props.cluster));
  const container = task.addContainer('gateway', {
    image: ecs.ContainerImage.fromAsset(imageDirectory, {
      file: 'edge-gateway/Dockerfile',
      platform: Platform.LINUX_ARM64,
    }),
    environment: gatewayEnvironment(props),
    secrets: iceServers(scope, settings),
    portMappings: [{ containerPort: PORTS.client }, { containerPort: PORTS.instruction }],
    logging: ecs.LogDrivers.awsLogs({ logGroup, streamPrefix: 'gateway' }),
    healthCheck: {
      command: ['CMD', 'node', '-e', HEALTH_SCRIPT],
      interval: Duration.seconds(15),
      timeout: Duration.seconds(5),
      startPeriod: Duration.seconds(10),
      retries: 3,
    },
    readonlyRootFilesystem: true,
    stopTimeout: Duration.seconds(STOP_SECONDS),
  });
  const openFiles = openFilesFor(settings.flowsPerGateway);
  container.addUlimits({ name: ecs.UlimitName.NOFILE, softLimit: openFiles, hardLimit: openFiles });
  return task;
}

/** TURN credentials stay out of the template: the task reads them from a secret that the operator keeps. */
function iceServers(scope: Construct, { iceServersSecret }: Settings): Record<string, ecs.Secret> {
  if (iceServersSecret === undefined) return {};
  const secret = Secret.fromSecretNameV2(scope, 'IceServers', iceServersSecret);
  return { ICE_SERVERS: ecs.Secret.fromSecretsManager(secret) };
}

function invokeStatement(functions: Readonly<Record<FunctionName, IFunction>>): iam.PolicyStatement {
  const invoked = FUNCTION_NAMES.filter((name) => FUNCTIONS[name].trigger.kind === 'gateway');
  return new iam.PolicyStatement({
    sid: 'InvokeFunctions',
    actions: ['lambda:InvokeFunction'],
    resources: invoked.map((name) => functions[name].functionArn),
  });
}

/** The gateway reads it itself, again and again: it rotates while the gateway runs. */
function readStatement({ secretArn }: ISecret): iam.PolicyStatement {
  const actions = ['secretsmanager:GetSecretValue'];
  return new iam.PolicyStatement({ sid: 'ReadInstructionSecret', actions, resources: [secretArn] });
}

/** A gateway with many flows asks ECS not to choose it when there are too many gateways. */
function protectStatement(scope: Construct, cluster: ecs.ICluster): iam.PolicyStatement {
  const tasks = Stack.of(scope).formatArn({
    ...{ service: 'ecs', resource: 'task', resourceName: `${cluster.clusterName}/*` },
    arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
  });
  return new iam.PolicyStatement({
    sid: 'ProtectItself',
    actions: ['ecs:GetTaskProtection', 'ecs:UpdateTaskProtection'],
    // Tasks get their ids when they start; those of other clusters are out of reach.
    resources: [tasks],
  });
}

function gatewayEnvironment({ settings, apiUrl, instructionSecret }: GatewayTaskProps): Record<string, string> {
  return {
    HOST: '0.0.0.0',
    PORT: String(PORTS.client),
    INSTRUCTION_PORT: String(PORTS.instruction),
    PUBLIC_METRICS: 'false',
    // The task's private address, which ECS tells it.
    ADVERTISED_HOST: 'auto',
    PUBLIC_TRANSPORT: 'WSS',
    FUNCTIONS: JSON.stringify(gatewayFunctions(settings)),
    ALLOWED_ORIGINS: settings.allowedOrigins,
    INSTRUCTION_SECRET_ARN: instructionSecret.secretArn,
    API_URL: apiUrl,
    MAX_FLOWS: String(settings.flowsPerGateway),
    PROTECTED_FLOWS: String(Math.floor(settings.flowsPerGateway * PROTECTED_SHARE)),
    DRAIN_SECONDS: String(DRAIN_SECONDS),
    METRICS_STAGE: deploymentName(settings),
    NODE_OPTIONS: `--max-old-space-size=${heapFor(settings.gatewayMemoryMb)}`,
    LOG_LEVEL: settings.logLevel,
  };
}

/** Which function answers which SIP method, and which take the gateway's reports. */
function gatewayFunctions(settings: Settings): unknown {
  const methods = FUNCTION_NAMES.flatMap((name) => {
    const { trigger }: FunctionDescription = FUNCTIONS[name];
    return trigger.kind === 'gateway' ? trigger.methods.map((method) => [method, functionNameOf(settings, name)]) : [];
  });
  return {
    methods: Object.fromEntries(methods),
    flowClosed: functionNameOf(settings, 'flow-closed'),
    lease: functionNameOf(settings, 'lease'),
    callReport: functionNameOf(settings, 'call-report'),
    signIn: functionNameOf(settings, 'sign-in'),
  };
}
