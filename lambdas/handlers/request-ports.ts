/** What the roles of the request functions need from outside, made once per function instance. */

import type { Address } from '#core/identity.ts';
import type { VaultReader } from '#core/sealed-text.ts';
import type { CallRouterPorts } from '#roles/call-router.ts';
import type { ListServerPorts } from '#roles/list-server.ts';
import type { NotifierPorts } from '#roles/notifier.ts';
import type { KeySetLoader, RequestPorts } from '#roles/request-ports.ts';
import type { WebhookFeederPorts } from '#roles/webhook-feeder.ts';
import { createCache } from '#runtime/cache.ts';
import type { Environment } from '#runtime/environment.ts';
import { createKeySetLoader } from '#runtime/key-set-client.ts';
import { createKeysReader, createSecretReader, type KeysReader } from '#runtime/secret.ts';
import { createVaultReader } from '#runtime/vault.ts';
import { openDynamoDbTable } from '#table/dynamodb.ts';
import { openFailureBook } from '#table/failure-book.ts';
import { loadList } from '#table/list-item.ts';
import { loadSignInSecrets } from '#table/sign-in-secrets-item.ts';
import type { Table } from '#table/table.ts';
import { isServed, loadTenant } from '#table/tenant-item.ts';
import { loadTrunk } from '#table/trunk-item.ts';
import { loadUser } from '#table/user-item.ts';
import { loadWatchRules } from '#table/watch-rules.ts';
import { listWebhooks } from '#table/webhook-item.ts';

const KEEP_USERS_MS = 10_000;
const KEEP_TENANTS_MS = 5_000;
const KEEP_WATCH_RULES_MS = 5_000;
const KEEP_LISTS_MS = 10_000;
/** What is written after it must be in time for the removal of the tenant: see roles/tenant-remover. */
const KEEP_SERVED_MS = 5_000;
const MAX_CACHED = 10_000;

/** Ports over DynamoDB and the function's environment. */
export function createRequestPorts(environment: Environment): RequestPorts {
  const table = openDynamoDbTable({ tableName: environment.tableName, endpoint: environment.dynamoDbEndpoint });
  const vault = createVaultReader(createSecretReader(environment.vaultSecret));
  // Where the table is on this machine, an issuer may be so too.
  const loadKeySet = createKeySetLoader({ allowsLoopback: environment.dynamoDbEndpoint !== undefined });
  return cachedPorts(table, createKeysReader(environment.nonceSecret), vault, loadKeySet);
}

/** Ports over any table; for tests and benches too. */
export function cachedPorts(
  table: Table,
  nonceSecrets: KeysReader,
  vault: VaultReader,
  loadKeySet: KeySetLoader,
): RequestPorts {
  const users = createCache((key) => loadUser(table, ...namesOf(key)), {
    keepMs: KEEP_USERS_MS,
    maxEntries: MAX_CACHED,
  });
  const tenants = createCache((domain) => loadTenant(table, domain), {
    keepMs: KEEP_TENANTS_MS,
    maxEntries: MAX_CACHED,
  });
  const secrets = createCache((domain) => loadSignInSecrets(table, domain), {
    keepMs: KEEP_TENANTS_MS,
    maxEntries: MAX_CACHED,
  });
  return {
    ...{ table, nonceSecrets, vault, loadKeySet, failures: openFailureBook(table) },
    ...{ loadUser: (domain, user) => users(`${domain}#${user}`), loadTenant: tenants, loadSignInSecrets: secrets },
  };
}

/** Finds lists, at most {@link KEEP_LISTS_MS} old: most names are none, and stay none. */
export function createListFinder(table: Table): ListServerPorts['findList'] {
  const lists = createCache((key) => loadList(table, addressOfKey(key)), {
    keepMs: KEEP_LISTS_MS,
    maxEntries: MAX_CACHED,
  });
  return ({ domain, user }) => lists(`${domain}#${user}`);
}

/** Finds what accounts say of watching, at most {@link KEEP_WATCH_RULES_MS} old. */
export function createWatchRulesFinder(table: Table): NotifierPorts['findWatchRules'] {
  const rules = createCache((key) => loadWatchRules(table, addressOfKey(key)), {
    keepMs: KEEP_WATCH_RULES_MS,
    maxEntries: MAX_CACHED,
  });
  return ({ domain, user }) => rules(`${domain}#${user}`);
}

/** Tells whether a tenant is there and not about to be removed, as it was some seconds ago at most. */
export const createTenantCheck = (table: Table): TenantFinder['isServed'] =>
  createCache(async (domain) => isServed(await loadTenant(table, domain)), {
    keepMs: KEEP_SERVED_MS,
    maxEntries: MAX_CACHED,
  });

/** What the stream's function asks of tenants, as it was some seconds ago at most. */
export interface TenantFinder {
  /** Whether a tenant is there and not about to be removed. */
  readonly isServed: (domain: string) => Promise<boolean>;
  readonly webhooksOf: WebhookFeederPorts['webhooksOf'];
}

/** One GetItem a tenant in that time, and one Query for one that has had webhooks. */
export function createTenantFinder(table: Table): TenantFinder {
  const find = createCache(
    async (domain) => {
      const tenant = await loadTenant(table, domain);
      if (!isServed(tenant)) return { isServed: false, webhooks: [] };
      return { isServed: true, webhooks: tenant?.hasWebhooks ? await listWebhooks(table, domain) : [] };
    },
    { keepMs: KEEP_SERVED_MS, maxEntries: MAX_CACHED },
  );
  return {
    isServed: async (domain) => (await find(domain)).isServed,
    webhooksOf: async (domain) => (await find(domain)).webhooks,
  };
}

/** Finds the trunk of a tenant, at most {@link KEEP_TENANTS_MS} old: most have none. */
export const createTrunkLoader = ({ table, vault }: RequestPorts): CallRouterPorts['loadTrunk'] =>
  createCache((domain) => loadTrunk(table, vault, domain), { keepMs: KEEP_TENANTS_MS, maxEntries: MAX_CACHED });

function addressOfKey(key: string): Address {
  const [domain, user] = namesOf(key);
  return { domain, user };
}

function namesOf(key: string): [domain: string, user: string] {
  const separator = key.indexOf('#');
  return [key.slice(0, separator), key.slice(separator + 1)];
}
