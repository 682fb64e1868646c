/** List item: the members of one event list of a tenant; and what a name in a list stands for. */
import * as v from 'valibot';
import { ContractError } from '#core/error.ts';
import { type Address, aorOfIdentity } from '#core/identity.ts';
import type { ListEntry } from '#core/resource-list.ts';
import type { WatchRules } from '#core/watch-policy.ts';
import { listedLists, listKey, listOfKey, profileKey, userOfKey } from './keys.ts';
import type { Item, Table } from './table.ts';
import { decodeWatchRules } from './watch-rules.ts';

const listAttributes = v.object({
  /** URIs, of presentities or of other lists; with a name to show if the user's own does not fit. */
  members: v.array(v.union([v.string(), v.object({ uri: v.string(), displayName: v.optional(v.string()) })])),
});

/**
 * One GetItem.
 * @returns undefined when there is no such list
 */
export async function loadList(
  table: Table,
  { domain, user }: Address,
  options?: { readonly consistent: boolean },
): Promise<ListEntry[] | undefined> {
  const item = await table.get(listKey(domain, user), options);
  return item && decodeList(item);
}

/** What one name of a tenant is: a user, a list, both, or (left out of {@link loadNames}) nothing. */
export interface NamedThing {
  readonly user?: { readonly displayName?: string; readonly rules: WatchRules };
  readonly list?: readonly ListEntry[];
}

/** Two keys a name: one BatchGetItem for fifty names. @returns by AOR */
export async function loadNames(
  table: Pick<Table, 'getBatch'>,
  names: readonly Address[],
): Promise<Map<string, NamedThing>> {
  const keys = names.flatMap(({ domain, user }) => [profileKey(domain, user), listKey(domain, user)]);
  const found = new Map<string, NamedThing>();
  for (const item of await table.getBatch(keys)) {
    const user = userOfKey(item.PK);
    const address = user ?? listOfKey(item.PK);
    if (address === undefined) continue;
    const aor = aorOfIdentity(address);
    const thing = user ? { user: decodeNamed(item) } : { list: decodeList(item) };
    found.set(aor, { ...found.get(aor), ...thing });
  }
  return found;
}

const namedAttributes = v.object({ displayName: v.optional(v.string()) });

const decodeNamed = (item: Item): NamedThing['user'] => ({
  ...v.parse(namedAttributes, item),
  rules: decodeWatchRules(item),
});

/** A list with its version; 0 before the first change by the HTTP API. One consistent GetItem. */
export async function loadStoredList(
  table: Table,
  { domain, user }: Address,
): Promise<{ readonly members: readonly ListEntry[]; readonly version: number } | undefined> {
  const item = await table.get(listKey(domain, user), { consistent: true });
  return item && { members: decodeList(item), version: typeof item.version === 'number' ? item.version : 0 };
}

export function listItem(address: Address, members: readonly (string | ListEntry)[]): Item {
  return { ...listKey(address.domain, address.user), members, ...listListing(address) };
}

/** The list stands in the list of its tenant's lists. */
export const listListing = ({ domain, user }: Address) => ({ listedAs: listedLists(domain), listedBy: user });

/** @throws {ContractError} when the item is not a list */
export function decodeList(item: Item): ListEntry[] {
  const result = v.safeParse(listAttributes, item);
  if (!result.success) throw new ContractError(`Item ${item.PK}: ${v.summarize(result.issues)}`);
  return result.output.members.map((member) => (typeof member === 'string' ? { uri: member } : member));
}
