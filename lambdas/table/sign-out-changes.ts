/** Records of the stream that take proofs back: of accounts, of a tenant's sign-in secrets, of the issuers that it trusts. */
import * as v from 'valibot';
import type { SignOutInstruction } from '#contract/instruction.ts';
import { ContractError } from '#core/error.ts';
import { PROFILE_SORT_KEY, SIGN_IN_SORT_KEY, TENANT_SORT_KEY, tenantOfKey, userOfKey } from './keys.ts';
import { decodeSignInSecrets } from './sign-in-secrets-item.ts';
import { imagesOfRecord, type RecordImages } from './stream-record.ts';
import type { Item } from './table.ts';
import { completeSignIn, givenSignIn } from './tenant-sign-in.ts';
import { decodeUser } from './user-item.ts';

export interface SignOutChange {
  readonly sequenceNumber: string;
  readonly orders: readonly SignOutInstruction[];
}

/**
 * @returns undefined for a record that takes nothing back; an account or a tenant that is removed ends elsewhere
 * @throws {ContractError} when it cannot be read
 */
export function decodeSignOut(input: unknown): SignOutChange | undefined {
  const images = imagesOfRecord(input);
  const { before, after, sequenceNumber } = images;
  const orders = after === undefined ? [] : ordersOf(images, before, after);
  return orders.length === 0 ? undefined : { sequenceNumber, orders };
}

function ordersOf(
  { sortKey, partitionKey }: RecordImages,
  before: Item | undefined,
  after: Item,
): SignOutInstruction[] {
  switch (sortKey) {
    case PROFILE_SORT_KEY:
      return before === undefined ? [] : ordersOfAccount(partitionKey, before, after);
    case SIGN_IN_SORT_KEY:
      return ordersOfSecrets(tenantOfKey(partitionKey), before, after);
    case TENANT_SORT_KEY:
      return before === undefined ? [] : ordersOfTenant(tenantOfKey(partitionKey), before, after);
    default:
      return [];
  }
}

/** Another password ends what the old one has opened, a sign-out everything. */
function ordersOfAccount(partitionKey: string, before: Item, after: Item): SignOutInstruction[] {
  const address = userOfKey(partitionKey);
  if (address === undefined) return [];
  const { domain, user } = address;
  const [old, now] = [decodeUser(before, domain, user), decodeUser(after, domain, user)];
  const isNewPassword = now.passwordSetAtMs !== undefined && now.passwordSetAtMs !== old.passwordSetAtMs;
  const isSignedOut = now.tokensFromMs !== undefined && now.tokensFromMs !== old.tokensFromMs;
  const order = { kind: 'signOut', domain, user } as const;
  return [
    ...(isNewPassword ? [{ ...order, way: 'password' as const, issuedBeforeMs: now.passwordSetAtMs }] : []),
    ...(isSignedOut ? TOKEN_WAYS.map((way) => ({ ...order, way, issuedBeforeMs: now.tokensFromMs })) : []),
  ];
}

const TOKEN_WAYS = ['token', 'issuer'] as const;

/** Tokens that were revoked, and secrets that are gone or are others now. */
function ordersOfSecrets(domain: string | undefined, before: Item | undefined, after: Item): SignOutInstruction[] {
  if (domain === undefined) return [];
  const [old, now] = [decodeSignInSecrets(before, domain), decodeSignInSecrets(after, domain)];
  const order = { kind: 'signOut', domain } as const;
  const known = new Set(old.revoked.map(({ id }) => id));
  const revoked = now.revoked.filter(({ id }) => !known.has(id));
  const gone = old.shared.filter(
    ({ id, createdAtMs }) => !now.shared.some((each) => each.id === id && each.createdAtMs === createdAtMs),
  );
  return [
    ...(now.tokenGeneration === old.tokenGeneration
      ? []
      : [{ ...order, way: 'token' as const, issuedBeforeMs: now.version }]),
    ...revoked.map(({ id }) => ({ ...order, way: 'token' as const, tokenId: id })),
    ...gone.map(({ id, createdAtMs }) => ({
      ...order,
      way: 'sharedSecret' as const,
      by: id,
      issuedBeforeMs: createdAtMs + 1,
    })),
  ];
}

/** Who is not trusted any more. */
function ordersOfTenant(domain: string | undefined, before: Item, after: Item): SignOutInstruction[] {
  if (domain === undefined) return [];
  const now = new Set(issuersOf(after));
  const gone = issuersOf(before).filter((issuer) => !now.has(issuer));
  return gone.map((issuer) => ({ kind: 'signOut', domain, way: 'issuer', by: issuer }));
}

const tenantAttributes = v.object({ signIn: v.optional(givenSignIn, {}) });

function issuersOf(item: Item): string[] {
  const result = v.safeParse(tenantAttributes, item);
  if (!result.success) throw new ContractError(`Item ${item.PK}: ${v.summarize(result.issues)}`);
  return completeSignIn(result.output.signIn).issuers.map(({ issuer }) => issuer);
}
