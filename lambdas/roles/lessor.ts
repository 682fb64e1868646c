/** Lessor: keeps the lease that says where a gateway is. */
import type { LeaseReport } from '#contract/gateway-report.ts';
import { saveLease } from '#table/lease-item.ts';
import type { Table } from '#table/table.ts';

export interface LeaseGrant {
  readonly leaseEndsAtMs: number;
}

/** One PutItem. The lease runs from now for the seconds that the gateway asks for. */
export async function grantLease(report: LeaseReport, table: Table, nowMs: number): Promise<LeaseGrant> {
  const { gatewayId, address, leaseSeconds, flows, subscriptions, draining } = report;
  const leaseEndsAtMs = nowMs + leaseSeconds * 1000;
  await saveLease(table, { gatewayId, address, grantedAtMs: nowMs, leaseEndsAtMs, flows, subscriptions, draining });
  return { leaseEndsAtMs };
}
