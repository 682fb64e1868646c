/** Key item: one API key, of an operator or of a tenant. Its secret stands as a hash only. */
import * as v from 'valibot';
import { KEY_PERMISSIONS, type KeyFacts, type KeyPermission } from '#core/api-key.ts';
import { ContractError } from '#core/error.ts';
import { apiKeyKey, listedKeys } from './keys.ts';
import type { Item, Table } from './table.ts';

export interface ApiKey extends KeyFacts {
  readonly id: string;
  /** Undefined: an operator's. */
  readonly tenant?: string | undefined;
  readonly permission: KeyPermission;
  readonly name: string;
  readonly createdAtMs: number;
  /** Not exact: written at most once a minute. */
  readonly lastUsedAtMs?: number | undefined;
  readonly version: number;
}

const LAST_USED_EVERY_MS = 60_000;

const maybeTime = v.optional(v.number());
const keyAttributes = v.object({
  id: v.string(),
  tenant: v.optional(v.string()),
  permission: v.picklist(KEY_PERMISSIONS),
  name: v.string(),
  hash: v.string(),
  previousHash: v.optional(v.string()),
  createdAtMs: v.number(),
  ...{ previousUntilMs: maybeTime, expiresAtMs: maybeTime, lastUsedAtMs: maybeTime },
  version: v.number(),
});

/** One consistent GetItem: a key that was revoked a moment ago is no longer good. */
export async function loadApiKey(table: Table, id: string): Promise<ApiKey | undefined> {
  const item = await table.get(apiKeyKey(id), { consistent: true });
  return item && decodeApiKey(item);
}

/** @throws {ContractError} when the item is not a key */
export function decodeApiKey(item: Item): ApiKey {
  const result = v.safeParse(keyAttributes, item);
  // Without the values: one of them is a hash.
  if (!result.success) throw new ContractError(`Item ${item.PK} is no API key`);
  return result.output;
}

export function apiKeyItem(key: ApiKey): Item {
  return { ...apiKeyKey(key.id), ...key, listedAs: listedKeys(key.tenant), listedBy: key.id };
}

/** One UpdateItem, unless the minute already has one. */
export async function noteUse(table: Table, { id, lastUsedAtMs }: ApiKey, nowMs: number): Promise<void> {
  if (lastUsedAtMs !== undefined && nowMs < lastUsedAtMs + LAST_USED_EVERY_MS) return;
  await table.update(apiKeyKey(id), {
    update: 'SET lastUsedAtMs = :now',
    condition: 'attribute_exists(PK) AND (attribute_not_exists(lastUsedAtMs) OR lastUsedAtMs <= :before)',
    values: { ':now': nowMs, ':before': nowMs - LAST_USED_EVERY_MS },
  });
}
