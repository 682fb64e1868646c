/** User item: the account of one address-of-record. */
import * as v from 'valibot';
import type { Identity } from '#contract/schemas.ts';
import { ContractError } from '#core/error.ts';
import { profileKey } from './keys.ts';
import type { Item, Table } from './table.ts';

/** Digest secrets HA1, hex: of the user name alone, and of `user@domain`, which some endpoints send as username. */
export interface StoredCredentials {
  readonly md5: string;
  readonly sha256: string;
  readonly md5WithDomain: string;
  readonly sha256WithDomain: string;
}

export interface User {
  readonly domain: string;
  readonly user: string;
  readonly role: Identity['role'];
  readonly displayName?: string;
  readonly ha1: StoredCredentials;
}

const userAttributes = v.object({
  role: v.picklist(['user', 'publisher']),
  displayName: v.optional(v.string()),
  ha1: v.object({
    md5: v.string(),
    sha256: v.string(),
    md5WithDomain: v.string(),
    sha256WithDomain: v.string(),
  }),
});

/** One GetItem. @returns undefined when there is no such user */
export async function loadUser(table: Table, domain: string, user: string): Promise<User | undefined> {
  const item = await table.get(profileKey(domain, user));
  return item && decodeUser(item, domain, user);
}

/** @throws {ContractError} when the item is not a user's profile */
export function decodeUser(item: Item, domain: string, user: string): User {
  const result = v.safeParse(userAttributes, item);
  if (!result.success) throw new ContractError(`Item ${item.PK}: ${v.summarize(result.issues)}`);
  return { domain, user, ...result.output };
}

export function userItem({ domain, user, ...attributes }: User): Item {
  return { ...profileKey(domain, user), ...attributes };
}
