/** Lessor: keeps the lease that says where a gateway is, and tells it how many there are. */
import type { LeaseGrant, LeaseReport } from '#contract/gateway-report.ts';
import { isSuperseded } from '#core/gateway-generation.ts';
import { listGateways, saveLease } from '#table/lease-item.ts';
import type { Table } from '#table/table.ts';

export interface LessorPorts {
  readonly table: Table;
  /** Where the function runs, and so the gateway that asked it. */
  readonly region: string | undefined;
}

/** One PutItem and one Query. The lease runs from now for the seconds that the gateway asks for. */
export async function grantLease(
  report: LeaseReport,
  { table, region }: LessorPorts,
  nowMs: number,
): Promise<Required<LeaseGrant>> {
  const { gatewayId, address, leaseSeconds, flows, subscriptions, draining } = report;
  const leaseEndsAtMs = nowMs + leaseSeconds * 1000;
  const lease = { gatewayId, address, region, grantedAtMs: nowMs, leaseEndsAtMs, flows, subscriptions, draining };
  const [, listed] = await Promise.all([saveLease(table, lease), listGateways(table)]);
  // The index may be late with the one that is here.
  const gateways = new Set([...listed, gatewayId]);
  return { leaseEndsAtMs, gateways: gateways.size, superseded: isSuperseded(gatewayId, gateways) };
}
