/** The way of instructions to the gateway with a lease. */
import type { GatewayId } from '#contract/ids.ts';
import type { Instruction } from '#contract/instruction.ts';
import type { Delivery } from '#core/delivery.ts';
import type { LeaseBook } from '#table/lease-book.ts';

export interface DeliveryPorts {
  readonly leases: LeaseBook;
  /** Where this function runs, when other regions have the same items and gateways of their own. */
  readonly ownRegion?: string | undefined;
  readonly gateways: {
    /** One POST. Never throws for what a gateway does. */
    deliver(gatewayId: GatewayId, address: string, instructions: readonly Instruction[]): Promise<Delivery>;
  };
}

/** True for a gateway of another region: it hears of changes by the stream of that region's own replica. */
export async function isElsewhere(
  gatewayId: GatewayId,
  { leases, ownRegion }: Pick<DeliveryPorts, 'leases' | 'ownRegion'>,
  nowMs: number,
): Promise<boolean> {
  if (ownRegion === undefined) return false;
  const region = (await leases.find(gatewayId, nowMs))?.region;
  return region !== undefined && region !== ownRegion;
}

/** The same of a gateway that still renews its lease. */
export async function isLivingElsewhere(
  gatewayId: GatewayId,
  ports: Pick<DeliveryPorts, 'leases' | 'ownRegion'>,
  nowMs: number,
): Promise<boolean> {
  if (!(await isElsewhere(gatewayId, ports, nowMs))) return false;
  const known = await ports.leases.find(gatewayId, nowMs);
  if (known !== undefined && known.leaseEndsAtMs > nowMs) return true;
  ports.leases.drop(gatewayId);
  return ((await ports.leases.find(gatewayId, nowMs))?.leaseEndsAtMs ?? 0) > nowMs;
}

/** One POST, to where the lease says that the gateway is. */
export async function deliverTo(
  gatewayId: GatewayId,
  instructions: readonly Instruction[],
  { leases, gateways, ownRegion }: DeliveryPorts,
  nowMs: number,
): Promise<Delivery> {
  const lease = await leases.find(gatewayId, nowMs);
  if (lease === undefined) return { kind: 'gone', reason: 'no lease' };
  const delivery = await gateways.deliver(gatewayId, lease.address, instructions);
  if (delivery.kind === 'delivered') return delivery;
  leases.drop(gatewayId);
  if (delivery.kind === 'gone') return delivery;
  // A broken link between regions must not hold up the lamps of this one; the other region does the same work itself.
  if (await isElsewhere(gatewayId, { leases, ownRegion }, nowMs)) return { kind: 'gone', reason: delivery.reason };
  // Silence of a gateway that no longer renews its lease is the end of it, and must not hold up the shard.
  const renewed = await leases.find(gatewayId, nowMs);
  return renewed && renewed.leaseEndsAtMs > nowMs ? delivery : { kind: 'gone', reason: `lapsed, ${delivery.reason}` };
}
