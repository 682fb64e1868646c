import { describe, expect, it } from 'vitest';
import type { SecretSource } from '#runtime/environment.ts';
import { createSecretReader } from '#runtime/secret.ts';

const ARN: SecretSource = {
  kind: 'arn',
  arn: 'arn:1',
  access: { region: 'eu-central-1', accessKeyId: 'a', secretAccessKey: 's' },
};

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
});
