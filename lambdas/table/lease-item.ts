/** Lease item: where a gateway is, and until when it is believed to be there. */
import * as v from 'valibot';
import { ContractError } from '#core/error.ts';
import { dueShardOf, LISTED_GATEWAYS, LISTED_INDEX, leaseKey } from './keys.ts';
import type { Table } from './table.ts';

const TTL_GRACE_SECONDS = 3_600;

const leaseAttributes = v.object({
  gatewayId: v.string(),
  address: v.string(),
  region: v.optional(v.string()),
  grantedAtMs: v.number(),
  leaseEndsAtMs: v.number(),
  flows: v.number(),
  subscriptions: v.number(),
  draining: v.boolean(),
});

export interface Lease {
  readonly gatewayId: string;
  /** Base URL of the private port, such as `http://10.0.3.7:9090`. */
  readonly address: string;
  /** Functions of another region reach it, but leave it the news of its own region's stream. */
  readonly region?: string | undefined;
  /** When the gateway last reported; a report that was overtaken by a later one changes nothing. */
  readonly grantedAtMs: number;
  readonly leaseEndsAtMs: number;
  readonly flows: number;
  readonly subscriptions: number;
  readonly draining: boolean;
}

/** One GetItem. @returns undefined when the gateway has no lease; a lapsed one comes back, look at `leaseEndsAtMs` */
export async function loadLease(table: Table, gatewayId: string): Promise<Lease | undefined> {
  const item = await table.get(leaseKey(gatewayId));
  if (item === undefined) return undefined;
  const result = v.safeParse(leaseAttributes, item);
  if (!result.success) throw new ContractError(`Item ${item.PK}: ${v.summarize(result.issues)}`);
  return result.output;
}

/** One Query of the index `listed`: the gateways that have a lease, or had one a moment ago. */
export async function listGateways(table: Table): Promise<string[]> {
  const items = await table.query({
    index: LISTED_INDEX,
    keyCondition: 'listedAs = :gateways',
    values: { ':gateways': LISTED_GATEWAYS },
  });
  return items.map(({ listedBy }) => String(listedBy));
}

/** One PutItem; the lease stands in the index `due` at its end. */
export async function saveLease(table: Table, lease: Lease): Promise<void> {
  const key = leaseKey(lease.gatewayId);
  const item = {
    ...key,
    ...lease,
    ...{ listedAs: LISTED_GATEWAYS, listedBy: lease.gatewayId },
    dueShard: dueShardOf(key.PK),
    dueAtMs: lease.leaseEndsAtMs,
    ttl: Math.floor(lease.leaseEndsAtMs / 1000) + TTL_GRACE_SECONDS,
  };
  await table.put(item, {
    condition: 'attribute_not_exists(PK) OR grantedAtMs <= :granted',
    values: { ':granted': lease.grantedAtMs },
  });
}

/** One DeleteItem. @returns false when the lease was renewed meanwhile, so the gateway lives */
export async function removeLapsedLease(table: Table, gatewayId: string, nowMs: number): Promise<boolean> {
  const result = await table.delete(leaseKey(gatewayId), {
    condition: 'attribute_not_exists(PK) OR leaseEndsAtMs <= :now',
    values: { ':now': nowMs },
  });
  return result.kind === 'done';
}
