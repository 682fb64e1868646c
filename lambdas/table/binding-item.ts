/** Binding item: one Contact of a user, in the partition of the user's profile. */
import * as v from 'valibot';
import type { Binding } from '#core/binding.ts';
import { ContractError } from '#core/error.ts';
import type { Address } from '#core/identity.ts';
import {
  BINDING_PREFIX,
  BY_GATEWAY_INDEX,
  bindingKey,
  dueShardOf,
  heldByGateway,
  type Key,
  listedBindings,
  listedOfUser,
  PROFILE_SORT_KEY,
  userPartition,
} from './keys.ts';
import { type Item, partitionQuery, type Table } from './table.ts';
import { decodeUser, type User } from './user-item.ts';

// The broom comes well after whoever still reads the item.
const TTL_GRACE_SECONDS = 3_600;

const bindingAttributes = v.object({
  contactUri: v.string(),
  params: v.array(v.tuple([v.string(), v.string()])),
  gatewayId: v.string(),
  flowId: v.string(),
  callId: v.string(),
  cseq: v.number(),
  createdAtMs: v.optional(v.number()),
  updatedAtMs: v.number(),
  expiresAtMs: v.number(),
  userAgent: v.optional(v.string()),
});

/** A user with the bindings that have not expired. */
export interface Registration {
  readonly user?: User;
  readonly bindings: readonly Binding[];
}

/** One consistent Query: profile and bindings of a user. */
export async function loadRegistration(table: Table, { domain, user }: Address, nowMs: number): Promise<Registration> {
  const items = await table.query(partitionQuery(userPartition(domain, user), undefined, { consistent: true }));
  const profile = items.find(({ SK }) => SK === PROFILE_SORT_KEY);
  const bindings = items.filter(({ SK }) => SK.startsWith(BINDING_PREFIX)).map(decodeBinding);
  return {
    user: profile && decodeUser(profile, domain, user),
    bindings: bindings.filter(({ expiresAtMs }) => expiresAtMs > nowMs),
  };
}

/** One consistent Query: bindings of a user, expired ones too. */
export async function loadBindings(table: Table, { domain, user }: Address): Promise<Binding[]> {
  const query = partitionQuery(userPartition(domain, user), BINDING_PREFIX, { consistent: true });
  return (await table.query(query)).map(decodeBinding);
}

/**
 * One PutItem: adds or refreshes, unless a newer request of the same Call-ID was here first. The binding stands in the
 * index `due` at its end.
 * @param isNews true when it is new or its Contact another one: such a record reaches the stream's function
 * @returns false when a newer request was
 */
export async function saveBinding(
  table: Table,
  { domain, user }: Address,
  binding: Binding,
  isNews = true,
): Promise<boolean> {
  const { id, ...attributes } = binding;
  const key = bindingKey(domain, user, id);
  const item: Item = {
    ...key,
    ...attributes,
    ...(isNews && { news: true }),
    heldBy: heldByGateway(binding.gatewayId),
    ...{ listedAs: listedBindings(domain), listedBy: listedOfUser(user, id) },
    dueShard: dueShardOf(key.PK),
    dueAtMs: binding.expiresAtMs,
    ttl: Math.floor(binding.expiresAtMs / 1000) + TTL_GRACE_SECONDS,
  };
  const result = await table.put(item, {
    condition: 'attribute_not_exists(PK) OR callId <> :callId OR cseq < :cseq OR expiresAtMs <= :now',
    values: { ':callId': binding.callId, ':cseq': binding.cseq, ':now': binding.updatedAtMs },
  });
  return result.kind === 'done' || isOwnWrite(result.item, binding);
}

/**
 * One DeleteItem of a binding as it was read; done too when it is gone already.
 * @returns false when it was refreshed meanwhile
 */
export async function removeBinding(table: Table, { domain, user }: Address, binding: Binding): Promise<boolean> {
  const result = await table.delete(bindingKey(domain, user, binding.id), {
    condition: 'attribute_not_exists(PK) OR (callId = :callId AND cseq = :cseq AND flowId = :flow)',
    values: { ':callId': binding.callId, ':cseq': binding.cseq, ':flow': binding.flowId },
  });
  return result.kind === 'done';
}

/** One Query of the index `byGateway`: keys of all bindings and calls that a gateway holds (or held a moment ago). */
export async function loadKeysHeldBy(table: Table, gatewayId: string): Promise<Key[]> {
  const items = await table.query({
    index: BY_GATEWAY_INDEX,
    keyCondition: 'heldBy = :gateway',
    values: { ':gateway': heldByGateway(gatewayId) },
  });
  return items.map(({ PK, SK }) => ({ PK, SK }));
}

/** One DeleteItem: removes a binding if this gateway still holds it; a binding that moved on stays. */
export async function removeBindingOf(table: Table, gatewayId: string, key: Key): Promise<void> {
  await table.delete(key, { condition: 'heldBy = :gateway', values: { ':gateway': heldByGateway(gatewayId) } });
}

/** One DeleteItem: removes a binding that has run out. @returns false when it was refreshed meanwhile */
export async function removeExpiredBinding(table: Table, key: Key, nowMs: number): Promise<boolean> {
  const result = await table.delete(key, {
    condition: 'attribute_not_exists(PK) OR expiresAtMs <= :now',
    values: { ':now': nowMs },
  });
  return result.kind === 'done';
}

/** @throws {ContractError} when the item is not a binding */
export function decodeBinding(item: Item): Binding {
  const result = v.safeParse(bindingAttributes, item);
  if (!result.success) throw new ContractError(`Item ${item.PK} ${item.SK}: ${v.summarize(result.issues)}`);
  return { id: item.SK.slice(BINDING_PREFIX.length), ...result.output };
}

// The first attempt of a repeated request may have come through although its answer was lost.
function isOwnWrite(item: Item | undefined, { callId, cseq, flowId, updatedAtMs }: Binding): boolean {
  if (item === undefined) return false;
  return item.callId === callId && item.cseq === cseq && item.flowId === flowId && item.updatedAtMs === updatedAtMs;
}
