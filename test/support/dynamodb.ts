/** A table of its own in the test run's DynamoDB Local. */
import { randomUUID } from 'node:crypto';
import { DeleteTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ensureTable, localClient } from '#cdk/local/dynamodb-local.ts';

/** Environment variable with the URL that answers the endpoint of the run's DynamoDB Local. */
export const DYNAMODB_BROKER = 'LAMPFIELD_TEST_DYNAMODB_BROKER';

export interface TestTable {
  readonly endpoint: string;
  readonly tableName: string;
  readonly streamArn: string;
  /** What it gives a table port in place of the seconds of production: Java on a busy machine pauses for longer. */
  readonly operationTimeoutMs: number;
  /** A client for the endpoint, closed by `stop`. */
  readonly client: DynamoDBClient;
  /** Drops the table. */
  stop(): Promise<void>;
}

/** Makes an empty table with a new name, as the system description wants it. */
export async function startTable(): Promise<TestTable> {
  const endpoint = await dynamoDbEndpoint();
  const tableName = `lampfield-${randomUUID()}`;
  const client = localClient(endpoint);
  const { streamArn } = await ensureTable(client, tableName);
  return {
    endpoint,
    tableName,
    streamArn,
    operationTimeoutMs: 20_000,
    client,
    async stop() {
      await client.send(new DeleteTableCommand({ TableName: tableName }));
      client.destroy();
    },
  };
}

async function dynamoDbEndpoint(): Promise<string> {
  const broker = process.env[DYNAMODB_BROKER];
  if (broker === undefined) throw new Error('no DynamoDB Local here: tests run under vitest (npm test)');
  const response = await fetch(broker);
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}
