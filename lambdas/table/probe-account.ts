/** The account that a probe of ours signs in with, in a tenant of its own. Writes only, so its role needs no more. */
import type { Vault } from '#core/sealed-text.ts';
import { storedCredentials } from './seed-items.ts';
import type { Table } from './table.ts';
import { countItem } from './tenant-counts.ts';
import { tenantItem } from './tenant-item.ts';
import { sealHa1, userItem } from './user-item.ts';

/** Puts tenant and counters where they are missing, and the account with this password: three PutItem. */
export async function putMissingAccount(
  table: Table,
  vault: Vault,
  { domain, user, password }: { readonly domain: string; readonly user: string; readonly password: string },
): Promise<void> {
  const isMissing = { condition: 'attribute_not_exists(PK)' };
  const sealedHa1 = sealHa1(vault, { domain, user }, storedCredentials(user, domain, password));
  await Promise.all([
    table.put(tenantItem(domain, {}), isMissing),
    table.put(countItem(domain, { users: 1, lists: 0 }), isMissing),
    table.put(userItem({ domain, user, role: 'user', displayName: 'Canary', sealedHa1 })),
  ]);
}
