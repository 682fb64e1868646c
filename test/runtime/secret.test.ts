import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { DependencyUnavailable } from '#core/error.ts';
import type { SecretSource } from '#runtime/environment.ts';
import { createSecretReader } from '#runtime/secret.ts';

const ARN: SecretSource = { kind: 'arn', arn: 'arn:1' };

describe('secret reader', () => {
  it('answers a secret that is given as text', async () => {
    expect(await createSecretReader({ kind: 'text', value: 'x' })()).toBe('x');
  });

  it('fails when the function was not given the secret', async () => {
    await expect(createSecretReader(undefined)()).rejects.toThrow('no such secret');
  });

  it('reads once for ten minutes, then again', async () => {
    let nowMs = 0;
    let reads = 0;
    const read = createSecretReader(
      ARN,
      () => nowMs,
      async (arn) => `${arn} ${++reads}`,
    );
    expect(await Promise.all([read(), read()])).toEqual(['arn:1 1', 'arn:1 1']);
    nowMs = 599_999;
    expect(await read()).toBe('arn:1 1');
    nowMs = 600_000;
    expect(await read()).toBe('arn:1 2');
  });

  it('does not keep a failure', async () => {
    const answers = [Promise.reject(new Error('down')), Promise.resolve('x')];
    const read = createSecretReader(
      ARN,
      () => 0,
      () => answers.shift() ?? Promise.reject(new Error('end')),
    );
    await expect(read()).rejects.toThrow('down');
    expect(await read()).toBe('x');
  });

  it('asks Secrets Manager by its SDK; no connection is a dependency that is unavailable', async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      request.on('data', (chunk) => asked.push(`${request.headers['x-amz-target']} ${chunk}`));
      request.on('end', () => response.end(JSON.stringify({ SecretString: 'from afar' })));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    vi.stubEnv('AWS_REGION', 'eu-central-1');
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'a');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 's');
    expect(await createSecretReader(ARN)()).toBe('from afar');
    expect(asked).toEqual(['secretsmanager.GetSecretValue {"SecretId":"arn:1"}']);
    server.close();
    server.closeAllConnections();
    await expect(createSecretReader(ARN)()).rejects.toThrow(DependencyUnavailable);
    vi.unstubAllEnvs();
  });
});
