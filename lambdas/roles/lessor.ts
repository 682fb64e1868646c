/** Lessor: keeps the lease that says where a gateway is, and tells it how many there are. */
import type { LeaseGrant, LeaseReport } from '#contract/gateway-report.ts';
import { listGateways, saveLease } from '#table/lease-item.ts';
import type { Table } from '#table/table.ts';

/** One PutItem and one Query. The lease runs from now for the seconds that the gateway asks for. */
export async function grantLease(report: LeaseReport, table: Table, nowMs: number): Promise<Required<LeaseGrant>> {
  const { gatewayId, address, leaseSeconds, flows, subscriptions, draining } = report;
  const leaseEndsAtMs = nowMs + leaseSeconds * 1000;
  const lease = { gatewayId, address, grantedAtMs: nowMs, leaseEndsAtMs, flows, subscriptions, draining };
  const [, listed] = await Promise.all([saveLease(table, lease), listGateways(table)]);
  // The index may be late with the one that is here.
  return { leaseEndsAtMs, gateways: new Set([...listed, gatewayId]).size };
}
