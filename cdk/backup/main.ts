/**
 * `npm run backup`: saves a table to a file, one item a line in DynamoDB's own JSON, and loads such a file into a table.
 *
 * Everything is saved, what is live too: that has its leases, and ends by them as after the loss of all gateways.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { finished } from 'node:stream/promises';
import { DynamoDBClient, paginateScan } from '@aws-sdk/client-dynamodb';
import { Command } from 'commander';
import { LOCAL_AWS } from '#cdk/local/local-aws.ts';
import { type MarshalledItem, putItems } from './table-writes.ts';

interface Options {
  readonly table: string;
  readonly file: string;
  /** Of DynamoDB Local; AWS's own without it. */
  readonly endpoint?: string;
  readonly overwrite?: boolean;
}

/** Lines that are held in memory at once. */
const PART = 5_000;

function clientOf({ endpoint }: Options): DynamoDBClient {
  return new DynamoDBClient(endpoint === undefined ? {} : { endpoint, ...LOCAL_AWS });
}

async function save(options: Options): Promise<number> {
  const client = clientOf(options);
  // Nobody but its owner may read it: it holds sealed secrets, and who talks to whom.
  const file = createWriteStream(options.file, { flags: 'wx', mode: 0o600 });
  let items = 0;
  for await (const page of paginateScan({ client }, { TableName: options.table, ConsistentRead: true })) {
    for (const item of page.Items ?? []) file.write(`${JSON.stringify(item)}\n`);
    items += page.Items?.length ?? 0;
  }
  file.end();
  await finished(file);
  return items;
}

async function load(options: Options): Promise<number> {
  const client = clientOf(options);
  const put = (part: readonly MarshalledItem[]) => putItems(client, options.table, part, options.overwrite === true);
  let part: MarshalledItem[] = [];
  let items = 0;
  for await (const line of createInterface({ input: createReadStream(options.file) })) {
    if (line !== '') part.push(JSON.parse(line));
    if (part.length < PART) continue;
    items += await put(part);
    part = [];
  }
  return items + (await put(part));
}

const program = new Command('npm run backup --').description('Saves a table to a file, and loads one from it.');
for (const [name, work, what] of [
  ['save', save, 'write all items of a table to a new file'],
  ['load', load, 'put the items of a file into a table, where none stands'],
] as const) {
  const command = program
    .command(name)
    .description(what)
    .requiredOption('--table <name>', 'the table')
    .requiredOption('--file <path>', 'the file, one item a line')
    .option('--endpoint <url>', 'DynamoDB Local, such as http://127.0.0.1:8000; else AWS, as the SDK finds it')
    .action(async (options: Options) => console.log(`${await work(options)} items`));
  if (name === 'load') command.option('--overwrite', 'put them also where one stands');
}
await program.parseAsync();
