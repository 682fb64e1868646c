import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { readVaultKey } from '#cdk/local/vault-key.ts';

it('the key is kept beside the data, for its owner only; a given one is not written down', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lampfield-vault-'));
  const other = mkdtempSync(path.join(tmpdir(), 'lampfield-vault-'));
  expect(readVaultKey(folder, 'given')).toBe('given');

  const made = readVaultKey(folder, undefined);
  expect(made).toMatch(/^[\w-]{43}$/);
  expect(statSync(path.join(folder, 'vault.key')).mode & 0o777).toBe(0o600);
  expect(readVaultKey(folder, undefined)).toBe(made);
  expect(readVaultKey(other, undefined)).not.toBe(made);
  for (const each of [folder, other]) rmSync(each, { recursive: true });
});
