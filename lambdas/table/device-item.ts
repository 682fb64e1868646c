/** Device item: which subscription of one device to a presentity is its newest. */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { type GatewayId, type SubscriptionId, subscriptionIdOf } from '#contract/ids.ts';
import { deviceKey, listedDevices, listedOfUser } from './keys.ts';
import { markReplaced } from './replaced-watcher.ts';
import type { Table } from './table.ts';
import { deleteHeldWatcher, type SubscriptionName } from './watcher-item.ts';

/** A device that was not seen for so long has no older subscription. */
const KEEP_SECONDS = 30 * 24 * 3_600;

const deviceAttributes = v.object({ id: v.string(), gatewayId: v.string() });

/**
 * Makes this the newest subscription of a device: one UpdateItem, and one DeleteItem of the watcher that it replaces. One
 * that another gateway holds is marked instead, and ends by way of the stream.
 * @param instance `+sip.instance` of the Contact
 * @param received where and when the SUBSCRIBE came in
 * @returns the subscription that ended by that, if this gateway held it
 */
export async function replaceDeviceSubscription(
  table: Table,
  name: SubscriptionName,
  instance: string,
  received: { readonly gatewayId: GatewayId; readonly receivedAtMs: number },
  nowMs: number,
): Promise<SubscriptionId | undefined> {
  const { domain, user } = name.presentity;
  const { gatewayId, receivedAtMs } = received;
  const device = deviceOf(name, instance);
  const result = await table.update(deviceKey(domain, user, name.event, device), {
    update:
      'SET id = :id, gatewayId = :gateway, receivedAtMs = :received, #ttl = :ttl, listedAs = :listed, listedBy = :device',
    // A SUBSCRIBE that was held up must not end the one with which its device has come back since.
    condition: 'attribute_not_exists(receivedAtMs) OR receivedAtMs <= :received',
    names: { '#ttl': 'ttl' },
    values: {
      ...{ ':id': name.id, ':gateway': gatewayId, ':received': receivedAtMs },
      ...{ ':listed': listedDevices(domain), ':device': listedOfUser(user, `${name.event}#${device}`) },
      ':ttl': Math.floor(nowMs / 1_000) + KEEP_SECONDS,
    },
    returning: 'ALL_OLD',
  });
  if (result.kind === 'refused') return undefined;
  const before = v.safeParse(deviceAttributes, result.item);
  if (!before.success || before.output.id === name.id) return undefined;
  const replaced = { id: subscriptionIdOf(before.output.id), gatewayId };
  const isHeldHere = before.output.gatewayId === gatewayId;
  if (isHeldHere && (await deleteHeldWatcher(table, name.presentity, name.event, replaced))) return replaced.id;
  await markReplaced(table, name.presentity, name.event, replaced.id, nowMs);
  return undefined;
}

/** One user's device, and one of its subscriptions: an Event `id` tells apart those that it means to have side by side. */
function deviceOf({ watcher, eventId }: SubscriptionName, instance: string): string {
  const text = JSON.stringify([watcher, instance, eventId ?? null]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
