/** Settings of one deployment: read from CDK context (`cdk deploy -c stage=prod -c certificateArn=…`), validated, with defaults per stage. */
import * as v from 'valibot';

/** Retention periods in days that CloudWatch Logs offers. */
const RETENTION_DAYS = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653] as const;

/** Memory that Fargate offers per CPU size, from the least to the most (MiB). */
const TASK_MEMORY_MB: Readonly<Record<number, { readonly least: number; readonly most: number }>> = {
  256: { least: 512, most: 2_048 },
  512: { least: 1_024, most: 4_096 },
  1024: { least: 2_048, most: 8_192 },
  2048: { least: 4_096, most: 16_384 },
  4096: { least: 8_192, most: 30_720 },
};

interface StageDefaults {
  readonly gatewayCount: number;
  readonly gatewayCpu: number;
  readonly gatewayMemoryMb: number;
  readonly gatewaySubnets: 'public' | 'private';
  readonly logRetentionDays: number;
  readonly keepData: boolean;
}

const STAGE_DEFAULTS: Readonly<Record<'dev' | 'prod', StageDefaults>> = {
  dev: {
    gatewayCount: 1,
    gatewayCpu: 256,
    gatewayMemoryMb: 512,
    gatewaySubnets: 'public',
    logRetentionDays: 7,
    keepData: false,
  },
  prod: {
    gatewayCount: 2,
    gatewayCpu: 1_024,
    gatewayMemoryMb: 2_048,
    gatewaySubnets: 'private',
    logRetentionDays: 90,
    keepData: true,
  },
};

// `-c name=value` always brings text; cdk.json may bring numbers and booleans.
const wholeNumber = (least: number, most: number) =>
  v.optional(
    v.pipe(
      v.union([v.number(), v.pipe(v.string(), v.regex(/^\d+$/), v.transform(Number))], 'must be a whole number'),
      v.integer('must be a whole number'),
      v.minValue(least, `must be at least ${least}`),
      v.maxValue(most, `must be at most ${most}`),
    ),
  );
const yesOrNo = v.optional(
  v.union(
    [
      v.boolean(),
      v.pipe(
        v.picklist(['true', 'false']),
        v.transform((text) => text === 'true'),
      ),
    ],
    'must be true or false',
  ),
);

const schema = v.object({
  /** Kind of deployment: `dev` is cheap and leaves nothing behind, `prod` keeps its data and stands in two zones. */
  stage: v.optional(v.picklist(['dev', 'prod'], 'must be dev or prod'), 'dev'),
  /** First part of every physical name; a second deployment in one account and region takes another. */
  prefix: v.optional(
    v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{1,19}$/, 'must be 2 to 20 of a-z, 0-9, -')),
    'lampfield',
  ),
  /** Name that clients connect to: `wss://<domainName>/`. */
  domainName: v.optional(
    v.pipe(
      v.string(),
      v.regex(
        /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/,
        'must be a domain name in lower case',
      ),
    ),
  ),
  /** Route 53 zone that gets the record of `domainName`; absent: the record is made elsewhere. */
  hostedZoneId: v.optional(v.pipe(v.string(), v.regex(/^Z[A-Z0-9]{1,31}$/, 'must be a Route 53 hosted zone id'))),
  /** ACM certificate of the TLS listener; absent: CloudFormation asks for its parameter CertificateArn. */
  certificateArn: v.optional(
    v.pipe(
      v.string(),
      v.regex(
        /^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate\/[A-Za-z0-9-]+$/,
        'must be the ARN of an ACM certificate in the region of the deployment',
      ),
    ),
  ),
  vpcCidr: v.optional(
    v.pipe(v.string(), v.regex(/^(\d{1,3}\.){3}\d{1,3}\/(1[6-9]|2[01])$/, 'must be an IPv4 block of /16 to /21')),
    '10.20.0.0/16',
  ),
  availabilityZones: wholeNumber(2, 3),
  /** Gateway tasks in public subnets need no paid endpoints; in private ones they have no public address. */
  gatewaySubnets: v.optional(v.picklist(['public', 'private'], 'must be public or private')),
  gatewayCount: wholeNumber(1, 100),
  gatewayCpu: wholeNumber(256, 4_096),
  gatewayMemoryMb: wholeNumber(512, 30_720),
  /** Comma list of origins whose pages may open a flow; empty allows every one, `self` is the panel. */
  allowedOrigins: v.optional(v.string(), ''),
  /** Comma list of origins whose pages may use the HTTP API; `self` is the console at `domainName`, nothing allows none. */
  apiOrigins: v.optional(
    v.pipe(
      v.string(),
      v.regex(
        /^(|(self|https?:\/\/[a-z0-9.-]+(:\d{1,5})?)(,(self|https?:\/\/[a-z0-9.-]+(:\d{1,5})?))*)$/,
        'must be self or origins such as https://portal.example',
      ),
    ),
    'self',
  ),
  /** Name of a secret with the gateway's ICE_SERVERS (STUN and TURN for calls of the panel); absent: none. */
  iceServersSecret: v.optional(
    v.pipe(v.string(), v.regex(/^[A-Za-z0-9/_+=.@-]{1,512}$/, 'must be the name of a secret')),
  ),
  logRetentionDays: v.optional(
    v.pipe(
      v.union([v.number(), v.pipe(v.string(), v.transform(Number))]),
      v.picklist(RETENTION_DAYS, `must be one of ${RETENTION_DAYS.join(', ')}`),
    ),
  ),
  /** How long the changes of lamps are kept to tell why a lamp is as it is; 0: they are not written. */
  historyHours: wholeNumber(0, 999),
  logLevel: v.optional(v.picklist(['debug', 'info', 'warn', 'error'], 'must be a log level'), 'info'),
  /** True keeps table, secrets and logs when a stack is deleted, and refuses to delete the table. */
  keepData: yesOrNo,
});

export type Stage = keyof typeof STAGE_DEFAULTS;
type Given = v.InferOutput<typeof schema>;
export type Settings = Readonly<Omit<Given, keyof StageDefaults | 'availabilityZones' | 'historyHours'>> &
  StageDefaults & { readonly availabilityZones: number; readonly historyHours: number };

/** Names of all settings, as they are given in CDK context. */
export const SETTING_NAMES = Object.keys(schema.entries);

/**
 * Reads and validates the settings.
 * @param lookUp value of a setting, `undefined` when it was not given (CDK: `node.tryGetContext`)
 * @throws {Error} naming every setting that is wrong and why
 */
export function readSettings(lookUp: (name: string) => unknown): Settings {
  const given = Object.fromEntries(SETTING_NAMES.map((name) => [name, lookUp(name) ?? undefined]));
  const result = v.safeParse(schema, given);
  if (!result.success)
    throw settingsError(result.issues.map((issue) => `${v.getDotPath(issue) ?? '?'}: ${issue.message}`));
  const { availabilityZones = 2, historyHours = 24, ...rest } = result.output;
  const settings = { ...withStageDefaults(rest), availabilityZones, historyHours };
  const problems = findContradictions(settings);
  if (problems.length > 0) throw settingsError(problems);
  return settings;
}

type Staged = 'availabilityZones' | 'historyHours';

function withStageDefaults(given: Omit<Given, Staged>): Omit<Settings, Staged> {
  const defaults = STAGE_DEFAULTS[given.stage];
  return {
    ...given,
    gatewayCount: given.gatewayCount ?? defaults.gatewayCount,
    gatewayCpu: given.gatewayCpu ?? defaults.gatewayCpu,
    gatewayMemoryMb: given.gatewayMemoryMb ?? defaults.gatewayMemoryMb,
    gatewaySubnets: given.gatewaySubnets ?? defaults.gatewaySubnets,
    logRetentionDays: given.logRetentionDays ?? defaults.logRetentionDays,
    keepData: given.keepData ?? defaults.keepData,
  };
}

function findContradictions(settings: Settings): string[] {
  const problems: string[] = [];
  if (settings.hostedZoneId !== undefined && settings.domainName === undefined)
    problems.push('hostedZoneId: needs domainName, the name of the record');
  const memory = TASK_MEMORY_MB[settings.gatewayCpu];
  const sizes = Object.keys(TASK_MEMORY_MB).join(', ');
  if (memory === undefined) problems.push(`gatewayCpu: must be one of ${sizes}`);
  else if (!isTaskMemory(settings.gatewayMemoryMb, memory))
    problems.push(
      `gatewayMemoryMb: with gatewayCpu ${settings.gatewayCpu} must be whole GiB (or 512) from ${memory.least} to ${memory.most}`,
    );
  return problems;
}

function isTaskMemory(memoryMb: number, { least, most }: { readonly least: number; readonly most: number }): boolean {
  return memoryMb >= least && memoryMb <= most && (memoryMb === least || memoryMb % 1_024 === 0);
}

function settingsError(problems: readonly string[]): Error {
  return new Error(`The deployment's settings are not right:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
}
