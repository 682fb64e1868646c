/** Secrets of a function: given as text, or read from Secrets Manager and kept for some minutes. */
import { DependencyUnavailable } from '#core/error.ts';
import { signRequest } from './aws-signature.ts';
import type { AwsAccess, SecretSource } from './environment.ts';

const KEEP_MS = 10 * 60_000;
const TIMEOUT_MS = 2_000;

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
    const value = fetchSecret(source.arn, source.access, now());
    const mine = { value, untilMs: now() + KEEP_MS };
    kept = mine;
    value.catch(() => {
      if (kept === mine) kept = undefined;
    });
    return value;
  };
}

async function readFromSecretsManager(arn: string, access: AwsAccess, nowMs: number): Promise<string> {
  const host = `secretsmanager.${access.region}.amazonaws.com`;
  const body = JSON.stringify({ SecretId: arn });
  const headers = signRequest(
    {
      service: 'secretsmanager',
      method: 'POST',
      path: '/',
      headers: { host, 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'secretsmanager.GetSecretValue' },
      body,
    },
    access,
    nowMs,
  );
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(`https://${host}/`, { method: 'POST', headers, body, signal });
    const answer: unknown = await response.json();
    if (response.ok) return secretString(answer);
    throw new Error(`status ${response.status}`);
  } catch (cause) {
    throw new DependencyUnavailable('Secrets Manager GetSecretValue', { cause });
  }
}

function secretString(answer: unknown): string {
  if (typeof answer === 'object' && answer !== null && 'SecretString' in answer) {
    if (typeof answer.SecretString === 'string' && answer.SecretString !== '') return answer.SecretString;
  }
  throw new Error('no SecretString in the answer');
}
