/** What an event list holds: its presentities, those of lists in it too, each once. */
import { type Address, addressOfAor, aorOfIdentity, isStorable } from '#core/identity.ts';
import { LIST_LIMITS, type ListEntry, requireBoundedList } from '#core/resource-list.ts';
import { NO_RULES, type WatchRules } from '#core/watch-policy.ts';
import { loadNames, type NamedThing } from '#table/list-item.ts';
import type { Table } from '#table/table.ts';

export interface ListMember {
  /** AOR; of what is no address of this tenant, the URI as the list has it. */
  readonly uri: string;
  readonly displayName?: string;
  /** Undefined for what is no address of this tenant. */
  readonly address?: Address;
  /** True when the tenant has such a user. */
  readonly isUser: boolean;
  /** What the user says of watching. */
  readonly rules: WatchRules;
}

/** An entry whose name has not been looked up yet. */
interface Open {
  readonly entry: ListEntry;
  readonly address: Address;
}
type Part = ListMember | Open;

/**
 * Follows lists in lists down to {@link LIST_LIMITS}.depth; one that holds itself is cut there. A name that is user and
 * list is the user. One BatchGetItem for fifty names a level.
 * @param list what the entries are of, so that it is not followed again
 * @throws {SipRejection} 413 when there is too much in it
 */
export async function expandList(
  list: Address,
  entries: readonly ListEntry[],
  table: Pick<Table, 'getBatch'>,
): Promise<ListMember[]> {
  const followed = new Set([aorOfIdentity(list)]);
  let parts = entries.map((entry) => partOf(entry, list.domain));
  for (let depth = 0; depth < LIST_LIMITS.depth; depth++) {
    requireBoundedList(parts.map(entryOf));
    const names = new Map(parts.filter(isOpen).map(({ address }) => [aorOfIdentity(address), address]));
    if (names.size === 0) break;
    const found = await loadNames(table, [...names.values()]);
    parts = parts.flatMap((part) => (isOpen(part) ? resolve(part, found, followed) : [part]));
    for (const aor of names.keys()) if (found.get(aor)?.list) followed.add(aor);
  }
  requireBoundedList(parts.map(entryOf));
  const members = parts.filter((part): part is ListMember => !isOpen(part));
  // Of one that stands twice the first: the name to show may be there alone.
  return [...Map.groupBy(members, ({ uri }) => uri).values()].flatMap(([first]) => first ?? []);
}

const isOpen = (part: Part): part is Open => 'entry' in part;
const entryOf = (part: Part): ListEntry => (isOpen(part) ? part.entry : part);

function partOf(entry: ListEntry, domain: string): Part {
  const address = addressOfAor(entry.uri);
  // Whether another tenant has such a name is nobody's business: it is as unknown as any other.
  if (address?.domain !== domain || !isStorable(address)) return { ...entry, isUser: false, rules: NO_RULES };
  return { entry, address };
}

function resolve(
  { entry, address }: Open,
  found: ReadonlyMap<string, NamedThing>,
  followed: ReadonlySet<string>,
): Part[] {
  const uri = aorOfIdentity(address);
  const thing = found.get(uri);
  if (thing?.user) {
    const { displayName, rules } = thing.user;
    return [{ uri, address, displayName: entry.displayName ?? displayName, isUser: true, rules }];
  }
  if (thing?.list === undefined && !followed.has(uri)) {
    return [{ uri, address, displayName: entry.displayName, isUser: false, rules: NO_RULES }];
  }
  return followed.has(uri) ? [] : (thing?.list ?? []).map((inner) => partOf(inner, address.domain));
}
