import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { localClient, untilReady } from '#cdk/local/dynamodb-local.ts';
import { TABLE_NAME } from '#cdk/local/processes.ts';
import { readSettings } from '#cdk/local/settings.ts';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { freePort } from '#test/support/ports.ts';

const MAIN = path.resolve(import.meta.dirname, '../../../cdk/local/main.ts');
const STOP_AND_START_MS = 60_000;

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
const livingOf = (stack: LocalStack) => [stack.supervisorPid, ...Object.values(stack.pids)].filter(isAlive);

/** Runs the supervisor until it ends by itself. */
async function runMain(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, ...env } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
  const [code] = await once(child, 'close');
  return { code, output };
}

async function untilOk(url: string): Promise<void> {
  await vi.waitFor(async () => expect(await statusOf(url)).toBe(200), { timeout: 60_000, interval: 100 });
}

async function statusOf(url: string): Promise<number | undefined> {
  return fetch(url).then(
    (response) => response.status,
    () => undefined,
  );
}

describe('a running local stack', () => {
  let stack: LocalStack;
  beforeAll(async () => {
    stack = await startStack({ gateways: 2 });
  });
  afterAll(() => stack.stop());

  it('says when it is ready and what runs where', () => {
    expect(stack.output()).toMatch(/ready after [\d.]+ s/);
    for (const part of [stack.url(0), stack.url(1), stack.dynamoDbEndpoint, stack.lambdaEndpoint, stack.apiUrl]) {
      expect(stack.output()).toContain(part);
    }
    expect(stack.output()).toMatch(/1001@demo\.example has demo-1001/);
  });

  it('runs each part in a process of its own and serves the panel from each gateway', async () => {
    const parts = ['api', 'dynamodb', 'functions', 'gateway-1', 'gateway-2', 'scheduler', 'streams'];
    expect(Object.keys(stack.pids).sort()).toEqual(parts);
    expect(new Set(Object.values(stack.pids)).size).toBe(parts.length);
    for (const index of [0, 1]) {
      expect(await statusOf(`${stack.httpUrl(index)}readyz`)).toBe(200);
      expect(await statusOf(stack.httpUrl(index))).toBe(200);
    }
  });

  it('has seeded the tenants with their users', async () => {
    expect(await seeded('TENANT#acme.example', 'TENANT')).toBe(true);
    expect(await seeded('USER#demo.example#1020', 'PROFILE')).toBe(true);
    expect(await seeded('USER#demo.example#1021', 'PROFILE')).toBe(false);
    expect(await seeded('USER#acme.example#pbx', 'PROFILE')).toBe(true);
    expect(await seeded('LIST#demo.example#blf-all', 'LIST')).toBe(true);
  });

  it('starts gateway-2 again when it dies', async () => {
    await killAndAwait('gateway-2');
    await untilOk(`${stack.httpUrl(1)}readyz`);
  });

  it.each(['functions', 'streams', 'scheduler', 'api'])('starts %s again when it dies', async (name) => {
    await killAndAwait(name);
    await untilOk(`${stack.lambdaEndpoint}/healthz`);
  });

  it('starts DynamoDB Local again when it dies, with all that was written', async () => {
    await killAndAwait('dynamodb');
    await untilReady(stack.dynamoDbEndpoint);
    expect(await seeded('USER#demo.example#1020', 'PROFILE')).toBe(true);
  });

  async function seeded(partitionKey: string, sortKey: string): Promise<boolean> {
    const client = localClient(stack.dynamoDbEndpoint);
    const Key = { PK: { S: partitionKey }, SK: { S: sortKey } };
    const { Item } = await client.send(new GetItemCommand({ TableName: TABLE_NAME, Key }));
    client.destroy();
    return Item !== undefined;
  }

  async function killAndAwait(name: string): Promise<void> {
    stack.kill(name, 'SIGKILL');
    await stack.restarted(name);
    expect(stack.output()).toContain(`${name} ended by SIGKILL`);
  }
});

describe('the end of a local stack', () => {
  it(
    'leaves no process and no port behind, by signal or by a kill that it cannot see',
    async () => {
      const stack = await startStack();
      expect(livingOf(stack)).toHaveLength(7);
      await stack.stop();
      expect(livingOf(stack)).toEqual([]);

      const killed = await startStack();
      process.kill(killed.supervisorPid, 'SIGKILL');
      await vi.waitFor(() => expect(livingOf(killed)).toEqual([]), 5_000);
    },
    STOP_AND_START_MS,
  );

  it(
    'keeps with --data what was written, and does not seed over it',
    async () => {
      const data = mkdtempSync(path.join(tmpdir(), 'lampfield-data-'));
      const args = ['--data', data, '--users', '2'];
      const Item = { PK: { S: 'TENANT#demo.example' }, SK: { S: 'TENANT' }, changed: { BOOL: true } };
      try {
        const first = await startStack({ args });
        const client = localClient(first.dynamoDbEndpoint);
        await client.send(new PutItemCommand({ TableName: TABLE_NAME, Item }));
        await first.stop();
        expect(existsSync(path.join(data, 'lampfield.pid'))).toBe(false);

        const second = await startStack({ args });
        const Key = { PK: Item.PK, SK: Item.SK };
        const again = localClient(second.dynamoDbEndpoint);
        expect((await again.send(new GetItemCommand({ TableName: TABLE_NAME, Key }))).Item).toEqual(Item);
        await expect(startStack({ args })).rejects.toThrow(/is in use by another local stack/);
        await second.stop();
      } finally {
        rmSync(data, { recursive: true });
      }
    },
    STOP_AND_START_MS,
  );
});

describe('the port of the HTTP API', () => {
  it.each([
    [['--port', '8080'], 8081],
    [['--port', '8080', '--gateways', '2'], 8082],
    [['--port', '8081', '--dynamodb-port', '8082'], 8083],
    [['--port', '9000'], 8081],
    [['--port', '8080', '--gateways', '2', '--api-port', '8081'], 8081],
  ])('makes way for others when nobody chose it: %j', (args, expected) => {
    expect(readSettings(args).apiPort).toBe(expected);
  });
});

describe('a local stack that cannot start', () => {
  it('names the port that is taken and the option that changes it', async () => {
    const squatter = createServer();
    const port = await freePort();
    await once(squatter.listen(port, '127.0.0.1'), 'listening');
    const { code, output } = await runMain([], {
      LAMBDA_PORT: String(port),
      PORT: '18390',
      DYNAMODB_PORT: '18391',
      API_PORT: '18393',
    });
    squatter.close();
    expect(code).toBe(1);
    expect(output).toContain(`Port ${port} for the Lambda Invoke API is taken`);
    expect(output).toContain('--lambda-port');
  });

  it('tells how to get Java when there is none', async () => {
    const ports = { PORT: '18390', DYNAMODB_PORT: '18391', LAMBDA_PORT: '18392', API_PORT: '18393' };
    const env = { PATH: '/nowhere', ...ports };
    const { code, output } = await runMain([], env);
    expect(code).toBe(1);
    expect(output).toMatch(/needs Java 17 or newer[\s\S]*apt-get install/);
  });

  it('refuses two parts on one port, and options that make no sense', async () => {
    const clash = await runMain(['--port', '18390', '--gateways', '2', '--lambda-port', '18391']);
    expect(clash).toMatchObject({
      code: 1,
      output: expect.stringMatching(/18391 is wanted by both gateway 2 and the/),
    });
    const api = await runMain(['--port', '18390', '--gateways', '2', '--api-port', '18391']);
    expect(api.output).toMatch(/18391 is wanted by both gateway 2 and the HTTP API/);
    const option = await runMain(['--gateways', 'many']);
    expect(option).toMatchObject({ code: 1, output: expect.stringMatching(/whole number from 1 to 20/) });
  });

  it('explains its options and their variables', async () => {
    const { code, output } = await runMain(['--help']);
    expect(code).toBe(0);
    for (const name of ['PORT', 'GATEWAYS', 'LOCAL_USERS', 'DATA_DIR', 'API_PORT', 'ADMIN_KEY', '--demo'])
      expect(output).toContain(name);
  });
});
