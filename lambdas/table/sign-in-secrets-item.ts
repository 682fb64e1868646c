/** Item of a tenant's sign-in secrets: what its portals share with us, under the key of the vault. */
import * as v from 'valibot';
import { ContractError } from '#core/error.ts';
import type { Vault } from '#core/sealed-text.ts';
import { placeOf, signInSecretsKey } from './keys.ts';
import { changeWrite } from './resource-write.ts';
import type { Item, Table } from './table.ts';

/** A tenant's secrets while it changes from one to the next. */
export const MAX_SHARED_SECRETS = 5;

export interface SharedSecret {
  readonly id: string;
  readonly createdAtMs: number;
  readonly sealed: string;
}

/** At once: who has more to revoke revokes all, or a user's. */
export const MAX_REVOKED_TOKENS = 200;

export interface RevokedToken {
  readonly id: string;
  /** The token has ended by then. */
  readonly untilMs: number;
}

export interface SignInSecrets {
  readonly domain: string;
  readonly shared: readonly SharedSecret[];
  /** Tokens of ours that name an earlier one are worth nothing. */
  readonly tokenGeneration: number;
  /** Single tokens of ours that were revoked before their end. */
  readonly revoked: readonly RevokedToken[];
  /** Undefined: there is no item yet. */
  readonly version?: number | undefined;
}

const attributes = v.object({
  shared: v.optional(v.array(v.object({ id: v.string(), createdAtMs: v.number(), sealed: v.string() })), []),
  tokenGeneration: v.optional(v.number(), 0),
  revoked: v.optional(v.array(v.object({ id: v.string(), untilMs: v.number() })), []),
  version: v.optional(v.number()),
});

/** One GetItem. A tenant without any has an empty one. */
export async function loadSignInSecrets(
  table: Table,
  domain: string,
  options?: { readonly consistent: boolean },
): Promise<SignInSecrets> {
  return decodeSignInSecrets(await table.get(signInSecretsKey(domain), options), domain);
}

/** @throws {ContractError} when the item is no such one */
export function decodeSignInSecrets(item: Item | undefined, domain: string): SignInSecrets {
  const result = v.safeParse(attributes, item ?? {});
  if (!result.success) throw new ContractError(`Item ${item?.PK} ${item?.SK} is not right`);
  return { domain, ...result.output };
}

/** They as they are to be, if nobody changed them since. */
export const signInSecretsWrite = (
  { domain, shared, tokenGeneration, revoked, version: seen }: SignInSecrets,
  version: number,
) => changeWrite(signInSecretsKey(domain), { shared, tokenGeneration, revoked }, seen, version);

export const sealShared = (vault: Vault, domain: string, id: string, secret: string): string =>
  vault.seal(secret, sharedPlace(domain, id));

export const openShared = (vault: Vault, domain: string, { id, sealed }: SharedSecret): string =>
  vault.open(sealed, sharedPlace(domain, id));

const sharedPlace = (domain: string, id: string): string => `${placeOf(signInSecretsKey(domain))} ${id}`;
