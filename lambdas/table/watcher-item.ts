/** Watcher item: one subscription to one presentity in one event package. */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { type FlowId, type GatewayId, gatewayIdOf, type SubscriptionId, subscriptionIdOf } from '#contract/ids.ts';
import { ContractError } from '#core/error.ts';
import type { Address } from '#core/identity.ts';
import type { ListEntry } from '#core/resource-list.ts';
import { accessOf } from '#core/watch-view.ts';
import type { Watcher } from '#core/winfo.ts';
import {
  listedOfUser,
  listedSubscriptions,
  presentityPartition,
  WATCHER_PREFIX,
  watcherKey,
  watcherPrefix,
} from './keys.ts';
import { type Condition, type Item, partitionQuery, type Table } from './table.ts';

/** What names a subscription, and stays the same as long as it lives (RFC 6665 section 4.4.1). */
export interface SubscriptionName {
  readonly presentity: Address;
  readonly event: string;
  /** `id` of the Event header field. */
  readonly eventId?: string;
  /** Our To tag. */
  readonly id: SubscriptionId;
  readonly callId: string;
  readonly fromTag: string;
  /** AOR of the identity that subscribed; nobody else may refresh or end it. */
  readonly watcher: string;
}

/** Where its NOTIFYs go. */
export interface SubscriptionPlace {
  readonly gatewayId: GatewayId;
  readonly flowId: FlowId;
  /** What the watcher accepts (core/accept). */
  readonly contentType: string;
  /** Rendering profile and access (core/watch-view). */
  readonly rendering: string;
}

export interface SubscriptionTimes {
  /** Of the SUBSCRIBE that is stored. */
  readonly cseq: number;
  readonly expiresAtMs: number;
}

/** What the watcher item of a subscription to an event list keeps beside it. */
export interface StoredList {
  /** AORs that hold a watcher item for the list ({@link putMemberWatchers}). */
  readonly members: readonly string[];
  /** The list that the SUBSCRIBE itself brought (RFC 5367); absent for one that the tenant keeps. */
  readonly entries?: readonly ListEntry[];
}

/** `unknown`: no such subscription of this watcher. `outOfOrder`: a later SUBSCRIBE has been here. */
export type WatcherResult =
  | {
      readonly kind: 'done';
      readonly createdAtMs: number;
      /** The gateway that held it until then; undefined of a new one. */
      readonly heldBy?: string;
      readonly list?: StoredList;
    }
  | { readonly kind: 'unknown' | 'outOfOrder' };

/** TTL stands behind the expiry, which readers check themselves. */
const KEEP_EXPIRED_SECONDS = 600;

const storedList = v.object({
  members: v.array(v.string()),
  entries: v.optional(v.array(v.object({ uri: v.string(), displayName: v.optional(v.string()) }))),
});
const watcherAttributes = v.object({
  event: v.string(),
  eventId: v.optional(v.string()),
  gatewayId: v.string(),
  /** The gateway before the last SUBSCRIBE, mostly the same. */
  previousGatewayId: v.optional(v.string()),
  flowId: v.string(),
  callId: v.string(),
  fromTag: v.string(),
  watcher: v.string(),
  contentType: v.string(),
  cseq: v.number(),
  createdAtMs: v.number(),
  expiresAtMs: v.number(),
  list: v.optional(storedList),
  /** It was decided that it ends (watcher-access). */
  ending: v.optional(v.string()),
  /** AOR of the event list, in an item that stands for one of its members. */
  memberOf: v.optional(v.string()),
});

const listOfWatcher = v.object({ list: v.optional(storedList) });

/**
 * One PutItem. Unconditional: the id is random and new, so a repeated attempt meets only itself. It stands in the list of the
 * tenant's subscriptions; the items of a list's members do not, the list's own names them.
 */
export async function putWatcher(
  table: Table,
  name: SubscriptionName,
  place: SubscriptionPlace,
  times: SubscriptionTimes,
  nowMs: number,
  list?: StoredList,
): Promise<void> {
  const { domain, user } = name.presentity;
  const listing = { listedAs: listedSubscriptions(domain), listedBy: listedOfUser(user, `${name.event}#${name.id}`) };
  await table.put({ ...watcherItem(name, place, times, nowMs), ...listing, list });
}

/** The item of one subscription. */
export function watcherItem(
  name: SubscriptionName,
  place: SubscriptionPlace,
  times: SubscriptionTimes,
  createdAtMs: number,
): Item {
  const { presentity, event, eventId, id, callId, fromTag, watcher } = name;
  return {
    ...keyOf(name),
    ...{ id, event, eventId, callId, fromTag, watcher, ...place, ...times },
    createdAtMs,
    presentity: `${presentity.user}@${presentity.domain}`,
    ttl: ttlOf(times.expiresAtMs),
  };
}

/** One UpdateItem: a later SUBSCRIBE of the same dialog, from the same or another flow or gateway. */
export async function refreshWatcher(
  table: Table,
  name: SubscriptionName,
  place: SubscriptionPlace,
  { cseq, expiresAtMs }: SubscriptionTimes,
  nowMs: number,
): Promise<WatcherResult> {
  const own = ownLater(name, cseq, nowMs);
  const result = await table.update(keyOf(name), {
    ...own,
    update:
      'SET cseq = :cseq, expiresAtMs = :expires, #ttl = :ttl, previousGatewayId = gatewayId, gatewayId = :gateway, flowId = :flow, contentType = :type, rendering = :rendering',
    names: { '#ttl': 'ttl' },
    values: {
      ...own.values,
      ...{
        ':expires': expiresAtMs,
        ':ttl': ttlOf(expiresAtMs),
        ':gateway': place.gatewayId,
        ':flow': place.flowId,
        ':type': place.contentType,
        ':rendering': place.rendering,
      },
    },
    returning: 'ALL_NEW',
  });
  if (result.kind === 'done') return doneOf(result.item, nowMs, 'previousGatewayId');
  return repeatedOrRefused(
    result.item,
    name,
    (stored) => {
      return stored.cseq === cseq && stored.expiresAtMs === expiresAtMs && stored.flowId === place.flowId;
    },
    nowMs,
  );
}

/** One DeleteItem: the watcher unsubscribes. */
export async function endWatcher(
  table: Table,
  name: SubscriptionName,
  cseq: number,
  nowMs: number,
): Promise<WatcherResult> {
  const result = await table.delete(keyOf(name), { ...ownLater(name, cseq, nowMs), returning: 'ALL_OLD' });
  return result.kind === 'done'
    ? doneOf(result.item, nowMs, 'gatewayId')
    : repeatedOrRefused(result.item, name, () => false, nowMs);
}

/** A watcher as the fan-out needs it. */
export interface HeldSubscription {
  readonly id: SubscriptionId;
  readonly gatewayId: GatewayId;
  readonly contentType: string;
  readonly rendering: string;
  /** Of its last SUBSCRIBE. */
  readonly cseq?: number;
}

const heldAttributes = v.object({
  SK: v.string(),
  gatewayId: v.string(),
  contentType: v.string(),
  rendering: v.optional(v.string(), ''),
  cseq: v.optional(v.number()),
  expiresAtMs: v.number(),
});

/** One Query for any number of event packages: their unexpired subscriptions to the presentity, by event package. */
export async function queryWatchersByEvent(
  table: Table,
  presentity: Address,
  events: readonly string[],
  nowMs: number,
): Promise<ReadonlyMap<string, readonly HeldSubscription[]>> {
  const [event, ...others] = events;
  if (event === undefined) return new Map();
  const items = await queryHeld(table, presentity, others.length === 0 ? watcherPrefix(event) : WATCHER_PREFIX);
  return new Map(events.map((each) => [each, heldAmong(items, each, nowMs)]));
}

function queryHeld(table: Table, { domain, user }: Address, prefix: string): Promise<Item[]> {
  const query = partitionQuery(presentityPartition(domain, user), prefix, {
    // Consistent: a watcher that subscribed just before the change was told the state before it.
    consistent: true,
    projection: 'SK, gatewayId, contentType, rendering, cseq, expiresAtMs',
  });
  return table.query(query);
}

function heldAmong(items: readonly Item[], event: string, nowMs: number): HeldSubscription[] {
  const prefix = watcherPrefix(event);
  return items.flatMap((item): HeldSubscription[] => {
    if (!item.SK.startsWith(prefix)) return [];
    const { SK, gatewayId, contentType, rendering, cseq, expiresAtMs } = v.parse(heldAttributes, item);
    if (expiresAtMs <= nowMs) return [];
    const id = subscriptionIdOf(SK.slice(prefix.length));
    return [{ id, gatewayId: gatewayIdOf(gatewayId), contentType, rendering, ...(cseq !== undefined && { cseq }) }];
  });
}

/** Watchers that one document tells of; more are not told. */
const MAX_WATCHERS_TOLD = 1_000;
const toldAttributes = v.object({
  watcher: v.string(),
  rendering: v.optional(v.string(), ''),
  createdAtMs: v.number(),
  expiresAtMs: v.number(),
});

/** One Query: who watches the presentity in this event package. */
export async function loadWatchers(
  table: Table,
  { domain, user }: Address,
  event: string,
  nowMs: number,
): Promise<Watcher[]> {
  const query = partitionQuery(presentityPartition(domain, user), watcherPrefix(event), {
    consistent: true,
    projection: 'SK, watcher, rendering, createdAtMs, expiresAtMs',
    limit: MAX_WATCHERS_TOLD,
  });
  return (await table.query(query)).flatMap((item): Watcher[] => {
    const { watcher, rendering, createdAtMs, expiresAtMs } = v.parse(toldAttributes, item);
    const access = accessOf(rendering);
    // A list may hold somebody who may not be watched: that one has no watcher there.
    if (expiresAtMs <= nowMs || access === 'blocked') return [];
    // The To tag itself would let others send requests in the dialog.
    const id = createHash('sha256').update(item.SK).digest('base64url').slice(0, 16);
    return [{ id, uri: watcher, createdAtMs, expiresAtMs, isPending: access === 'pending' }];
  });
}

/**
 * One DeleteItem: removes a watcher that this gateway no longer holds. One that another has taken over stays, and so
 * does one that was refreshed since the SUBSCRIBE with `cseq`.
 * @returns undefined when it stays; otherwise with the list, if it was one, whose members' items are to go as well
 */
export async function deleteHeldWatcher(
  table: Table,
  { domain, user }: Address,
  event: string,
  { id, gatewayId, cseq }: Pick<HeldSubscription, 'id' | 'gatewayId' | 'cseq'>,
): Promise<{ readonly list?: StoredList } | undefined> {
  const isSeen = cseq === undefined ? '' : ' AND cseq <= :seen';
  const result = await table.delete(watcherKey(domain, user, event, id), {
    condition: `gatewayId = :gateway${isSeen}`,
    values: { ':gateway': gatewayId, ...(cseq !== undefined && { ':seen': cseq }) },
    returning: 'ALL_OLD',
  });
  return result.kind === 'done' ? v.parse(listOfWatcher, result.item ?? {}) : undefined;
}

/** Holds for an unexpired subscription of this very dialog and watcher whose last SUBSCRIBE was an earlier one. */
function ownLater(name: SubscriptionName, cseq: number, nowMs: number): Condition {
  const { callId, fromTag, watcher, eventId } = name;
  const values = { ':call': callId, ':from': fromTag, ':watcher': watcher, ':cseq': cseq, ':now': nowMs };
  const same =
    'callId = :call AND fromTag = :from AND watcher = :watcher AND expiresAtMs > :now AND cseq < :cseq AND attribute_not_exists(ending)';
  return {
    // A list's member is no subscription of its own.
    condition: `attribute_not_exists(memberOf) AND ${same} AND ${eventId === undefined ? 'attribute_not_exists(eventId)' : 'eventId = :eventId'}`,
    values: eventId === undefined ? values : { ...values, ':eventId': eventId },
  };
}

// The table always gives the item that was asked for; the clock only stands in for the type's sake.
function doneOf(item: Item | undefined, nowMs: number, holder: 'gatewayId' | 'previousGatewayId'): WatcherResult {
  if (item === undefined) return { kind: 'done', createdAtMs: nowMs };
  const { createdAtMs, list, [holder]: heldBy } = decodeWatcher(item);
  return { kind: 'done', createdAtMs, heldBy, list };
}

export type StoredWatcher = v.InferOutput<typeof watcherAttributes>;

function repeatedOrRefused(
  item: Item | undefined,
  name: SubscriptionName,
  isRepeated: (stored: StoredWatcher) => boolean,
  nowMs: number,
): WatcherResult {
  const stored = item && decodeWatcher(item);
  const isOwn =
    stored !== undefined &&
    stored.memberOf === undefined &&
    stored.ending === undefined &&
    stored.callId === name.callId &&
    stored.fromTag === name.fromTag &&
    stored.watcher === name.watcher &&
    stored.eventId === name.eventId &&
    stored.expiresAtMs > nowMs;
  if (!isOwn) return { kind: 'unknown' };
  // The answer to a first attempt was lost: what stands is our own.
  return isRepeated(stored) ? doneOf(item, nowMs, 'previousGatewayId') : { kind: 'outOfOrder' };
}

/** @throws {ContractError} when the item is not a watcher */
export function decodeWatcher(item: Item): StoredWatcher {
  const result = v.safeParse(watcherAttributes, item);
  if (!result.success) throw new ContractError(`Item ${item.PK} ${item.SK}: ${v.summarize(result.issues)}`);
  return result.output;
}

const keyOf = ({ presentity: { domain, user }, event, id }: SubscriptionName) => watcherKey(domain, user, event, id);

const ttlOf = (expiresAtMs: number): number => Math.floor(expiresAtMs / 1_000) + KEEP_EXPIRED_SECONDS;
