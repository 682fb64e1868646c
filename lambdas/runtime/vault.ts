/** The vault of a function: its keys come from the secret `vault`, and follow it when it changes. */
import { randomBytes } from 'node:crypto';
import { createVault, type Vault, type VaultReader } from '#core/sealed-text.ts';
import type { SecretReader } from './secret.ts';

/** @param readKeys the secret `vault`: one key, or several with blanks between them */
export function createVaultReader(readKeys: SecretReader): VaultReader {
  let made: { readonly keys: string; readonly vault: Vault } | undefined;
  return async () => {
    const keys = await readKeys();
    if (made?.keys !== keys) made = { keys, vault: createVault(keys, randomBytes) };
    return made.vault;
  };
}
