/** Subscriptions as operators look at them: of one presentity, or of a tenant. */
import {
  type FlowId,
  flowIdOf,
  type GatewayId,
  gatewayIdOf,
  type SubscriptionId,
  subscriptionIdOf,
} from '#contract/ids.ts';
import { ContractError } from '#core/error.ts';
import type { Address } from '#core/identity.ts';
import { listedSubscriptions, presentityOfKey, presentityPartition, WATCHER_PREFIX, watcherPrefix } from './keys.ts';
import { type ListWish, listItems } from './listing.ts';
import type { Item, Table } from './table.ts';
import { decodeWatcher } from './watcher-item.ts';

/** A subscription as it is stored. */
export interface StoredSubscription {
  readonly id: SubscriptionId;
  readonly presentity: Address;
  readonly event: string;
  /** AOR of who watches. */
  readonly watcher: string;
  readonly gatewayId: GatewayId;
  readonly flowId: FlowId;
  readonly callId: string;
  readonly contentType: string;
  /** Encoded rendering profile. */
  readonly rendering: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  /** AORs of its members, if it is one to an event list. */
  readonly members?: readonly string[];
  /** AOR of the event list through which the presentity is watched. */
  readonly memberOf?: string;
}

export interface SubscriptionPage {
  readonly items: readonly StoredSubscription[];
  /** Of the last one; undefined when that was all. */
  readonly place?: string | undefined;
}

/** One Query of the index, one BatchGetItem a hundred: subscriptions of a tenant by presentity, members of lists not apart. */
export async function listSubscriptions(table: Table, domain: string, wish: ListWish): Promise<SubscriptionPage> {
  const { items, place } = await listItems(table, listedSubscriptions(domain), wish);
  return { items: items.map(decodeSubscription), place };
}

/** One consistent Query: subscriptions to a presentity, of all event packages; by event and id. */
export async function listWatchers(
  table: Table,
  { domain, user }: Address,
  { limit, after = WATCHER_PREFIX }: ListWish,
): Promise<SubscriptionPage> {
  const items = await table.query({
    // Watchers are the last in their partition.
    keyCondition: 'PK = :pk AND SK > :after',
    values: { ':pk': presentityPartition(domain, user), ':after': after },
    consistent: true,
    limit: limit + 1,
  });
  const watchers = items.filter(({ SK }) => SK.startsWith(WATCHER_PREFIX));
  const shown = watchers.slice(0, limit);
  return { items: shown.map(decodeSubscription), place: watchers.length > limit ? shown.at(-1)?.SK : undefined };
}

/** @throws {ContractError} when the item is not a subscription */
export function decodeSubscription(item: Item): StoredSubscription {
  const presentity = presentityOfKey(item.PK);
  if (presentity === undefined) throw new ContractError(`Item ${item.PK} ${item.SK} is no subscription`);
  const { gatewayId, flowId, list, memberOf, event, ...stored } = decodeWatcher(item);
  const { watcher, callId, contentType, createdAtMs, expiresAtMs } = stored;
  return {
    ...{ id: subscriptionIdOf(item.SK.slice(watcherPrefix(event).length)), presentity, event, watcher, callId },
    ...{ gatewayId: gatewayIdOf(gatewayId), flowId: flowIdOf(flowId), contentType, createdAtMs, expiresAtMs },
    rendering: typeof item.rendering === 'string' ? item.rendering : '',
    ...(list && { members: list.members }),
    ...(memberOf !== undefined && { memberOf }),
  };
}
