/** What the local stack tells the person who started it. Pure. */
import { apiUrl, dynamoDbEndpoint, gatewayPorts, lambdaEndpoint, TABLE_NAME, trunkPorts } from './processes.ts';
import { DEFAULT_ADMIN_KEY, type LocalSettings } from './settings.ts';

const FIRST_USER = 1001;
/** By the number of tenants. */
const PUBLISHERS = [
  '  Tenants    none yet; npm run lampfield -- tenant create acme.example makes one',
  '  Publisher  pbx@demo.example with demo-pbx',
  '  Publisher  pbx@demo.example with demo-pbx, pbx@acme.example with acme-pbx',
] as const;

/** The lines that say what runs where and who can sign in. */
export function announceReady(
  settings: LocalSettings,
  { folder, logFolder }: { readonly folder: string; readonly logFolder: string },
  startMs: number,
): string {
  const home = `http://127.0.0.1:${settings.port}/`;
  const last = FIRST_USER + settings.users - 1;
  const users = settings.users === 0 ? 'no users' : `users ${FIRST_USER} to ${last}`;
  return [
    `Lampfield is ready after ${(startMs / 1_000).toFixed(1)} s.`,
    '',
    `  Panel      ${home}`,
    `  Console    ${home}admin  (key ${keyText(settings)})`,
    ...gatewayPorts(settings).map(
      (port, i) => `  SIP        ws://127.0.0.1:${port}/  (gateway ${i + 1}, subprotocol sip)`,
    ),
    ...trunkPorts(settings).map((port, i) => `  Trunks     127.0.0.1:${port} over TCP  (gateway ${i + 1})`),
    ...[
      `  Sign in    demo.example: ${users}, password demo-<user> (${FIRST_USER}@demo.example has demo-${FIRST_USER})`,
      `             acme.example: ${users}, password acme-<user>`,
    ].slice(0, settings.tenants),
    ...PUBLISHERS.slice(settings.tenants, settings.tenants + 1),
    `  Health     ${home}healthz, ${home}readyz, ${home}metrics`,
    `  HTTP API   ${apiUrl(settings)}  (Authorization: Bearer ${keyText(settings)})`,
    `  Functions  ${lambdaEndpoint(settings)}  (Lambda Invoke API)`,
    `  Table      ${dynamoDbEndpoint(settings)}  (DynamoDB Local, table ${TABLE_NAME}; open to your network)`,
    `  Records    ${folder}/records.jsonl  (calls that have ended)`,
    `  Logs       ${logFolder}`,
    '',
    settings.data === undefined
      ? 'Ctrl-C stops everything. Data end with it; --data FOLDER keeps them.'
      : `Ctrl-C stops everything. Data stay in ${settings.data}.`,
  ].join('\n');
}

const keyText = ({ adminKey }: LocalSettings): string =>
  adminKey === DEFAULT_ADMIN_KEY ? adminKey : '<the admin key that you chose>';

export interface PortUse {
  readonly port: number;
  readonly what: string;
  readonly option: string;
  readonly variable: string;
}

/** Every port that the stack wants to listen on. */
export function portUses(settings: LocalSettings): PortUse[] {
  const gateways = gatewayPorts(settings).map((port, index) => ({
    port,
    what: `gateway ${index + 1}`,
    option: '--port',
    variable: 'PORT',
  }));
  const trunks = trunkPorts(settings).map((port, index) => ({
    port,
    what: `trunks at gateway ${index + 1}`,
    option: '--trunk-port',
    variable: 'TRUNK_PORT',
  }));
  return [
    ...gateways,
    ...trunks,
    { port: settings.dynamodbPort, what: 'DynamoDB Local', option: '--dynamodb-port', variable: 'DYNAMODB_PORT' },
    { port: settings.lambdaPort, what: 'the Lambda Invoke API', option: '--lambda-port', variable: 'LAMBDA_PORT' },
    { port: settings.apiPort, what: 'the HTTP API', option: '--api-port', variable: 'API_PORT' },
  ];
}

export function portTaken({ port, what, option, variable }: PortUse): string {
  return `Port ${port} for ${what} is taken by another program. Choose another one: npm start -- ${option} <port>, or ${variable}=<port> npm start.`;
}

/** Two parts of the stack that want the same port; `undefined` when there are none. */
export function portClash(uses: readonly PortUse[]): string | undefined {
  for (const [index, use] of uses.entries()) {
    if (use.port > 65_535) return `Port ${use.port} for ${use.what} does not exist; choose a smaller ${use.option}.`;
    const other = uses.slice(index + 1).find((one) => one.port === use.port);
    if (other !== undefined) {
      return `Port ${use.port} is wanted by both ${use.what} and ${other.what}. Change one with ${use.option} or ${other.option}.`;
    }
  }
  return undefined;
}
