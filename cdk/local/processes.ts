/** The processes of the local stack: what each runs and what it is told, derived from the system description. Pure. */
import path from 'node:path';
import { GATEWAY_BUNDLE, GATEWAY_NODE_OPTIONS, PANEL_FOLDER } from '#cdk/dist.ts';
import { canaryDomain, FUNCTION_NAMES, FUNCTIONS } from '#cdk/system.ts';
import { dynamoDbCommand } from './dynamodb-local.ts';
import { LOCAL_AWS_ENVIRONMENT } from './local-aws.ts';
import type { LocalSettings } from './settings.ts';

export const TABLE_NAME = 'lampfield';

export interface ProcessSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env: Readonly<Record<string, string>>;
  /** True: its output is for the person at the terminal. False: for its log file. */
  readonly talks?: boolean;
}

export interface StackFacts {
  readonly settings: LocalSettings;
  /** Folder of checkpoints and of records that were given up. */
  readonly runFolder: string;
  readonly databaseFolder: string;
  readonly secrets: Readonly<Record<'nonce' | 'instruction' | 'vault' | 'canary', string>>;
}

export const dynamoDbEndpoint = ({ dynamodbPort }: LocalSettings) => `http://127.0.0.1:${dynamodbPort}`;
export const lambdaEndpoint = ({ lambdaPort }: LocalSettings) => `http://127.0.0.1:${lambdaPort}`;
export const apiUrl = ({ apiPort }: LocalSettings) => `http://127.0.0.1:${apiPort}/v1`;
export const gatewayPorts = ({ port, gateways }: LocalSettings) => Array.from({ length: gateways }, (_, i) => port + i);

/** Where browsers find the panel and its console. */
const consoleOrigins = (settings: LocalSettings) =>
  gatewayPorts(settings).flatMap((port) => [`http://127.0.0.1:${port}`, `http://localhost:${port}`]);

export const trunkPorts = ({ trunkPort, gateways }: LocalSettings) =>
  trunkPort === 0 ? [] : Array.from({ length: gateways }, (_, i) => trunkPort + i);

export function dynamoDbProcess({ settings, databaseFolder }: StackFacts): ProcessSpec {
  return { name: 'dynamodb', env: {}, ...dynamoDbCommand({ port: settings.dynamodbPort, directory: databaseFolder }) };
}

export function functionsProcess({ settings, secrets }: StackFacts): ProcessSpec {
  return nodeProcess('functions', ['--enable-source-maps', localFile('functions/main.ts')], {
    LAMBDA_PORT: String(settings.lambdaPort),
    TABLE_NAME,
    DYNAMODB_ENDPOINT: dynamoDbEndpoint(settings),
    NONCE_SECRET: secrets.nonce,
    INSTRUCTION_SECRET: secrets.instruction,
    ADMIN_SECRET: settings.adminKey,
    API_ORIGINS: consoleOrigins(settings).join(','),
    VAULT_SECRET: secrets.vault,
    LAMBDA_ENDPOINT: lambdaEndpoint(settings),
    WEBHOOK_FUNCTION: 'lampfield-webhook',
    LOG_LEVEL: settings.logLevel,
    ...canaryEnvironment(settings, secrets.canary),
  });
}

function canaryEnvironment({ canary, port }: LocalSettings, secret: string): Record<string, string> {
  if (!canary) return {};
  return {
    CANARY_GATEWAY_URL: `ws://127.0.0.1:${port}/`,
    CANARY_DOMAIN: canaryDomain('demo.example'),
    CANARY_SECRET: secret,
  };
}

export function apiProcess({ settings }: StackFacts): ProcessSpec {
  const env = {
    API_PORT: String(settings.apiPort),
    LAMBDA_ENDPOINT: lambdaEndpoint(settings),
  };
  return nodeProcess('api', [localFile('api-server.ts')], env);
}

export function streamsProcess({ settings, runFolder }: StackFacts, streamArn: string): ProcessSpec {
  return nodeProcess('streams', [localFile('streams/main.ts')], {
    DYNAMODB_ENDPOINT: dynamoDbEndpoint(settings),
    LAMBDA_ENDPOINT: lambdaEndpoint(settings),
    STREAM_ARN: streamArn,
    RUN_DIR: runFolder,
  });
}

export function schedulerProcess({ settings }: StackFacts): ProcessSpec {
  const canary: Record<string, string> = settings.canary
    ? { CANARY_READYZ: `http://127.0.0.1:${settings.port}/readyz` }
    : {};
  const env = { LAMBDA_ENDPOINT: lambdaEndpoint(settings), ...canary };
  return nodeProcess('scheduler', [localFile('scheduler.ts')], env);
}

export function gatewayProcesses({ settings, secrets }: StackFacts): ProcessSpec[] {
  return gatewayPorts(settings).map((port, index) =>
    nodeProcess(`gateway-${index + 1}`, [...GATEWAY_NODE_OPTIONS, GATEWAY_BUNDLE], {
      PORT: String(port),
      HOST: '127.0.0.1',
      INSTRUCTION_PORT: '0',
      ADVERTISED_HOST: '127.0.0.1',
      GATEWAY_TITLE: `lampfield-gateway-${index + 1}`,
      FUNCTIONS: JSON.stringify(gatewayFunctions()),
      LAMBDA_ENDPOINT: lambdaEndpoint(settings),
      INSTRUCTION_SECRET: secrets.instruction,
      PANEL_DIR: PANEL_FOLDER,
      API_URL: apiUrl(settings),
      LOG_LEVEL: settings.logLevel,
      DRAIN_SECONDS: String(settings.drainSeconds),
      ...(settings.trunkPort > 0 && { TRUNK_PORT: String(settings.trunkPort + index) }),
    }),
  );
}

export function demoProcess({ settings }: StackFacts): ProcessSpec {
  const env = { GATEWAY_URL: `ws://127.0.0.1:${settings.port}/` };
  return { ...nodeProcess('demo', [localFile('demo.ts')], env), talks: true };
}

/** Which function of the Invoke API a gateway asks for what. */
function gatewayFunctions() {
  const methods = FUNCTION_NAMES.flatMap((name) => {
    const { trigger } = FUNCTIONS[name];
    return trigger.kind === 'gateway' ? trigger.methods.map((method) => [method, `lampfield-${name}`]) : [];
  });
  return {
    methods: Object.fromEntries(methods),
    flowClosed: 'lampfield-flow-closed',
    lease: 'lampfield-lease',
    callReport: 'lampfield-call-report',
    signIn: 'lampfield-sign-in',
  };
}

function nodeProcess(name: string, args: readonly string[], env: Readonly<Record<string, string>>): ProcessSpec {
  return { name, command: process.execPath, args, env: { ...LOCAL_AWS_ENVIRONMENT, ...env } };
}

const localFile = (name: string) => path.join(import.meta.dirname, name);
