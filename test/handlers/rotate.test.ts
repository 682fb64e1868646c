import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openInstructionKeys } from '#gateway/instruction-keys.ts';
import { PATIENCE_MS } from '#test/support/patience.ts';
import { type FakeSecretsManager, startSecretsManager } from '#test/support/secrets-manager.ts';

const ARN = 'arn:aws:secretsmanager:eu-central-1:1:secret:instruction';
const HOUR_MS = 3_600_000;

let secrets: FakeSecretsManager;
let handler: (event: unknown) => Promise<void>;

beforeEach(async () => {
  secrets = await startSecretsManager('first');
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', secrets.endpoint);
  vi.stubEnv('AWS_REGION', 'eu-central-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'a');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 's');
  vi.resetModules();
  ({ handler } = await import('../../lambdas/handlers/rotate.ts'));
});
afterEach(() => {
  secrets.stop();
  vi.unstubAllEnvs();
});

const rotate = async (ClientRequestToken: string, ...steps: string[]): Promise<void> => {
  for (const Step of steps) await handler({ Step, SecretId: ARN, ClientRequestToken });
};
const STEPS = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'];

describe('a rotation', () => {
  it('makes a new secret the current one and keeps the one before it', async () => {
    secrets.begin('v2');
    await rotate('v2', ...STEPS);
    expect(secrets.versions.get('v2')).toMatchObject({
      stages: ['AWSCURRENT'],
      text: expect.stringMatching(/^[\w-]{64}$/),
    });
    expect(secrets.versions.get('v1')).toMatchObject({ stages: ['AWSPREVIOUS'], text: 'first' });
  });

  it('may repeat each step', async () => {
    secrets.begin('v2');
    await rotate('v2', 'createSecret');
    const { text } = secrets.versions.get('v2') ?? {};
    await rotate('v2', 'createSecret', 'finishSecret', 'finishSecret', 'createSecret');
    expect(secrets.versions.get('v2')).toMatchObject({ text, stages: ['AWSCURRENT'] });
    expect(secrets.asked.filter((each) => each === 'PutSecretValue')).toHaveLength(1);
    expect(secrets.asked.filter((each) => each === 'UpdateSecretVersionStage')).toHaveLength(1);
  });

  it('changes nothing for a version that nobody announced', async () => {
    await expect(rotate('v9', 'finishSecret')).rejects.toThrow('not a pending version');
    expect(secrets.versions.get('v1')?.stages).toEqual(['AWSCURRENT']);
  });
});

describe('a gateway that runs through it', () => {
  it('accepts both at once, signs with the new one later, and keeps what it knows while nobody answers', async () => {
    const warn = vi.fn();
    let nowMs = Date.now();
    const ports = { log: { warn }, nowMs: () => nowMs, keepMs: 5, retryMs: 5 };
    const keys = await openInstructionKeys(
      { INSTRUCTION_SECRET_ARN: ARN, INSTRUCTION_SECRET: undefined, INSTRUCTION_SECRET_PREVIOUS: undefined },
      ports,
    );
    expect(keys.valid()).toEqual(['first']);
    secrets.begin('v2');
    await rotate('v2', ...STEPS);
    const second = secrets.versions.get('v2')?.text;
    await vi.waitFor(() => expect(keys.valid()).toEqual(['first', second]), PATIENCE_MS);
    nowMs += HOUR_MS;
    expect(keys.valid()).toEqual([second, 'first']);
    secrets.isDown = true;
    await vi.waitFor(() => expect(warn).toHaveBeenCalled(), PATIENCE_MS);
    expect(keys.valid()).toEqual([second, 'first']);
    keys.close();
  });

  it('does not start when it cannot read them', async () => {
    secrets.isDown = true;
    const ports = { log: { warn: vi.fn() }, nowMs: Date.now };
    const config = {
      INSTRUCTION_SECRET_ARN: ARN,
      INSTRUCTION_SECRET: undefined,
      INSTRUCTION_SECRET_PREVIOUS: undefined,
    };
    await expect(openInstructionKeys(config, ports)).rejects.toThrow();
  });
});
