/** Puts the local tenants with their users into the table. */

import { randomBytes } from 'node:crypto';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { putItems } from '#cdk/backup/table-writes.ts';
import { createVault } from '#core/sealed-text.ts';
import { localTenants, seedItems } from '#table/seed-items.ts';
import type { LocalSettings } from './settings.ts';

/** @param isNew a new table is filled in batches; in an older one only what is missing is put */
export async function seedTable(
  client: DynamoDBClient,
  TableName: string,
  {
    tenants,
    users,
    trunk,
    vaultKey,
  }: Pick<LocalSettings, 'tenants' | 'users' | 'trunk'> & { readonly vaultKey: string },
  isNew: boolean,
): Promise<void> {
  const vault = createVault(vaultKey, randomBytes);
  const items = localTenants(users, trunk)
    .slice(0, tenants)
    .flatMap((tenant) => seedItems(tenant, vault))
    .map((item) => marshall(item, { removeUndefinedValues: true }));
  await putItems(client, TableName, items, isNew);
}
