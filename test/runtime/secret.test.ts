import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { DependencyUnavailable } from '#core/error.ts';
import type { SecretVersion } from '#core/secret-versions.ts';
import type { SecretSource } from '#runtime/environment.ts';
import { createKeysReader, createSecretReader } from '#runtime/secret.ts';

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
    expect(asked).toEqual(['secretsmanager.GetSecretValue {"SecretId":"arn:1","VersionStage":"AWSCURRENT"}']);
    server.close();
    server.closeAllConnections();
    await expect(createSecretReader(ARN)()).rejects.toThrow(DependencyUnavailable);
    vi.unstubAllEnvs();
  });
});

describe('keys reader', () => {
  const versionAt = (text: string, createdAtMs: number) => ({ text, createdAtMs });

  it('accepts the previous version too, and signs with the current one when everybody has read it', async () => {
    let nowMs = 0;
    const versions = { AWSCURRENT: versionAt('old', -3_600_000), AWSPREVIOUS: undefined as SecretVersion | undefined };
    const read = createKeysReader(
      ARN,
      () => nowMs,
      async (_arn, stage) => versions[stage],
    );
    expect(await read()).toEqual(['old']);
    // Rotated behind the back of this instance.
    Object.assign(versions, { AWSCURRENT: versionAt('new', 60_000), AWSPREVIOUS: versionAt('old', -3_600_000) });
    nowMs = 599_999;
    expect(await read()).toEqual(['old']);
    nowMs = 600_000;
    expect(await read()).toEqual(['old', 'new']);
    nowMs = 60_000 + 1_199_999;
    expect(await read()).toEqual(['old', 'new']);
    nowMs = 60_000 + 1_200_000;
    expect(await read()).toEqual(['new', 'old']);
  });

  it('knows a secret that was never rotated, and one that is given as text', async () => {
    const answers: Record<string, object> = { AWSCURRENT: { SecretString: 'only', CreatedDate: 1_700_000_000 } };
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const answer = answers[JSON.parse(Buffer.concat(chunks).toString()).VersionStage];
      response.writeHead(answer ? 200 : 400).end(JSON.stringify(answer ?? { __type: 'ResourceNotFoundException' }));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    vi.stubEnv('AWS_REGION', 'eu-central-1');
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'a');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 's');
    vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    vi.resetModules();
    const { createKeysReader: create } = await import('#runtime/secret.ts');
    expect(await create(ARN)()).toEqual(['only']);
    answers.AWSPREVIOUS = { SecretString: 'before', CreatedDate: 1_600_000_000 };
    expect(await create(ARN)()).toEqual(['only', 'before']);
    server.close();
    server.closeAllConnections();
    await expect(create(ARN)()).rejects.toMatchObject({ name: 'DependencyUnavailable' });
    vi.unstubAllEnvs();
    expect(await createKeysReader({ kind: 'text', value: 'x' })()).toEqual(['x']);
  });
});
