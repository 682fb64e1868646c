/** What a removed user leaves behind, and the mark that says that it is to go; all in partitions of the user's own. */
import * as v from 'valibot';
import { ContractError } from '#core/error.ts';
import type { Address } from '#core/identity.ts';
import {
  dueShardOf,
  historyPartition,
  mailboxPartition,
  PROFILE_SORT_KEY,
  presentityPartition,
  profileKey,
  REMOVED_SORT_KEY,
  removedUserKey,
  userOfKey,
  userPartition,
} from './keys.ts';
import { imagesOfRecord } from './stream-record.ts';
import { type Item, partitionQuery, type Table, type TransactionWrite } from './table.ts';

/** Functions know an account so long after they have read it; a request takes some seconds more. */
const FORGOTTEN_MS = 13_000;
/** What calls and gateways still had to say has been said by then. */
const OVER_MS = 45_000;
const KEEP_MARK_SECONDS = 3_600;

/** The mark stands in the index `due`, for the times when somebody may have come back. */
export function removedMark({ domain, user }: Address, nowMs: number): TransactionWrite {
  const key = removedUserKey(domain, user);
  return {
    kind: 'put',
    item: {
      ...key,
      removedAtMs: nowMs,
      dueShard: dueShardOf(key.PK),
      dueAtMs: nowMs + FORGOTTEN_MS,
      ttl: Math.floor(nowMs / 1_000) + KEEP_MARK_SECONDS,
    },
  };
}

export interface RemovedUser {
  readonly sequenceNumber: string;
  readonly address: Address;
}

/**
 * @returns undefined for a record of anything else
 * @throws {ContractError} when it cannot be read
 */
export function decodeRemovedUser(input: unknown): RemovedUser | undefined {
  const images = imagesOfRecord(input);
  if (images.sortKey !== REMOVED_SORT_KEY || images.after === undefined) return undefined;
  const address = userOfKey(images.partitionKey);
  return address && { sequenceNumber: images.sequenceNumber, address };
}

const markAttributes = v.object({ removedAtMs: v.number() });

/**
 * The time of a mark has come: one GetItem, one UpdateItem, which the stream shows; the second time the user's items, which
 * came late, and the mark itself.
 * @returns true when this was the last time
 */
export async function sweepRemovedUser(table: Table, address: Address, nowMs: number): Promise<boolean> {
  const key = removedUserKey(address.domain, address.user);
  const item = await table.get(key, { consistent: true });
  if (item === undefined) return false;
  const result = v.safeParse(markAttributes, item);
  if (!result.success) throw new ContractError(`Item ${item.PK} ${item.SK} is no mark of a removal`);
  const { removedAtMs } = result.output;
  const seen = { condition: 'removedAtMs = :seen', values: { ':seen': removedAtMs } };
  const overAtMs = removedAtMs + OVER_MS;
  if (nowMs < overAtMs) {
    const values = { ...seen.values, ':due': overAtMs };
    await table.update(key, { ...seen, update: 'SET dueAtMs = :due', values });
    return false;
  }
  await removeItemsOf(table, address);
  await table.delete(key, seen);
  return true;
}

/**
 * Removes bindings, messages, state, history and watchers of a user, unless there is such a user again. Four Queries, one
 * BatchWriteItem 25 items. Watchers that stand for members of event lists stay: they belong to who watches the list.
 * @returns how many items there were
 */
export async function removeItemsOf(table: Table, { domain, user }: Address): Promise<number> {
  if (await table.get(profileKey(domain, user), { consistent: true })) return 0;
  const partitions = [userPartition, presentityPartition, historyPartition, mailboxPartition];
  const found = await Promise.all(
    partitions.map((partitionOf) =>
      table.query(
        partitionQuery(partitionOf(domain, user), undefined, { consistent: true, projection: 'PK, SK, memberOf' }),
      ),
    ),
  );
  const going = found.flat().filter(goes);
  await table.writeBatch({ put: [], delete: going.map(({ PK, SK }) => ({ PK, SK })) });
  return going.length;
}

const goes = ({ SK, memberOf }: Item): boolean =>
  SK !== PROFILE_SORT_KEY && SK !== REMOVED_SORT_KEY && memberOf === undefined;
