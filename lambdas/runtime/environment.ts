/** The environment of a function, read and checked once; nothing else reads `process.env`. */
import * as v from 'valibot';

const text = v.pipe(v.string(), v.nonEmpty());

const variables = v.object({
  TABLE_NAME: text,
  DYNAMODB_ENDPOINT: v.optional(v.pipe(v.string(), v.url())),
  NONCE_SECRET: v.optional(text),
  NONCE_SECRET_ARN: v.optional(text),
  INSTRUCTION_SECRET: v.optional(text),
  INSTRUCTION_SECRET_ARN: v.optional(text),
  ADMIN_SECRET: v.optional(text),
  ADMIN_SECRET_ARN: v.optional(text),
  VAULT_SECRET: v.optional(text),
  VAULT_SECRET_ARN: v.optional(text),
  CANARY_SECRET: v.optional(text),
  CANARY_SECRET_ARN: v.optional(text),
  EXPIRE_LOOP_SECONDS: v.optional(v.pipe(v.string(), v.regex(/^\d+$/), v.transform(Number)), '0'),
  /** Comma list of origins whose pages may use the HTTP API. */
  API_ORIGINS: v.optional(v.string(), ''),
  HISTORY_HOURS: v.optional(v.pipe(v.string(), v.regex(/^\d{1,3}$/), v.transform(Number)), '24'),
  EXPIRE_LAG_SECONDS: v.optional(v.pipe(v.string(), v.regex(/^\d{1,4}$/), v.transform(Number)), '0'),
  REGION_ROLE: v.optional(v.picklist(['only', 'first', 'further']), 'only'),
  AWS_REGION: v.optional(text),
  LOG_LEVEL: v.optional(v.picklist(['debug', 'info', 'warn', 'error', 'silent']), 'info'),
  METRICS_STAGE: v.optional(v.pipe(v.string(), v.regex(/^[\w.-]{1,64}$/))),
});

/** What the canary alone needs. */
const canaryVariables = v.object({
  CANARY_GATEWAY_URL: v.pipe(v.string(), v.regex(/^wss?:\/\/[^\s/]+\/$/, 'must be wss://host/')),
  CANARY_DOMAIN: text,
});

/** Where a secret is: its text (local stack) or its ARN in Secrets Manager (AWS). */
export type SecretSource =
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'arn'; readonly arn: string };

export interface Environment {
  readonly tableName: string;
  /** DynamoDB Local; undefined on AWS. */
  readonly dynamoDbEndpoint?: string;
  /** Undefined when this function is not given the secret. */
  readonly nonceSecret?: SecretSource;
  readonly instructionSecret?: SecretSource;
  readonly adminSecret?: SecretSource;
  readonly vaultSecret?: SecretSource;
  /** Password of the canary's account. */
  readonly canarySecret?: SecretSource;
  /** How long one scheduled run of `expire` loops; 0 for a single pass. */
  readonly expireLoopSeconds: number;
  /** Origins whose pages may use the HTTP API. */
  readonly apiOrigins: readonly string[];
  /** What is due for less than this is left to the sweep of another region. */
  readonly expireLagSeconds: number;
  /** Which of several regions this one is, that change the same items. */
  readonly regionRole: 'only' | 'first' | 'further';
  /** Where this function runs; set by Lambda. */
  readonly region: string | undefined;
  /** How long the changes of lamps are kept to tell why; 0: they are not written. */
  readonly historyHours: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** The deployment that metrics are of; undefined where nobody makes metrics of log lines. */
  readonly metricsStage?: string | undefined;
}

/** @throws Error that names the missing or malformed variable; the function then fails at its start */
export function readEnvironment(source: Readonly<Record<string, string | undefined>> = process.env): Environment {
  const result = v.safeParse(variables, source);
  if (!result.success) throw new Error(`Environment: ${v.summarize(result.issues)}`);
  const known = result.output;
  return {
    tableName: known.TABLE_NAME,
    dynamoDbEndpoint: known.DYNAMODB_ENDPOINT,
    nonceSecret: secretSource(known.NONCE_SECRET, known.NONCE_SECRET_ARN),
    instructionSecret: secretSource(known.INSTRUCTION_SECRET, known.INSTRUCTION_SECRET_ARN),
    adminSecret: secretSource(known.ADMIN_SECRET, known.ADMIN_SECRET_ARN),
    vaultSecret: secretSource(known.VAULT_SECRET, known.VAULT_SECRET_ARN),
    canarySecret: secretSource(known.CANARY_SECRET, known.CANARY_SECRET_ARN),
    expireLoopSeconds: known.EXPIRE_LOOP_SECONDS,
    apiOrigins: known.API_ORIGINS.split(',').filter(Boolean),
    expireLagSeconds: known.EXPIRE_LAG_SECONDS,
    regionRole: known.REGION_ROLE,
    region: known.AWS_REGION,
    historyHours: known.HISTORY_HOURS,
    logLevel: known.LOG_LEVEL,
    metricsStage: known.METRICS_STAGE,
  };
}

/** @throws Error that names the missing or malformed variable */
export function readCanaryEnvironment(source: Readonly<Record<string, string | undefined>> = process.env): {
  readonly gatewayUrl: string;
  /** The tenant of the canary. */
  readonly domain: string;
} {
  const result = v.safeParse(canaryVariables, source);
  if (!result.success) throw new Error(`Environment: ${v.summarize(result.issues)}`);
  return { gatewayUrl: result.output.CANARY_GATEWAY_URL, domain: result.output.CANARY_DOMAIN };
}

function secretSource(value: string | undefined, arn: string | undefined): SecretSource | undefined {
  if (value) return { kind: 'text', value };
  return arn ? { kind: 'arn', arn } : undefined;
}
