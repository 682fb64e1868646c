/** One DynamoDB Local for a whole test run, started when the first test asks for it (GET gives its endpoint). */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  BatchWriteItemCommand,
  DeleteTableCommand,
  GetItemCommand,
  PutItemCommand,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { dynamoDbCommand, ensureTable, localClient, untilReady } from '#cdk/local/dynamodb-local.ts';
import { startProcessGuard } from '#cdk/local/process-guard.ts';
import { DYNAMODB_BROKER } from './dynamodb.ts';
import { freePort } from './ports.ts';

/** A Java process that has just begun takes seconds for its first writes, and the table port waits two for one. */
async function warmUp(ready: string): Promise<void> {
  const client = localClient(ready);
  const TableName = 'warm-up';
  await ensureTable(client, TableName);
  const Item = { PK: { S: 'warm' }, SK: { S: 'up' } };
  for (let i = 0; i < 20; i++) {
    await client.send(new PutItemCommand({ TableName, Item }));
    await client.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: [{ PutRequest: { Item } }] } }));
    await client.send(new TransactWriteItemsCommand({ TransactItems: [{ Put: { TableName, Item } }] }));
    await client.send(new GetItemCommand({ TableName, Key: Item, ConsistentRead: true }));
  }
  await client.send(new DeleteTableCommand({ TableName }));
  client.destroy();
}

export default async function setup(): Promise<() => Promise<void>> {
  const guard = startProcessGuard();
  let child: ChildProcess | undefined;
  let endpoint: Promise<string> | undefined;

  async function start(): Promise<string> {
    const port = await freePort();
    const { command, args, cwd } = dynamoDbCommand({ port });
    child = spawn(command, args, { cwd, stdio: 'ignore', detached: true });
    guard.watch(child);
    const ready = `http://127.0.0.1:${port}`;
    await untilReady(ready);
    await warmUp(ready);
    return ready;
  }

  const broker = createServer((_request, response) => {
    endpoint ??= start();
    endpoint.then(
      (text) => response.end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await once(broker.listen(0, '127.0.0.1'), 'listening');
  process.env[DYNAMODB_BROKER] = `http://127.0.0.1:${(broker.address() as AddressInfo).port}/`;

  return async () => {
    broker.close();
    broker.closeAllConnections();
    if (child !== undefined && child.exitCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    guard.stop();
  };
}
