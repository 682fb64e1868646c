/** Every setting of a deployment: its form, and in one sentence what it is for (the page cdk/settings.md is made of this). */
import * as v from 'valibot';

/** Retention periods in days that CloudWatch Logs offers. */
const RETENTION_DAYS = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653] as const;

const ORIGIN = String.raw`(self|https?:\/\/[a-z0-9.-]+(:\d{1,5})?)`;
const TAG = '[\\w.:/+@ -]{1,128}=[\\w.:/+@ -]{0,256}';

const setting = <const Schema extends v.GenericSchema>(what: string, schema: Schema) =>
  v.pipe(schema, v.description(what));

const text = (pattern: RegExp, must: string) => v.optional(v.pipe(v.string(), v.regex(pattern, must)));

// `-c name=value` always brings text; cdk.json may bring numbers, booleans and lists.
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
        v.transform((word) => word === 'true'),
      ),
    ],
    'must be true or false',
  ),
);

/** A comma list as text, or a list. */
const listOf = (item: RegExp, must: string) =>
  v.optional(
    v.pipe(
      v.union([v.array(v.string()), v.pipe(v.string(), v.transform(splitCommas))], must),
      v.array(v.pipe(v.string(), v.regex(item, must))),
    ),
    [],
  );

const splitCommas = (list: string): string[] =>
  list
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean);

export const settingsSchema = v.object({
  stage: setting(
    'Kind of deployment: `dev` is cheap and leaves nothing behind, `prod` keeps its data and hides its gateways.',
    v.optional(v.picklist(['dev', 'prod'], 'must be dev or prod'), 'dev'),
  ),
  prefix: setting(
    'First part of every physical name; a second deployment in one account and region takes another.',
    v.optional(v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{1,19}$/, 'must be 2 to 20 of a-z, 0-9, -')), 'lampfield'),
  ),
  regions: setting(
    'Regions, the first one sweeps; none: the one of the credentials. Several share one global table (README, several regions).',
    listOf(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must be AWS regions such as eu-central-1'),
  ),
  domainName: setting(
    'Name that clients connect to: `wss://<domainName>/`.',
    text(/^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/, 'must be a domain name in lower case'),
  ),
  hostedZoneId: setting(
    'Route 53 zone that gets the record of `domainName`; none: the record is made elsewhere.',
    text(/^Z[A-Z0-9]{1,31}$/, 'must be a Route 53 hosted zone id'),
  ),
  certificateArn: setting(
    'ACM certificate of the TLS listener, one in each region; none: CloudFormation asks for its parameter CertificateArn.',
    listOf(
      /^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate\/[A-Za-z0-9-]+$/,
      'must be the ARN of an ACM certificate in the region of the deployment',
    ),
  ),
  vpcCidr: setting(
    'Addresses of the VPC that is made; the second region gets the block behind it, and so on.',
    v.optional(
      v.pipe(v.string(), v.regex(/^(\d{1,3}\.){3}\d{1,3}\/(1[6-9]|2[01])$/, 'must be an IPv4 block of /16 to /21')),
      '10.20.0.0/16',
    ),
  ),
  availabilityZones: setting('Zones of the VPC that is made.', wholeNumber(2, 3)),
  vpcId: setting(
    'A VPC that is there already; its private subnets must reach DynamoDB, S3 and the AWS services by themselves.',
    text(/^vpc-[0-9a-f]{8,17}$/, 'must be the id of a VPC'),
  ),
  vpcZones: setting(
    'Zones of that VPC, in the order of its subnets.',
    listOf(/^[a-z0-9-]+\d[a-z]$/, 'must be zones such as eu-central-1a'),
  ),
  vpcPublicSubnets: setting(
    'Public subnets of that VPC, one in each zone.',
    listOf(/^subnet-[0-9a-f]{8,17}$/, 'must be ids of subnets'),
  ),
  vpcPrivateSubnets: setting(
    'Private subnets of that VPC, one in each zone.',
    listOf(/^subnet-[0-9a-f]{8,17}$/, 'must be ids of subnets'),
  ),
  gatewaySubnets: setting(
    'Gateways in `public` subnets need no paid endpoints; in `private` ones they have no public address.',
    v.optional(v.picklist(['public', 'private'], 'must be public or private')),
  ),
  gatewayCount: setting('Gateways in each region, at the least.', wholeNumber(1, 100)),
  gatewayCountMost: setting('Gateways in each region, at the most.', wholeNumber(1, 500)),
  gatewayCpu: setting('CPU of a gateway in Fargate units: 256 to 4096.', wholeNumber(256, 4_096)),
  gatewayMemoryMb: setting('Memory of a gateway; it must hold `flowsPerGateway`.', wholeNumber(512, 30_720)),
  flowsPerGateway: setting(
    'Connections that a gateway takes; more gateways come at 60 % of them.',
    wholeNumber(100, 1_000_000),
  ),
  allowedOrigins: setting(
    'Comma list of origins whose pages may open a flow; empty allows every one, `self` is the panel.',
    v.optional(v.string(), ''),
  ),
  apiOrigins: setting(
    'Comma list of origins whose pages may use the HTTP API; `self` is the console at `domainName`, nothing allows none.',
    v.optional(
      v.pipe(
        v.string(),
        v.regex(new RegExp(`^(|${ORIGIN}(,${ORIGIN})*)$`), 'must be self or origins such as https://portal.example'),
      ),
      'self',
    ),
  ),
  iceServersSecret: setting(
    'Name of a secret with the gateway’s ICE_SERVERS (STUN and TURN for calls of the panel), in each region; none: no servers.',
    text(/^[A-Za-z0-9/_+=.@-]{1,512}$/, 'must be the name of a secret'),
  ),
  tableBilling: setting(
    'How the table is paid: `onDemand` for what is used, `provisioned` for a capacity that follows the use.',
    v.optional(v.picklist(['onDemand', 'provisioned'], 'must be onDemand or provisioned'), 'onDemand'),
  ),
  tableMostReadUnits: setting(
    'Read units a second that the table never exceeds; none: only the quotas of the account.',
    wholeNumber(5, 1_000_000),
  ),
  tableMostWriteUnits: setting(
    'Write units a second that the table never exceeds; none: only the quotas of the account.',
    wholeNumber(5, 1_000_000),
  ),
  logRetentionDays: setting(
    `How long logs are kept, in days: ${RETENTION_DAYS.join(', ')}.`,
    v.optional(
      v.pipe(
        v.union([v.number(), v.pipe(v.string(), v.transform(Number))]),
        v.picklist(RETENTION_DAYS, `must be one of ${RETENTION_DAYS.join(', ')}`),
      ),
    ),
  ),
  historyHours: setting(
    'How long the changes of lamps are kept to tell why a lamp is as it is; 0: they are not written.',
    wholeNumber(0, 999),
  ),
  logLevel: setting(
    'What is logged from this level on: `debug`, `info`, `warn`, `error`.',
    v.optional(v.picklist(['debug', 'info', 'warn', 'error'], 'must be a log level'), 'info'),
  ),
  alarmTarget: setting(
    'Who is told of alarms: an e-mail address, or the ARN of an SNS topic; none: nobody.',
    text(
      /^([^\s@,]+@[^\s@,]+\.[a-z]{2,63}|arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256})$/,
      'must be an e-mail address or the ARN of an SNS topic',
    ),
  ),
  canary: setting(
    'Whether the canary measures a lamp each minute as a client of its own; by default wherever there is a `domainName`.',
    yesOrNo,
  ),
  tags: setting(
    'Comma list of `key=value`: tags of every resource, beside `application` and `stage`.',
    listOf(new RegExp(`^${TAG}$`), 'must be key=value'),
  ),
  encryption: setting(
    'Whose key encrypts table, secrets, queues and logs: `aws` (costs nothing), or `customer`, a key of this deployment, rotated every year (1 USD a month and its requests). Several regions need `aws`.',
    v.optional(v.picklist(['aws', 'customer'], 'must be aws or customer')),
  ),
  apiFirewall: setting(
    'True puts AWS WAF in front of the HTTP API (9 USD a month and 0.60 a million requests).',
    yesOrNo,
  ),
  keepData: setting(
    'True keeps table, secrets and logs when a stack is deleted, and refuses to delete the table.',
    yesOrNo,
  ),
});

export type GivenSettings = v.InferOutput<typeof settingsSchema>;

/** Names of all settings, as they are given in CDK context. */
export const SETTING_NAMES = Object.keys(settingsSchema.entries) as (keyof GivenSettings)[];

/** What a setting is for. */
export const describeSetting = (name: keyof GivenSettings): string =>
  v.getDescription(settingsSchema.entries[name]) ?? '';
