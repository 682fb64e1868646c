/** Settings of one gateway: read once from the environment, validated, with defaults that work. */
import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { iceServers } from './ice-servers.ts';

const integer = (fallback: number, minimum: number, maximum: number) =>
  v.optional(
    v.pipe(v.string(), v.transform(Number), v.integer(), v.minValue(minimum), v.maxValue(maximum)),
    String(fallback),
  );
const portNumber = v.pipe(v.string(), v.transform(Number), v.integer(), v.minValue(0), v.maxValue(65_535));
const commaList = v.optional(
  v.pipe(
    v.string(),
    v.transform((text) =>
      text
        .split(',')
        .map((item) => item.trim())
        .filter(Boolean),
    ),
  ),
  '',
);

const functionNames = v.object({
  /** SIP method to Lambda function name. */
  methods: v.record(v.string(), v.string()),
  flowClosed: v.string(),
  lease: v.string(),
  /** Told how calls stand. */
  callReport: v.optional(v.string()),
  /** Asked whom the token of a handshake proves. */
  signIn: v.optional(v.string()),
});

const parsedJson = v.pipe(
  v.string(),
  v.transform((text): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      return undefined;
    }
  }),
);

const environment = v.object({
  PORT: integer(8080, 0, 65_535),
  HOST: v.optional(v.string(), '0.0.0.0'),
  INSTRUCTION_PORT: integer(9090, 0, 65_535),
  /** Address that functions reach the private port at; `auto` asks the ECS task metadata. */
  ADVERTISED_HOST: v.optional(v.string(), '127.0.0.1'),
  GATEWAY_TITLE: v.optional(v.string(), 'lampfield-gateway'),
  FUNCTIONS: v.pipe(parsedJson, functionNames),
  LAMBDA_ENDPOINT: v.optional(v.pipe(v.string(), v.url())),
  /** Signs instructions; or its ARN in Secrets Manager, where it may be rotated while gateways run. */
  INSTRUCTION_SECRET: v.optional(v.pipe(v.string(), v.minLength(16, 'must have at least 16 characters'))),
  INSTRUCTION_SECRET_ARN: v.optional(v.pipe(v.string(), v.startsWith('arn:', 'must be the ARN of a secret'))),
  /** The secret before the last rotation, still accepted. */
  INSTRUCTION_SECRET_PREVIOUS: v.optional(v.string()),
  PANEL_DIR: v.optional(v.string()),
  /** STUN and TURN servers for the panel's calls. */
  ICE_SERVERS: v.optional(v.pipe(parsedJson, iceServers), '[]'),
  /** Where the console finds the HTTP API, with `/v1`; the API must allow the console's origin. */
  API_URL: v.optional(v.pipe(v.string(), v.url(), v.regex(/^https?:\/\/[^\s?#;,]+$/, 'must be an http or https URL'))),
  LOG_LEVEL: v.optional(v.picklist(['trace', 'debug', 'info', 'warn', 'error', 'silent']), 'info'),
  /** Deployment that metrics are of, in lines that CloudWatch reads; without it there are no such lines. */
  METRICS_STAGE: v.optional(v.pipe(v.string(), v.regex(/^[\w.-]{1,64}$/))),
  TLS_CERTIFICATE_FILE: v.optional(v.string()),
  TLS_KEY_FILE: v.optional(v.string()),
  /** What clients see: `WSS` behind a load balancer that ends TLS. */
  PUBLIC_TRANSPORT: v.optional(v.picklist(['WS', 'WSS'])),
  /** `false` leaves /metrics to the private port: for gateways whose HTTP is reachable by everybody. */
  PUBLIC_METRICS: v.optional(v.picklist(['true', 'false']), 'true'),
  /** Empty allows every Origin; `self` is the host that serves the panel. */
  ALLOWED_ORIGINS: commaList,
  MAX_FLOWS: integer(50_000, 1, 1_000_000),
  /** From so many flows on ECS is asked to stop another gateway when there are too many; 0: never. */
  PROTECTED_FLOWS: integer(0, 0, 1_000_000),
  /** Set by ECS: where its agent listens. */
  ECS_AGENT_URI: v.optional(v.pipe(v.string(), v.url())),
  MAX_FLOWS_PER_ADDRESS: integer(10_000, 1, 1_000_000),
  /** Beside as many at once as an address may have: who comes and goes faster than this is refused. */
  MAX_HANDSHAKES_PER_SECOND_PER_ADDRESS: integer(100, 1, 100_000),
  /** Flows that have proven nothing for so long are closed while the gateway is half full. */
  STRANGER_SECONDS: integer(30, 1, 3_600),
  MAX_REQUESTS_PER_SECOND_PER_FLOW: integer(500, 1, 100_000),
  MAX_SUBSCRIPTIONS_PER_FLOW: integer(2_000, 1, 100_000),
  /** Changes of an event list's members within this time go in one NOTIFY. */
  LIST_WINDOW_MS: integer(100, 0, 1_000),
  MAX_PARKED_SUBSCRIPTIONS: integer(100_000, 0, 10_000_000),
  /** NOTIFYs of a flow are held back while more bytes than this wait in its socket. */
  HOLD_BACK_BYTES: integer(256 * 1024, 4_096, 64 * 1024 * 1024),
  /** A flow that is held back for this long is closed. */
  STALLED_FLOW_SECONDS: integer(30, 1, 600),
  MAX_CALLS: integer(10_000, 1, 1_000_000),
  MAX_CALLS_PER_FLOW: integer(100, 1, 100_000),
  /** A party of a call whose flow is gone, or a session that is not refreshed, has so long. */
  CALL_GRACE_SECONDS: integer(32, 1, 600),
  /** Listeners for trunks; a gateway with neither of them takes no calls to or from trunks. 0 chooses a free port. */
  TRUNK_PORT: v.optional(portNumber),
  TRUNK_TLS_PORT: v.optional(portNumber),
  /** Host that trunks reach the listeners at: it stands in Via and Record-Route. */
  TRUNK_ADVERTISED_HOST: v.optional(v.string(), '127.0.0.1'),
  TRUNK_TLS_CERTIFICATE_FILE: v.optional(v.string()),
  TRUNK_TLS_KEY_FILE: v.optional(v.string()),
  /** PEM of further certificate authorities that trunks may show. */
  TRUNK_AUTHORITIES_FILE: v.optional(v.string()),
  TRUNK_CONNECT_MS: integer(4_000, 100, 30_000),
  /** Connections that trunks have opened. */
  MAX_TRUNK_CONNECTIONS: integer(200, 1, 100_000),
  MAX_CALLS_PER_TRUNK_CONNECTION: integer(2_000, 1, 100_000),
  FUNCTION_DEADLINE_MS: integer(5_000, 100, 30_000),
  MAX_INVOCATIONS_IN_FLIGHT: integer(8, 1, 1_000),
  MAX_ENVELOPES_PER_INVOCATION: integer(32, 1, 100),
  MAX_REQUESTS_WAITING: integer(5_000, 1, 1_000_000),
  PING_SECONDS: integer(30, 1, 600),
  PARKING_SECONDS: integer(300, 0, 3_600),
  LEASE_SECONDS: integer(15, 3, 300),
  DRAIN_SECONDS: integer(20, 0, 600),
});

const checked = v.pipe(
  environment,
  v.forward(
    v.check(
      (config) => config.INSTRUCTION_SECRET !== undefined || config.INSTRUCTION_SECRET_ARN !== undefined,
      'is missing, and so is INSTRUCTION_SECRET_ARN',
    ),
    ['INSTRUCTION_SECRET'],
  ),
);

export type GatewayConfig = Readonly<v.InferOutput<typeof environment>>;
export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/**
 * Reads the gateway's settings.
 * @throws {Error} naming every variable that is wrong and why
 */
export function readConfig(env: NodeJS.ProcessEnv): GatewayConfig {
  const result = v.safeParse(checked, env);
  if (result.success) return result.output;
  const problems = result.issues.map((issue) => `  ${v.getDotPath(issue) ?? '?'}: ${issue.message}`);
  throw new Error(`The gateway's environment is not right:\n${problems.join('\n')}\nRun with --help for the list.`);
}

/** The gateway's own certificate, when both files are configured. */
export function readTlsFiles(config: GatewayConfig): TlsFiles | undefined {
  const { TLS_CERTIFICATE_FILE: certificate, TLS_KEY_FILE: key } = config;
  if (certificate === undefined && key === undefined) return undefined;
  if (certificate === undefined || key === undefined)
    throw new Error('Set both TLS_CERTIFICATE_FILE and TLS_KEY_FILE, or neither.');
  return { cert: readFileSync(certificate), key: readFileSync(key) };
}

/** The certificate of the TLS listener for trunks. @throws {Error} when that is to listen and has none */
export function readTrunkTlsFiles(config: GatewayConfig): TlsFiles | undefined {
  const { TRUNK_TLS_PORT: port, TRUNK_TLS_CERTIFICATE_FILE: certificate, TRUNK_TLS_KEY_FILE: key } = config;
  if (port === undefined) return undefined;
  if (certificate === undefined || key === undefined)
    throw new Error('TRUNK_TLS_PORT needs TRUNK_TLS_CERTIFICATE_FILE and TRUNK_TLS_KEY_FILE.');
  return { cert: readFileSync(certificate), key: readFileSync(key) };
}

/** Text of `--help`: every variable with its default. */
export function describeConfig(): string {
  const lines = Object.entries(environment.entries).map(([name, schema]) => {
    const fallback = 'default' in schema && schema.default !== undefined ? String(schema.default) : undefined;
    return `  ${name.padEnd(34)}${fallback === undefined ? '' : `default: ${fallback || '(none)'}`}`;
  });
  return `lampfield gateway: SIP over WebSocket (RFC 7118) in front of the Lampfield functions\n\nEnvironment:\n${lines.join('\n')}\n`;
}
