/** Secrets of tests, and ports that hand them out. */
import { randomBytes } from 'node:crypto';
import { createVault, type Vault } from '#core/sealed-text.ts';

/** Of every stack that a test starts, so that the test can write users into its table. */
export const VAULT_KEY = 'vault-s3cret-of-the-tests';
export const TEST_VAULT: Vault = createVault(VAULT_KEY, randomBytes);

/** What request functions are given to know who sends; nobody has failed, no tenant trusts anybody. */
export const TEST_SECRETS = {
  nonceSecrets: async () => ['s3cret'],
  vault: async () => TEST_VAULT,
  loadKeySet: (uri: string) => Promise.reject(new Error(`no test has keys at ${uri}`)),
  loadSignInSecrets: async (domain: string) => ({ domain, shared: [], tokenGeneration: 0, revoked: [], version: 0 }),
  failures: { secondsToWait: async () => 0, record: async () => undefined, forgive: async () => undefined },
} as const;
