/** Live desk: what operators see of presentities, subscriptions and bindings as they are now. */

import type { GatewayId, SubscriptionId } from '#contract/ids.ts';
import type { InspectedSubscription } from '#contract/instruction.ts';
import type { Binding } from '#core/binding.ts';
import type { Address } from '#core/identity.ts';
import type { LampChange } from '#core/lamp-history.ts';
import { NO_STATE, type Presentity } from '#core/presentity.ts';
import { viewLamp, viewPresentity } from '#core/presentity-view.ts';
import { Problem } from '#core/problem.ts';
import { decodeBinding, loadBindings } from '#table/binding-item.ts';
import { listChanges } from '#table/history-item.ts';
import { listedBindings, listedPresentities, presentityOfKey, userOfKey } from '#table/keys.ts';
import { type ListWish, listItems } from '#table/listing.ts';
import { decodePresentity, loadPresentity } from '#table/presentity-item.ts';
import {
  listSubscriptions,
  listWatchers,
  type StoredSubscription,
  type SubscriptionPage,
} from '#table/subscription-list.ts';
import type { Table } from '#table/table.ts';
import { loadUser } from '#table/user-item.ts';
import { type DeliveryPorts, deliverTo } from './gateway-delivery.ts';

export interface LiveDeskPorts extends DeliveryPorts {
  readonly table: Table;
}

/** A page, and the place of its last; no place when that was all. */
export interface Shown<T> {
  readonly items: readonly T[];
  readonly place?: string | undefined;
}

/** Subscriptions whose NOTIFYs are shown with a history. */
const MAX_INSPECTED = 200;

/** Presentities of a tenant that have a state, by name. */
export async function showPresentities(table: Table, domain: string, wish: ListWish, nowMs: number) {
  const { items, place } = await listItems(table, listedPresentities(domain), wish);
  const shown = items.map((item) => {
    const address = { domain, user: presentityOfKey(item.PK)?.user ?? '' };
    return viewLamp(address, decodePresentity(item), nowMs);
  });
  return { items: shown, place };
}

/** @throws {Problem} 404 for who has no state and is no user */
export async function showPresentity(table: Table, address: Address, nowMs: number) {
  return viewPresentity(address, await requirePresentity(table, address), nowMs);
}

/** @throws {Problem} 404 */
export async function requirePresentity(table: Table, address: Address): Promise<Presentity> {
  const presentity = await loadPresentity(table, address);
  if (presentity.version > 0) return presentity;
  if (await loadUser(table, address.domain, address.user)) return NO_STATE;
  throw new Problem(404, `There is no presentity ${address.user} at ${address.domain}.`);
}

/** A subscription as it is shown: with its presentity's user name. */
export type ShownSubscription = ReturnType<typeof viewSubscription>;

export async function showSubscriptions(
  table: Table,
  domain: string,
  wish: ListWish,
  nowMs: number,
): Promise<Shown<ShownSubscription>> {
  const { items, place } = await listSubscriptions(table, domain, wish);
  return { items: current(items, nowMs).map(viewSubscription), place };
}

/** @throws {Problem} 404 */
export async function showWatchers(
  table: Table,
  address: Address,
  wish: ListWish,
  nowMs: number,
): Promise<Shown<ShownSubscription>> {
  const { items, place } = await listWatchers(table, address, wish);
  if (items.length === 0) await requirePresentity(table, address);
  return { items: current(items, nowMs).map(viewSubscription), place };
}

const current = (items: readonly StoredSubscription[], nowMs: number): StoredSubscription[] =>
  items.filter(({ expiresAtMs }) => expiresAtMs > nowMs);

export function viewSubscription({
  presentity,
  gatewayId,
  flowId,
  createdAtMs,
  expiresAtMs,
  ...stored
}: StoredSubscription) {
  const { id, event, watcher, callId, contentType, rendering, members, memberOf } = stored;
  return {
    ...{ id, user: presentity.user, event, watcher, gateway: gatewayId, flow: flowId, callId, contentType },
    ...(rendering !== '' && { profile: rendering }),
    ...{ members, memberOf, createdAt: timeOf(createdAtMs), expiresAt: timeOf(expiresAtMs) },
  };
}

/** Bindings of a tenant, by user. */
export async function showBindings(table: Table, domain: string, wish: ListWish, nowMs: number) {
  const { items, place } = await listItems(table, listedBindings(domain), wish);
  const shown = items.flatMap((item) => {
    const binding = decodeBinding(item);
    return binding.expiresAtMs > nowMs ? [viewBinding(userOfKey(item.PK)?.user ?? '', binding)] : [];
  });
  return { items: shown, place };
}

/** All bindings of one user: there are 200 at most. @throws {Problem} 404 */
export async function showBindingsOf(table: Table, { domain, user }: Address, nowMs: number) {
  const bindings = await loadBindings(table, { domain, user });
  if (bindings.length === 0 && (await loadUser(table, domain, user)) === undefined)
    throw new Problem(404, `There is no user ${user} at ${domain}.`);
  return bindings.filter(({ expiresAtMs }) => expiresAtMs > nowMs).map((binding) => viewBinding(user, binding));
}

export function viewBinding(user: string, { id, contactUri, gatewayId, flowId, params, userAgent, ...times }: Binding) {
  const { createdAtMs, updatedAtMs, expiresAtMs } = times;
  const instance = params.find(([name]) => name.toLowerCase() === '+sip.instance')?.[1];
  return {
    ...{ id, user, contact: contactUri, gateway: gatewayId, flow: flowId, instance, userAgent },
    ...(createdAtMs !== undefined && { createdAt: timeOf(createdAtMs) }),
    ...{ updatedAt: timeOf(updatedAtMs), expiresAt: timeOf(expiresAtMs) },
  };
}

/** Why the lamp is as it is: its last changes, and for each subscription what was notified and answered. */
export async function showHistory(ports: LiveDeskPorts, address: Address, wish: ListWish, nowMs: number) {
  const { table } = ports;
  const presentity = await requirePresentity(table, address);
  const none: SubscriptionPage = { items: [] };
  const [changes, watchers] = await Promise.all([
    listChanges(table, address, wish.limit, wish.after),
    // The later pages are about what was.
    wish.after === undefined ? listWatchers(table, address, { limit: MAX_INSPECTED }) : none,
  ]);
  const subscriptions = await inspect(current(watchers.items, nowMs), ports, nowMs);
  return {
    ...{ place: changes.place, items: changes.items.map(viewChange) },
    presentity: viewLamp(address, presentity, nowMs),
    subscriptions,
    ...(watchers.place !== undefined && { moreSubscriptions: true as const }),
  };
}

export const viewChange = ({ atMs, ...change }: LampChange) => ({ at: timeOf(atMs), ...change });

/** One POST to each gateway that holds some of them. */
async function inspect(subscriptions: readonly StoredSubscription[], ports: LiveDeskPorts, nowMs: number) {
  const byGateway = Map.groupBy(subscriptions, ({ gatewayId }) => gatewayId);
  const found = new Map<SubscriptionId, Known>();
  await Promise.all(
    [...byGateway].map(async ([gatewayId, held]) => {
      for (const [id, known] of await ask(gatewayId, held, ports, nowMs)) found.set(id, known);
    }),
  );
  return subscriptions.map((subscription) => ({
    ...viewSubscription(subscription),
    ...viewKnown(found.has(subscription.id) ? found.get(subscription.id) : 'silent'),
  }));
}

/** What a gateway knows of a subscription; undefined: it does not hold it. */
type Known = InspectedSubscription | undefined;

/** @returns nothing when the gateway does not answer */
async function ask(
  gatewayId: GatewayId,
  held: readonly StoredSubscription[],
  ports: LiveDeskPorts,
  nowMs: number,
): Promise<ReadonlyMap<SubscriptionId, Known>> {
  const subscriptionIds = held.map(({ id }) => id);
  const delivery = await deliverTo(gatewayId, [{ kind: 'inspect', subscriptionIds }], ports, nowMs);
  if (delivery.kind !== 'delivered') return new Map();
  const { inspected = [], unknown } = delivery;
  return new Map<SubscriptionId, Known>([
    ...unknown.map((id): [SubscriptionId, Known] => [id, undefined]),
    ...inspected.map((each): [SubscriptionId, Known] => [each.id, each]),
  ]);
}

/** `lost`: its gateway does not hold it any more. `unreachable`: its gateway does not answer. */
function viewKnown(known: Known | 'silent') {
  if (known === 'silent') return { state: 'unreachable' as const, notifies: [] };
  if (known === undefined) return { state: 'lost' as const, notifies: [] };
  return {
    state: known.flowId === undefined ? ('parked' as const) : ('live' as const),
    isWaiting: known.isWaiting,
    notifies: known.notifies.map(({ sentAtMs, answer, ...notify }) => ({
      ...{ sentAt: timeOf(sentAtMs), ...notify },
      // No answer came in the time for one (RFC 3261, timer F).
      ...(answer !== undefined && (answer === 0 ? { timedOut: true as const } : { answer })),
    })),
  };
}

const timeOf = (ms: number): string => new Date(ms).toISOString();
