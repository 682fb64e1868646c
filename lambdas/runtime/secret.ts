/** Secrets of a function: given as text, or read from Secrets Manager and kept for some minutes. */
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { DependencyUnavailable } from '#core/error.ts';
import type { SecretSource } from './environment.ts';

const KEEP_MS = 10 * 60_000;
const TIMEOUT_MS = 2_000;

/** Made at the first read: most functions of the local stack never need it. */
let client: SecretsManagerClient | undefined;

/** Answers the secret's text; cached, and read again after ten minutes so that a rotation is noticed. */
export type SecretReader = () => Promise<string>;

/**
 * @param source where the secret is; undefined makes every read fail (the function was not given it)
 * @throws {DependencyUnavailable} from the reader, when Secrets Manager does not answer
 */
export function createSecretReader(
  source: SecretSource | undefined,
  now: () => number = Date.now,
  fetchSecret: typeof readFromSecretsManager = readFromSecretsManager,
): SecretReader {
  if (source === undefined) return () => Promise.reject(new Error('This function has no such secret'));
  if (source.kind === 'text') return () => Promise.resolve(source.value);
  let kept: { readonly value: Promise<string>; readonly untilMs: number } | undefined;
  return () => {
    if (kept && now() < kept.untilMs) return kept.value;
    const value = fetchSecret(source.arn);
    const mine = { value, untilMs: now() + KEEP_MS };
    kept = mine;
    value.catch(() => {
      if (kept === mine) kept = undefined;
    });
    return value;
  };
}

async function readFromSecretsManager(arn: string): Promise<string> {
  client ??= new SecretsManagerClient({ maxAttempts: 2, requestHandler: { requestTimeout: TIMEOUT_MS } });
  try {
    const command = new GetSecretValueCommand({ SecretId: arn });
    const { SecretString } = await client.send(command, { abortSignal: AbortSignal.timeout(TIMEOUT_MS) });
    if (SecretString) return SecretString;
  } catch (cause) {
    throw new DependencyUnavailable('Secrets Manager GetSecretValue', { cause });
  }
  throw new Error(`The secret ${arn} has no text`);
}
