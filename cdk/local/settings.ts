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
  /** Where trunks reach the first gateway over TCP; the others follow. 0 for no trunks. */
  readonly trunkPort: number;
  /** Trunk of demo.example. */
  readonly trunk?: Trunk;
  /** Users per tenant, 1001 and so on. */
  readonly users: number;
  /** Folder that keeps the data; without it they end with the stack. */
  readonly data?: string;
  /** How long a gateway that is stopped takes to let its flows go. */
  readonly drainSeconds: number;
  readonly logLevel: (typeof LOG_LEVELS)[number];
  readonly demo: boolean;
}

const integer = (least: number, greatest: number) => (text: string) => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= greatest) return value;
  throw new InvalidArgumentError(`It must be a whole number from ${least} to ${greatest}.`);
};
const port = integer(1, 65_535);

/** @param args what stands behind the script's name; a mistake in it is told and ends the process */
export function readSettings(args: readonly string[]): LocalSettings {
  return new Command('npm start --')
    .description('Runs Lampfield on this machine: gateway, functions, table and stream.')
    .addOption(number('--port', 'PORT', 8080, port, 'port of the first gateway; the others follow'))
    .addOption(number('--gateways', 'GATEWAYS', 1, integer(1, 20), 'how many gateways'))
    .addOption(number('--dynamodb-port', 'DYNAMODB_PORT', 8000, port, 'port of DynamoDB Local'))
    .addOption(number('--lambda-port', 'LAMBDA_PORT', 9001, port, 'port of the Lambda Invoke API'))
    .addOption(
      number(
        '--trunk-port',
        'TRUNK_PORT',
        5070,
        integer(0, 65_535),
        'port for trunks at the first gateway, 0 for none',
      ),
    )
    .addOption(trunkOption())
    .addOption(number('--users', 'LOCAL_USERS', 20, integer(0, 50_000), 'users in each tenant, 1001 and so on'))
    .addOption(
      number('--drain-seconds', 'DRAIN_SECONDS', 0, integer(0, 600), 'time in which a gateway lets its flows go'),
    )
    .addOption(new Option('--data <folder>', 'keep the data in this folder').env('DATA_DIR'))
    .addOption(logLevelOption())
    .option('--demo', 'play a lively day of a small company', false)
    .allowExcessArguments(false)
    .parse(args, { from: 'user' })
    .opts<LocalSettings>();
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
