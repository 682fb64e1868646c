/** A watcher item whose device has subscribed anew, while another gateway holds the subscription. */
import * as v from 'valibot';
import { type GatewayId, gatewayIdOf, type SubscriptionId, subscriptionIdOf } from '#contract/ids.ts';
import { ContractError } from '#core/error.ts';
import type { Address } from '#core/identity.ts';
import { WATCHER_PREFIX, watcherKey } from './keys.ts';
import { imagesOfRecord } from './stream-record.ts';
import type { Table } from './table.ts';

/** It has expired for everyone who reads it; TTL takes it away. */
const KEEP_SECONDS = 600;

/**
 * One UpdateItem: the subscription is over, and the stream tells whoever holds it. Nothing, when there is none.
 * The stream filter names `replaced` too (cdk/system).
 */
export async function markReplaced(
  table: Table,
  { domain, user }: Address,
  event: string,
  id: SubscriptionId,
  nowMs: number,
): Promise<void> {
  await table.update(watcherKey(domain, user, event, id), {
    update: 'SET replaced = :yes, expiresAtMs = :now, #ttl = :ttl',
    condition: 'expiresAtMs > :now',
    names: { '#ttl': 'ttl' },
    values: { ':yes': true, ':now': nowMs, ':ttl': Math.floor(nowMs / 1_000) + KEEP_SECONDS },
  });
}

/** A subscription that its gateway must end. */
export interface Replacement {
  readonly sequenceNumber: string;
  readonly id: SubscriptionId;
  readonly gatewayId: GatewayId;
}

const replacedAttributes = v.object({ id: v.string(), gatewayId: v.string(), replaced: v.literal(true) });

/**
 * @returns undefined for a record of anything else
 * @throws {ContractError} when it cannot be read
 */
export function decodeReplacement(input: unknown): Replacement | undefined {
  const images = imagesOfRecord(input);
  const after = images.sortKey.startsWith(WATCHER_PREFIX) ? images.after : undefined;
  if (after?.replaced === undefined) return undefined;
  const result = v.safeParse(replacedAttributes, after);
  if (!result.success) throw new ContractError(`Item ${after.PK} ${after.SK}: ${v.summarize(result.issues)}`);
  const { id, gatewayId } = result.output;
  return { sequenceNumber: images.sequenceNumber, id: subscriptionIdOf(id), gatewayId: gatewayIdOf(gatewayId) };
}
