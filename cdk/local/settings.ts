/** Options of the local stack, from the command line and the environment. */

import { Command, InvalidArgumentError, Option } from 'commander';
import type { Trunk } from '#core/trunk.ts';
import { readTrunkUri } from '#table/seed-items.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

export interface LocalSettings {
  readonly port: number;
  readonly gateways: number;
  readonly dynamodbPort: number;
  readonly lambdaPort: number;
  /** Of the HTTP API; when nobody chose it, it makes way for the gateways. */
  readonly apiPort: number;
  readonly isApiPortChosen: boolean;
  /** Bearer token of the HTTP API. */
  readonly adminKey: string;
  /** Where trunks reach the first gateway over TCP; the others follow. 0 for no trunks. */
  readonly trunkPort: number;
  /** Trunk of demo.example. */
  readonly trunk?: Trunk;
  /** The first so many of demo.example and acme.example; 0 for an empty table. */
  readonly tenants: number;
  /** Users per tenant, 1001 and so on. */
  readonly users: number;
  /** Folder that keeps the data; without it they end with the stack. */
  readonly data?: string;
  /** Keys of what is sealed in the table; without them they are kept beside the data. */
  readonly vaultKey?: string;
  /** How long a gateway that is stopped takes to let its flows go. */
  readonly drainSeconds: number;
  readonly logLevel: (typeof LOG_LEVELS)[number];
  readonly demo: boolean;
  /** Whether the canary runs, once a minute. */
  readonly canary: boolean;
}

const integer = (least: number, greatest: number) => (text: string) => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= greatest) return value;
  throw new InvalidArgumentError(`It must be a whole number from ${least} to ${greatest}.`);
};
const port = integer(1, 65_535);

const DEFAULT_API_PORT = 8081;
/** Of a stack that is told a trunk. */
const DEFAULT_TRUNK_PORT = 5070;
/** No secret: everybody can read it here. */
export const DEFAULT_ADMIN_KEY = 'local-admin-key';

/** @param args what stands behind the script's name; a mistake in it is told and ends the process */
export function readSettings(args: readonly string[]): LocalSettings {
  const command = commandOf().parse(args, { from: 'user' });
  const settings = command.opts<LocalSettings>();
  const isChosen = (name: string): boolean => command.getOptionValueSource(name) !== 'default';
  const isApiPortChosen = isChosen('apiPort');
  return {
    ...settings,
    isApiPortChosen,
    apiPort: isApiPortChosen ? settings.apiPort : apiPortBeside(settings),
    trunkPort: isChosen('trunkPort') || settings.trunk === undefined ? settings.trunkPort : DEFAULT_TRUNK_PORT,
  };
}

/** The usual port, or the first one behind the gateways that no other part of the stack wants. */
function apiPortBeside({ port, gateways, dynamodbPort, lambdaPort, apiPort }: LocalSettings): number {
  const isWanted = (each: number): boolean =>
    (each >= port && each < port + gateways) || each === dynamodbPort || each === lambdaPort;
  let free = apiPort;
  while (isWanted(free)) free += 1;
  return free;
}

function commandOf(): Command {
  return new Command('npm start --')
    .description('Runs Lampfield on this machine: gateway, functions, table and stream.')
    .addOption(number('--port', 'PORT', 8080, port, 'port of the first gateway; the others follow'))
    .addOption(number('--gateways', 'GATEWAYS', 1, integer(1, 20), 'how many gateways'))
    .addOption(number('--dynamodb-port', 'DYNAMODB_PORT', 8000, port, 'port of DynamoDB Local'))
    .addOption(number('--lambda-port', 'LAMBDA_PORT', 9001, port, 'port of the Lambda Invoke API'))
    .addOption(
      number(
        '--api-port',
        'API_PORT',
        DEFAULT_API_PORT,
        port,
        'port of the HTTP API; not given, it makes way for others',
      ),
    )
    .addOption(new Option('--admin-key <key>', 'admin key of the HTTP API').env('ADMIN_KEY').default(DEFAULT_ADMIN_KEY))
    .addOption(
      number(
        '--trunk-port',
        'TRUNK_PORT',
        0,
        integer(0, 65_535),
        'port for trunks at the first gateway, 0 for none; with --trunk 5070',
      ),
    )
    .addOption(trunkOption())
    .addOption(
      number(
        '--tenants',
        'LOCAL_TENANTS',
        2,
        integer(0, 2),
        'demo.example alone (1), with acme.example (2), or nobody (0)',
      ),
    )
    .addOption(number('--users', 'LOCAL_USERS', 20, integer(0, 50_000), 'users in each tenant, 1001 and so on'))
    .addOption(
      number('--drain-seconds', 'DRAIN_SECONDS', 0, integer(0, 600), 'time in which a gateway lets its flows go'),
    )
    .addOption(new Option('--data <folder>', 'keep the data in this folder').env('DATA_DIR'))
    .addOption(
      new Option(
        '--vault-key <text>',
        'keys of the secrets in the table, the first one seals; else kept with the data',
      ).env('VAULT_SECRET'),
    )
    .addOption(logLevelOption())
    .option('--demo', 'play a lively day of a small company', false)
    .option('--canary', 'let the canary measure a lamp once a minute', false)
    .allowExcessArguments(false);
}

function number(
  flag: string,
  variable: string,
  fallback: number,
  parse: (text: string) => number,
  text: string,
): Option {
  return new Option(`${flag} <number>`, text).env(variable).default(fallback).argParser(parse);
}

function logLevelOption(): Option {
  const levels = new Option('--log-level <level>', 'how much the logs say').env('LOG_LEVEL');
  return levels.choices(LOG_LEVELS).default('warn');
}

function trunkOption(): Option {
  const text = 'trunk of demo.example, such as "sip:account:password@sip.provider.example:5060;transport=tcp"';
  return new Option('--trunk <uri>', text).env('TRUNK').argParser((uri) => {
    const trunk = readTrunkUri(uri);
    if (trunk === undefined)
      throw new InvalidArgumentError('It must be a sip: URI with host and transport tcp or tls.');
    return trunk;
  });
}
