import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { FunctionHost } from '#cdk/local/functions/host.ts';
import { createInvokeApi, PAYLOAD_LIMITS } from '#cdk/local/functions/invoke-api.ts';
import { LOCAL_AWS } from '#cdk/local/local-aws.ts';
import { PATIENCE_MS } from '#test/support/patience.ts';

const FIXTURE = path.resolve(import.meta.dirname, '../../../support/fixtures/handler.mjs');
const host = (functionName: string, modulePath = FIXTURE) =>
  new FunctionHost({ functionName, modulePath, timeoutSeconds: 3, memoryMb: 128 });

const hosts = new Map([
  ['fixture', host('fixture')],
  ['absent', host('absent', '/nowhere/index.mjs')],
]);
let server: Server;
let client: LambdaClient;

beforeAll(async () => {
  vi.spyOn(console, 'error').mockImplementation(() => {});
  server = createInvokeApi(hosts);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = new LambdaClient({ endpoint, ...LOCAL_AWS, maxAttempts: 1 });
});
afterAll(async () => {
  client.destroy();
  server.close();
  await Promise.all([...hosts.values()].map((one) => one.stop()));
});

async function invoke(payload: unknown, options: { name?: string; type?: 'Event' | 'DryRun' } = {}) {
  const answer = await client.send(
    new InvokeCommand({
      FunctionName: options.name ?? 'fixture',
      InvocationType: options.type,
      Payload: JSON.stringify(payload),
    }),
  );
  const text = answer.Payload?.transformToString() ?? '';
  return { ...answer, value: text === '' ? undefined : JSON.parse(text) };
}

describe('Invoke API', () => {
  it('answers what the handler returns, null for nothing', async () => {
    const answer = await invoke({ do: 'echo', text: 'grüße' });
    expect(answer).toMatchObject({ StatusCode: 200, ExecutedVersion: '$LATEST' });
    expect(answer.FunctionError).toBeUndefined();
    expect(answer.value).toMatchObject({ event: { do: 'echo', text: 'grüße' }, requestId: expect.any(String) });
    expect(answer.value.remainingMs).toBeGreaterThan(500);
    expect((await invoke({})).value).toBeNull();
  });

  it('takes the function by ARN', async () => {
    const name = 'arn:aws:lambda:eu-central-1:000000000000:function:fixture';
    expect((await invoke({ do: 'sleep', ms: 1 }, { name })).value).toBe('awake');
  });

  it('reports a thrown error as FunctionError with its name, message and trace', async () => {
    const answer = await invoke({ do: 'fail' });
    expect(answer).toMatchObject({ StatusCode: 200, FunctionError: 'Unhandled' });
    expect(answer.value).toMatchObject({ errorType: 'AskedError', errorMessage: 'as asked' });
  });

  it('runs invocations of one function side by side in one worker', async () => {
    const startedMs = performance.now();
    const answers = await Promise.all(Array.from({ length: 20 }, () => invoke({ do: 'sleep', ms: 200 })));
    expect(answers.map((answer) => answer.value)).toEqual(Array(20).fill('awake'));
    expect(performance.now() - startedMs).toBeLessThan(3_000);
    const first = (await invoke({ do: 'counter' })).value;
    expect((await invoke({ do: 'counter' })).value).toBe(first + 1);
  });

  it('refuses an unknown function and a payload over the limit', async () => {
    await expect(invoke({}, { name: 'nobody' })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      $metadata: { httpStatusCode: 404 },
    });
    const large = 'x'.repeat(PAYLOAD_LIMITS.requestResponseBytes);
    await expect(invoke(large)).rejects.toMatchObject({ name: 'RequestTooLargeException' });
    await expect(invoke(large.slice(0, PAYLOAD_LIMITS.eventBytes), { type: 'Event' })).rejects.toMatchObject({
      name: 'RequestTooLargeException',
    });
  });

  it('refuses a payload that is not JSON', async () => {
    const broken = new InvokeCommand({ FunctionName: 'fixture', Payload: '{' });
    await expect(client.send(broken)).rejects.toMatchObject({ name: 'InvalidRequestContentException' });
  });

  it('reports a result over the limit as FunctionError', async () => {
    const answer = await invoke({ do: 'fill', bytes: PAYLOAD_LIMITS.requestResponseBytes });
    expect(answer.value.errorType).toBe('Function.ResponseSizeTooLarge');
  });

  it('accepts an Event at once and runs it afterwards', async () => {
    const before = (await invoke({ do: 'counter' })).value;
    expect((await invoke({ do: 'counter' }, { type: 'Event' })).StatusCode).toBe(202);
    await vi.waitFor(
      async () => expect((await invoke({ do: 'counter' })).value).toBeGreaterThan(before + 1),
      PATIENCE_MS,
    );
  });

  it('answers a dry run without running anything', async () => {
    expect((await invoke({ do: 'exit' }, { type: 'DryRun' })).StatusCode).toBe(204);
  });

  it('times an invocation out and goes on with a new worker, though the old one hangs', async () => {
    const answer = await invoke({ do: 'hang' });
    expect(answer.FunctionError).toBe('Unhandled');
    expect(answer.value.errorMessage).toMatch(/Task timed out after 3.00 seconds$/);
    expect((await invoke({ do: 'counter' })).value).toBe(1);
  });

  it('replaces a worker that exits, failing what ran on it', async () => {
    const [running, exit] = await Promise.all([invoke({ do: 'sleep', ms: 900 }), invoke({ do: 'exit' })]);
    expect(exit.value).toMatchObject({ errorType: 'Runtime.ExitError', errorMessage: 'Runtime exited with status 7' });
    expect(running.FunctionError).toBe('Unhandled');
    expect((await invoke({ do: 'counter' })).value).toBe(1);
  });

  it('fails every invocation of a bundle that cannot be loaded', async () => {
    for (const _ of [1, 2]) expect((await invoke({}, { name: 'absent' })).FunctionError).toBe('Unhandled');
  });
});
