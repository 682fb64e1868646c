/** One DynamoDB Local for a whole test run, started when the first test asks for it (GET gives its endpoint). */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dynamoDbCommand, untilReady } from '#cdk/local/dynamodb-local.ts';
import { freePort } from '#cdk/local/ports.ts';
import { startProcessGuard } from '#cdk/local/process-guard.ts';
import { DYNAMODB_BROKER } from './dynamodb.ts';

export default async function setup(): Promise<() => Promise<void>> {
  const guard = startProcessGuard();
  let child: ChildProcess | undefined;
  let endpoint: Promise<string> | undefined;

  async function start(): Promise<string> {
    const port = await freePort();
    const { command, args, cwd } = dynamoDbCommand({ port });
    child = spawn(command, args, { cwd, stdio: 'ignore', detached: true });
    guard.watch(child);
    await untilReady(`http://127.0.0.1:${port}`);
    return `http://127.0.0.1:${port}`;
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
