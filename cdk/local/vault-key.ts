/** The keys of what is sealed in the local table: kept beside the data, so that both last equally long. */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const KEY_BYTES = 32;
const FOR_OWNER_ONLY = 0o600;

/** @param given keys that someone chose; otherwise they are what the folder has, or new */
export function readVaultKey(folder: string, given: string | undefined): string {
  if (given !== undefined) return given;
  const file = path.join(folder, 'vault.key');
  try {
    writeFileSync(file, `${randomBytes(KEY_BYTES).toString('base64url')}\n`, { mode: FOR_OWNER_ONLY, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return readFileSync(file, 'utf8').trim();
}
