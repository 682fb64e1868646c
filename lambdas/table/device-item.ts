/** Device item: which subscription of one device to a presentity is its newest. */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { type GatewayId, gatewayIdOf, type SubscriptionId, subscriptionIdOf } from '#contract/ids.ts';
import { deviceKey } from './keys.ts';
import type { Table } from './table.ts';
import { deleteHeldWatcher, type SubscriptionName } from './watcher-item.ts';

/** A device that was not seen for so long has no older subscription. */
const KEEP_SECONDS = 30 * 24 * 3_600;

const deviceAttributes = v.object({ id: v.string(), gatewayId: v.string() });

export interface ReplacedSubscription {
  readonly id: SubscriptionId;
  readonly gatewayId: GatewayId;
}

/**
 * Makes this the newest subscription of a device: one UpdateItem, and one DeleteItem of the watcher that it replaces.
 * @param instance `+sip.instance` of the Contact
 * @returns the subscription that ended by that
 */
export async function replaceDeviceSubscription(
  table: Table,
  name: SubscriptionName,
  instance: string,
  gatewayId: GatewayId,
  nowMs: number,
): Promise<ReplacedSubscription | undefined> {
  const { domain, user } = name.presentity;
  const result = await table.update(deviceKey(domain, user, name.event, deviceOf(name, instance)), {
    update: 'SET id = :id, gatewayId = :gateway, #ttl = :ttl',
    names: { '#ttl': 'ttl' },
    values: { ':id': name.id, ':gateway': gatewayId, ':ttl': Math.floor(nowMs / 1_000) + KEEP_SECONDS },
    returning: 'ALL_OLD',
  });
  const before = v.safeParse(deviceAttributes, result.item);
  if (!before.success || before.output.id === name.id) return undefined;
  const replaced = { id: subscriptionIdOf(before.output.id), gatewayId: gatewayIdOf(before.output.gatewayId) };
  await deleteHeldWatcher(table, name.presentity, name.event, replaced);
  return replaced;
}

/** One user's device, and one of its subscriptions: an Event `id` tells apart those that it means to have side by side. */
function deviceOf({ watcher, eventId }: SubscriptionName, instance: string): string {
  const text = JSON.stringify([watcher, instance, eventId ?? null]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
