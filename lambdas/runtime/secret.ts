/** Secrets of a function: given as text, or read from Secrets Manager and kept for some minutes. */
import {
  GetSecretValueCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { DependencyUnavailable } from '#core/error.ts';
import {
  fetchVersions,
  KEEP_SECRET_MS,
  keysInOrder,
  type SecretStage,
  type SecretVersion,
} from '#core/secret-versions.ts';
import type { SecretSource } from './environment.ts';

const TIMEOUT_MS = 2_000;

/** Made at the first read: most functions of the local stack never need it. */
let client: SecretsManagerClient | undefined;

/** Answers the secret's text; cached, and read again after ten minutes so that a change is noticed. */
export type SecretReader = () => Promise<string>;
/** Answers the valid keys of a secret that is rotated: the first one signs, all are accepted. Cached like a text. */
export type KeysReader = () => Promise<readonly string[]>;

/**
 * @param source where the secret is; undefined makes every read fail (the function was not given it)
 * @throws {DependencyUnavailable} from the reader, when Secrets Manager does not answer
 */
export function createSecretReader(
  source: SecretSource | undefined,
  now: () => number = Date.now,
  fetchText: (arn: string) => Promise<string> = fetchCurrent,
): SecretReader {
  if (source === undefined) return refuse;
  if (source.kind === 'text') return () => Promise.resolve(source.value);
  return keep(() => fetchText(source.arn), now);
}

/** As {@link createSecretReader}, for a secret of which two versions are valid while it is rotated. */
export function createKeysReader(
  source: SecretSource | undefined,
  now: () => number = Date.now,
  fetchVersion: typeof fetchFromSecretsManager = fetchFromSecretsManager,
): KeysReader {
  if (source === undefined) return refuse;
  if (source.kind === 'text') return () => Promise.resolve([source.value]);
  const read = keep(() => fetchVersions((stage) => fetchVersion(source.arn, stage)), now);
  return async () => keysInOrder(await read(), now());
}

const refuse = (): Promise<never> => Promise.reject(new Error('This function has no such secret'));

/** Keeps what was read; a failure is not kept. */
function keep<T>(read: () => Promise<T>, now: () => number): () => Promise<T> {
  let kept: { readonly value: Promise<T>; readonly untilMs: number } | undefined;
  return () => {
    if (kept && now() < kept.untilMs) return kept.value;
    const value = read();
    const mine = { value, untilMs: now() + KEEP_SECRET_MS };
    kept = mine;
    value.catch(() => {
      if (kept === mine) kept = undefined;
    });
    return value;
  };
}

async function fetchCurrent(arn: string): Promise<string> {
  const version = await fetchFromSecretsManager(arn, 'AWSCURRENT');
  if (version === undefined) throw new Error(`The secret ${arn} has no version`);
  return version.text;
}

/** @returns undefined when no version has the stage */
async function fetchFromSecretsManager(arn: string, stage: SecretStage): Promise<SecretVersion | undefined> {
  client ??= new SecretsManagerClient({ maxAttempts: 2, requestHandler: { requestTimeout: TIMEOUT_MS } });
  const command = new GetSecretValueCommand({ SecretId: arn, VersionStage: stage });
  try {
    const { SecretString, CreatedDate } = await client.send(command, { abortSignal: AbortSignal.timeout(TIMEOUT_MS) });
    if (SecretString) return { text: SecretString, createdAtMs: CreatedDate?.getTime() ?? 0 };
  } catch (cause) {
    if (stage === 'AWSPREVIOUS' && cause instanceof ResourceNotFoundException) return undefined;
    throw new DependencyUnavailable('Secrets Manager GetSecretValue', { cause });
  }
  throw new Error(`The secret ${arn} has no text`);
}
