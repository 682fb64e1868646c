/** Two valid versions of a secret while it is rotated: all are accepted, and the new one signs once everybody knows it. Pure. */

export interface SecretVersion {
  readonly text: string;
  readonly createdAtMs: number;
}

/** Staging labels of Secrets Manager: the version that is valid, and the one before it. */
export type SecretStage = 'AWSCURRENT' | 'AWSPREVIOUS';

/** How long functions and gateways keep what they have read. */
export const KEEP_SECRET_MS = 10 * 60_000;
/** Everybody has read a version again by then, also who had to try twice. */
export const SETTLED_AFTER_MS = 2 * KEEP_SECRET_MS;

/**
 * Reads the versions that are valid, the current one first.
 * @param fetchVersion answers undefined for a stage that no version has: a secret that was never rotated
 */
export async function fetchVersions(
  fetchVersion: (stage: SecretStage) => Promise<SecretVersion | undefined>,
): Promise<readonly SecretVersion[]> {
  const versions = await Promise.all([fetchVersion('AWSCURRENT'), fetchVersion('AWSPREVIOUS')]);
  return versions.filter((version) => version !== undefined);
}

/**
 * The texts of the versions: the first one signs, all are accepted.
 * @param versions the current one first
 */
export function keysInOrder(versions: readonly SecretVersion[], nowMs: number): readonly string[] {
  const texts = versions.map(({ text }) => text);
  const [current] = versions;
  return current !== undefined && nowMs - current.createdAtMs < SETTLED_AFTER_MS ? texts.toReversed() : texts;
}
