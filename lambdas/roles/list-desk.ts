/** List desk: the event lists of a tenant (RFC 4662), as the HTTP API keeps them. */
import type { Address } from '#core/identity.ts';
import { etagOf } from '#core/precondition.ts';
import { Problem } from '#core/problem.ts';
import { isBoundedList, LIST_LIMITS, type ListEntry } from '#core/resource-list.ts';
import { isSipUri } from '#core/sip/uri.ts';
import { listedLists, listKey, listOfKey } from '#table/keys.ts';
import { decodeList, listListing, loadStoredList } from '#table/list-item.ts';
import { listItems } from '#table/listing.ts';
import { changeWrite, removalWrite } from '#table/resource-write.ts';
import type { Table } from '#table/table.ts';
import { countWrite } from '#table/tenant-counts.ts';
import { type Change, type Changed, type ChangePorts, changeResource, type Standing } from './change.ts';
import { requireRoom } from './quota-room.ts';

export interface ShownList {
  readonly name: string;
  readonly members: readonly ListEntry[];
}

export async function showLists(
  table: Table,
  domain: string,
  page: { readonly limit: number; readonly after?: string | undefined },
): Promise<{ readonly lists: readonly ShownList[]; readonly place?: string | undefined }> {
  const { items, place } = await listItems(table, listedLists(domain), page);
  const lists = items.map((item) => ({ name: listOfKey(item.PK)?.user ?? '', members: decodeList(item) }));
  return { lists, place };
}

/** @throws {Problem} 404 */
export async function showOneList(table: Table, address: Address) {
  const { shown, version } = await requireList(table, address);
  return { shown, etag: etagOf(version) };
}

async function findList(table: Table, address: Address): Promise<Standing<ShownList> | undefined> {
  const stored = await loadStoredList(table, address);
  return stored && { version: stored.version, shown: { name: address.user, members: stored.members } };
}

async function requireList(table: Table, address: Address): Promise<Standing<ShownList>> {
  const found = await findList(table, address);
  if (found === undefined) throw new Problem(404, `There is no list ${address.user} at ${address.domain}.`);
  return found;
}

/**
 * Creates a list, or replaces its members.
 * @param quota how many lists the tenant may have
 * @throws {Problem} 400 for a member that is no SIP URI, or stands twice, 409 beyond the quota
 */
export function putList(
  ports: ChangePorts,
  change: Change,
  address: Address,
  members: readonly ListEntry[],
  quota: number,
): Promise<Changed<ShownList>> {
  requireMembers(members);
  const { domain, user } = address;
  return changeResource<ShownList, Standing<ShownList>>(
    ports,
    change,
    [domain],
    () => findList(ports.table, address),
    async (standing) => {
      if (standing === undefined) await requireRoom(ports.table, domain, 'lists', quota);
      return {
        shown: { name: user, members },
        writes: (version) => [
          changeWrite(listKey(domain, user), { members, ...listListing(address) }, standing?.version, version),
          ...(standing === undefined ? [countWrite(domain, 'lists', user, 1)] : []),
        ],
      };
    },
  );
}

/** @throws {Problem} 400 */
function requireMembers(members: readonly ListEntry[]): void {
  const first = new Map<string, number>();
  const errors = members.flatMap(({ uri }, index) => {
    const pointer = `#/members/${index}/uri`;
    if (!isSipUri(uri)) return [{ pointer, detail: 'is no SIP URI' }];
    if (first.has(uri)) return [{ pointer, detail: `stands there already, as number ${first.get(uri)}` }];
    first.set(uri, index);
    return [];
  });
  if (errors.length > 0) throw new Problem(400, 'The members are not as they should be.', {}, errors);
  if (!isBoundedList(members)) {
    throw new Problem(400, `The names have more than ${LIST_LIMITS.nameBytes} bytes together.`);
  }
}

/** @throws {Problem} 404 */
export async function removeList(ports: ChangePorts, change: Change, address: Address): Promise<void> {
  const { domain, user } = address;
  await changeResource<ShownList, Standing<ShownList>>(
    ports,
    change,
    [domain],
    () => requireList(ports.table, address),
    (standing) => ({
      shown: undefined,
      writes: () => [
        removalWrite(listKey(domain, user), standing?.version ?? 0),
        countWrite(domain, 'lists', user, -1),
      ],
    }),
  );
}
