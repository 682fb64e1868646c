/** User item: the account of one address-of-record. */
import * as v from 'valibot';
import type { Identity } from '#contract/schemas.ts';
import { ContractError } from '#core/error.ts';
import { SealBroken, type Vault } from '#core/sealed-text.ts';
import { listedUser, listedUsers, placeOf, profileKey } from './keys.ts';
import type { Item, Table } from './table.ts';
import { type GivenUserWatch, givenUserWatch, userGroups } from './watch-rules.ts';

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
  /** {@link StoredCredentials} under the key of the vault. */
  readonly sealedHa1: string;
  /** Undefined: at the beginning, and never since. */
  readonly passwordSetAtMs?: number | undefined;
  /** Tokens that were issued before are worth nothing. */
  readonly tokensFromMs?: number | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly watch?: GivenUserWatch | undefined;
  /** Of the last change by the HTTP API; 0 before the first. */
  readonly version?: number | undefined;
}

const userAttributes = v.object({
  role: v.picklist(['user', 'publisher']),
  displayName: v.optional(v.string()),
  sealedHa1: v.string(),
  passwordSetAtMs: v.optional(v.number()),
  tokensFromMs: v.optional(v.number()),
  groups: v.optional(userGroups),
  watch: v.optional(givenUserWatch),
  version: v.optional(v.number()),
});

const storedCredentials = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({ md5: v.string(), sha256: v.string(), md5WithDomain: v.string(), sha256WithDomain: v.string() }),
);

/** One GetItem. @returns undefined when there is no such user */
export async function loadUser(
  table: Table,
  domain: string,
  user: string,
  options?: { readonly consistent: boolean },
): Promise<User | undefined> {
  const item = await table.get(profileKey(domain, user), options);
  return item && decodeUser(item, domain, user);
}

/** @throws {ContractError} when the item is not a user's profile */
export function decodeUser(item: Item, domain: string, user: string): User {
  const result = v.safeParse(userAttributes, item);
  if (!result.success) throw new ContractError(`Item ${item.PK}: ${v.summarize(result.issues)}`);
  return { domain, user, ...result.output };
}

/** The user stands in the list of its tenant's users. */
export function userItem({ domain, user, ...attributes }: User): Item {
  return { ...profileKey(domain, user), ...attributes, ...userListing({ domain, user, role: attributes.role }) };
}

export const userListing = ({ domain, user, role }: Pick<User, 'domain' | 'user' | 'role'>) => ({
  listedAs: listedUsers(domain),
  listedBy: listedUser(role, user),
});

/** The credentials of a user as its item holds them. */
export function sealHa1(vault: Vault, { domain, user }: Pick<User, 'domain' | 'user'>, ha1: StoredCredentials): string {
  return vault.seal(JSON.stringify(ha1), placeOf(profileKey(domain, user)));
}

const decoys = new WeakMap<Vault, Omit<User, 'role'>>();

/** Nobody's account: opening it takes as long as a user's, and no password fits. */
export function decoyUser(vault: Vault): Omit<User, 'role'> {
  const known = decoys.get(vault);
  if (known) return known;
  const nobody = { domain: 'invalid', user: 'nobody' };
  const none = { md5: '0'.repeat(32), sha256: '0'.repeat(64) };
  const ha1 = { ...none, md5WithDomain: none.md5, sha256WithDomain: none.sha256 };
  const decoy = { ...nobody, sealedHa1: sealHa1(vault, nobody, ha1) };
  decoys.set(vault, decoy);
  return decoy;
}

/** @throws {SealBroken} when they are not what was sealed for this user */
export function openHa1(vault: Vault, { domain, user, sealedHa1 }: Omit<User, 'role'>): StoredCredentials {
  return v.parse(storedCredentials, vault.open(sealedHa1, placeOf(profileKey(domain, user))));
}

/**
 * One UpdateItem, when the vault's key has changed since: under the new one from now on, unless they were changed meanwhile.
 * What cannot be opened any more stays as it is.
 */
export async function resealHa1(table: Table, vault: Vault, user: User): Promise<void> {
  if (!vault.isOutdated(user.sealedHa1)) return;
  try {
    const sealed = sealHa1(vault, user, openHa1(vault, user));
    await table.update(profileKey(user.domain, user.user), {
      update: 'SET sealedHa1 = :new',
      condition: 'sealedHa1 = :old',
      values: { ':new': sealed, ':old': user.sealedHa1 },
    });
  } catch (error) {
    if (!(error instanceof SealBroken)) throw error;
  }
}
