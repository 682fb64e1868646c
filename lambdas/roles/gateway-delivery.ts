/** The way of instructions to the gateway with a lease. */
import type { GatewayId } from '#contract/ids.ts';
import type { Instruction } from '#contract/instruction.ts';
import type { Delivery } from '#core/delivery.ts';
import type { LeaseBook } from '#table/lease-book.ts';

export interface DeliveryPorts {
  readonly leases: LeaseBook;
  readonly gateways: {
    /** One POST. Never throws for what a gateway does. */
    deliver(gatewayId: GatewayId, address: string, instructions: readonly Instruction[]): Promise<Delivery>;
  };
}

/** One POST, to where the lease says that the gateway is. */
export async function deliverTo(
  gatewayId: GatewayId,
  instructions: readonly Instruction[],
  { leases, gateways }: DeliveryPorts,
  nowMs: number,
): Promise<Delivery> {
  const lease = await leases.find(gatewayId, nowMs);
  if (lease === undefined) return { kind: 'gone', reason: 'no lease' };
  const delivery = await gateways.deliver(gatewayId, lease.address, instructions);
  if (delivery.kind === 'delivered') return delivery;
  leases.drop(gatewayId);
  if (delivery.kind === 'gone') return delivery;
  // Silence of a gateway that no longer renews its lease is the end of it, and must not hold up the shard.
  const renewed = await leases.find(gatewayId, nowMs);
  return renewed && renewed.leaseEndsAtMs > nowMs ? delivery : { kind: 'gone', reason: `lapsed, ${delivery.reason}` };
}
