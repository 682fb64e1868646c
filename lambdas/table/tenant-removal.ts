/** Removal of all that stands in the table of a tenant, a bounded part at a time; safe to break off and to repeat. */
import { addressOfAor } from '#core/identity.ts';
import { dueShardOf, type Key, tenantKey, WATCHER_PREFIX, watcherKey } from './keys.ts';
import { type Item, partitionQuery, type Table, type TransactionWrite } from './table.ts';
import { readSection, type Section, sectionsOf } from './tenant-inventory.ts';
import type { Removal } from './tenant-item.ts';

const PAGE = 100;

/** From now on the tenant is being removed, unless it is already. */
export function removalMark(domain: string, nowMs: number): TransactionWrite {
  const key = tenantKey(domain);
  return {
    kind: 'update',
    key,
    update: 'SET removedSinceMs = :now, dueShard = :shard, dueAtMs = :now',
    condition: 'attribute_exists(PK) AND attribute_not_exists(removedSinceMs)',
    values: { ':now': nowMs, ':shard': dueShardOf(key.PK) },
  };
}

/** @returns undefined for a tenant that stays */
export function removalOf({ removedSinceMs, removedItems }: Item): Removal | undefined {
  if (typeof removedSinceMs !== 'number') return undefined;
  return { sinceMs: removedSinceMs, items: typeof removedItems === 'number' ? removedItems : 0 };
}

/** One consistent GetItem. @returns undefined when the tenant is gone, or stays */
export async function loadRemoval(table: Table, domain: string): Promise<Removal | undefined> {
  const item = await table.get(tenantKey(domain), { consistent: true });
  return item && removalOf(item);
}

/** One UpdateItem, which the stream shows: the gateways hear of it once more. */
export async function postponeRemoval(table: Table, domain: string, untilMs: number, removed: number): Promise<void> {
  await table.update(tenantKey(domain), {
    update: 'SET dueAtMs = :due ADD removedItems :removed',
    condition: 'attribute_exists(removedSinceMs)',
    values: { ':due': untilMs, ':removed': removed },
  });
}

/**
 * Removes some items of a tenant, its own item not.
 * @param enough how many, about
 * @returns how many were removed; 0: there was nothing left
 */
export async function removeSome(table: Table, domain: string, enough: number): Promise<number> {
  let removed = 0;
  for (const section of sectionsOf(domain)) {
    removed += await removeOf(table, section, domain, enough - removed);
    if (removed >= enough) return removed;
  }
  return removed;
}

async function removeOf(table: Table, section: Section, domain: string, enough: number): Promise<number> {
  let removed = 0;
  for (let after: string | undefined; removed < enough; ) {
    const { things, place } = await readSection(table, section, PAGE, after);
    for (const thing of things) {
      // What goes with a thing first: while that stands, it leads there.
      for (const partition of section.partitionsOf(thing)) removed += await removePartition(table, partition);
      if (removed >= enough) return removed;
    }
    const own = things.map(({ PK, SK }) => ({ PK, SK })).filter((key) => !isTenantItem(key, domain));
    removed += await removeStanding(table, own);
    after = place;
    if (place === undefined) break;
  }
  return removed;
}

const isTenantItem = ({ PK, SK }: Key, domain: string): boolean => {
  const own = tenantKey(domain);
  return PK === own.PK && SK === own.SK;
};

/** One Query, one BatchWriteItem 25 items. */
async function removePartition(table: Table, partition: string): Promise<number> {
  const items = await table.query(
    partitionQuery(partition, undefined, {
      ...{ consistent: true, projection: 'PK, SK, listedAs, #list' },
      names: { '#list': 'list' },
    }),
  );
  await table.writeBatch({ put: [], delete: items.flatMap(memberKeys) });
  // What is listed leads to the others of its partition.
  const [leading, others] = [items.filter(isListed), items.filter((item) => !isListed(item))];
  await table.writeBatch({ put: [], delete: others.map(({ PK, SK }) => ({ PK, SK })) });
  await table.writeBatch({ put: [], delete: leading.map(({ PK, SK }) => ({ PK, SK })) });
  return items.length;
}

const isListed = ({ listedAs }: Item): boolean => listedAs !== undefined;

/** Of a subscription to an event list: the watcher items of its members, which may be anybody's. */
function memberKeys({ SK, list }: Item): Key[] {
  const members = typeof list === 'object' && list !== null && 'members' in list ? list.members : undefined;
  if (!SK.startsWith(WATCHER_PREFIX) || !Array.isArray(members)) return [];
  const separator = SK.indexOf('#', WATCHER_PREFIX.length);
  const [event, id] = [SK.slice(WATCHER_PREFIX.length, separator), SK.slice(separator + 1)];
  const keys = members.flatMap((aor) => {
    const address = typeof aor === 'string' ? addressOfAor(aor) : undefined;
    return address ? [watcherKey(address.domain, address.user, event, id)] : [];
  });
  return [...new Map(keys.map((key) => [`${key.PK} ${key.SK}`, key])).values()];
}

/** An index shows for a while what is gone: that does not count. One BatchGetItem, one BatchWriteItem 25 items. */
async function removeStanding(table: Table, keys: readonly Key[]): Promise<number> {
  const standing = await table.getBatch(keys, { consistent: true });
  await table.writeBatch({ put: [], delete: standing.map(({ PK, SK }) => ({ PK, SK })) });
  return standing.length;
}

/** One DeleteItem: the tenant is gone, and its name free. */
export async function endRemoval(table: Table, domain: string, { sinceMs }: Removal): Promise<void> {
  await table.delete(tenantKey(domain), {
    condition: 'attribute_not_exists(PK) OR removedSinceMs = :since',
    values: { ':since': sinceMs },
  });
}
