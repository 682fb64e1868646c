/**
 * Watcher items of an event list's members: each stands with its presentity, as a plain watcher does, so that the
 * fan-out finds it; all of them have the id of the list's own subscription and live as long.
 */
import { type Address, addressOfAor, aorOfIdentity } from '#core/identity.ts';
import { watcherKey } from './keys.ts';
import type { Table } from './table.ts';
import {
  type StoredList,
  type SubscriptionName,
  type SubscriptionPlace,
  type SubscriptionTimes,
  watcherItem,
} from './watcher-item.ts';

/** One subscription to a list, as its members repeat it. */
export interface ListSubscription {
  readonly name: SubscriptionName;
  readonly place: SubscriptionPlace;
  readonly times: SubscriptionTimes;
  readonly createdAtMs: number;
}

/** A member that is watched, and how (core/watch-view). */
export interface WatchedMember {
  readonly address: Address;
  readonly rendering: string;
}

/**
 * Writes the watcher items of all members and removes those of former ones: one BatchWriteItem 25 members, and one
 * UpdateItem when the members have changed. First the list's own item learns of them, so that they are found again.
 * @param stored what the list's own item says
 */
export async function putMemberWatchers(
  table: Table,
  subscription: ListSubscription,
  members: readonly WatchedMember[],
  stored: StoredList,
): Promise<void> {
  const { name, place, times, createdAtMs } = subscription;
  const aors = members.map(({ address }) => aorOfIdentity(address));
  const kept = new Set(aors);
  const former = stored.members.filter((aor) => !kept.has(aor));
  if (former.length > 0 || stored.members.length !== aors.length) await storeMembers(table, name, aors);
  // The item of the list itself, should it be among its members, is its watcher already.
  const others = members.filter(({ address }) => aorOfIdentity(address) !== aorOfIdentity(name.presentity));
  await table.writeBatch({
    put: others.map(({ address, rendering }) => ({
      ...watcherItem({ ...name, presentity: address }, { ...place, rendering }, times, createdAtMs),
      memberOf: aorOfIdentity(name.presentity),
    })),
    delete: keysOf(name, former),
  });
}

/** Removes the watcher items of all members: one BatchWriteItem 25 members. */
export async function deleteMemberWatchers(
  table: Table,
  name: Pick<SubscriptionName, 'presentity' | 'event' | 'id'>,
  stored: StoredList,
): Promise<void> {
  await table.writeBatch({ put: [], delete: keysOf(name, stored.members) });
}

async function storeMembers(table: Table, name: SubscriptionName, members: readonly string[]): Promise<void> {
  const { presentity, event, id } = name;
  await table.update(watcherKey(presentity.domain, presentity.user, event, id), {
    update: 'SET #list.members = :members',
    condition: 'attribute_exists(PK)',
    names: { '#list': 'list' },
    values: { ':members': members },
  });
}

function keysOf(
  { presentity, event, id }: Pick<SubscriptionName, 'presentity' | 'event' | 'id'>,
  aors: readonly string[],
) {
  const own = aorOfIdentity(presentity);
  return aors.flatMap((aor) => {
    const address = aor === own ? undefined : addressOfAor(aor);
    return address === undefined ? [] : [watcherKey(address.domain, address.user, event, id)];
  });
}
