/** What the item of a user says of watching: a part of it, without the credentials. */
import * as v from 'valibot';
import { ContractError } from '#core/error.ts';
import { type Address, aorOfIdentity } from '#core/identity.ts';
import { DEFAULT_USER_WATCH, NO_RULES, type UserWatch, type WatchRules } from '#core/watch-policy.ts';
import { profileKey, userOfKey } from './keys.ts';
import type { Item, Table } from './table.ts';
import { redactions, watchEntries } from './tenant-watch.ts';

/** What a user may be given. */
export const givenUserWatch = v.strictObject({
  allow: v.optional(watchEntries),
  block: v.optional(watchEntries),
  politeBlock: v.optional(watchEntries),
  confirm: v.optional(v.boolean()),
  redact: v.optional(redactions),
});
export type GivenUserWatch = v.InferOutput<typeof givenUserWatch>;

const MAX_GROUPS = 32;
const group = v.pipe(v.string(), v.regex(/^[\p{L}\p{N}_. -]{1,64}$/u, 'Letters, digits, space, dot, dash, underscore'));
/** Groups that a user is in. */
export const userGroups = v.pipe(v.array(group), v.maxLength(MAX_GROUPS));

const ruleAttributes = v.object({
  role: v.optional(v.string()),
  groups: v.optional(userGroups, []),
  watch: v.optional(givenUserWatch),
});

export function completeUserWatch({ allow, block, politeBlock, confirm, redact }: GivenUserWatch): UserWatch {
  return {
    allow: allow ?? DEFAULT_USER_WATCH.allow,
    block: block ?? DEFAULT_USER_WATCH.block,
    politeBlock: politeBlock ?? DEFAULT_USER_WATCH.politeBlock,
    confirm: confirm ?? DEFAULT_USER_WATCH.confirm,
    redact: redact ?? DEFAULT_USER_WATCH.redact,
  };
}

/** @throws {ContractError} when the item is not a user's profile */
export function decodeWatchRules(item: Item): WatchRules {
  const result = v.safeParse(ruleAttributes, item);
  if (!result.success) throw new ContractError(`Item ${item.PK}: ${v.summarize(result.issues)}`);
  const { role, groups, watch } = result.output;
  return { groups, watch: completeUserWatch(watch ?? {}), isPublisher: role === 'publisher' };
}

/** True when a user says anything of who may watch, so that accounts must be read to decide. */
export const saysOfWatching = ({ watch }: WatchRules): boolean =>
  watch.confirm ||
  [watch.allow, watch.block, watch.politeBlock].some((entries) => entries.length > 0) ||
  Object.keys(watch.redact).length > 0;

/** One GetItem. A name without an account has no rules. */
export async function loadWatchRules(
  table: Table,
  { domain, user }: Address,
  options?: { readonly consistent: boolean },
): Promise<WatchRules> {
  const item = await table.get(profileKey(domain, user), options);
  return item ? decodeWatchRules(item) : NO_RULES;
}

/** One consistent BatchGetItem a hundred names. @returns by AOR; names without an account are left out */
export async function loadManyWatchRules(
  table: Table,
  addresses: readonly Address[],
): Promise<Map<string, WatchRules>> {
  const keys = new Map(addresses.map((address) => [aorOfIdentity(address), profileKey(address.domain, address.user)]));
  const items = keys.size === 0 ? [] : await table.getBatch([...keys.values()], { consistent: true });
  return new Map(
    items.flatMap((item): [string, WatchRules][] => {
      const address = userOfKey(item.PK);
      return address === undefined ? [] : [[aorOfIdentity(address), decodeWatchRules(item)]];
    }),
  );
}
