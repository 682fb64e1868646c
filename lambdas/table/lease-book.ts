/** Leases that a function has read, kept for some seconds: the address of a gateway never changes. */
import { type Lease, loadLease } from './lease-item.ts';
import type { Table } from './table.ts';

export interface LeaseBook {
  /** At most one GetItem. @returns undefined when the gateway has no lease, which is not remembered */
  find(gatewayId: string, nowMs: number): Promise<Lease | undefined>;
  /** Makes the next `find` read again. */
  drop(gatewayId: string): void;
}

const KEEP_MS = 30_000;

export function openLeaseBook(table: Table): LeaseBook {
  const known = new Map<string, { readonly lease: Lease; readonly untilMs: number }>();
  return {
    async find(gatewayId, nowMs) {
      const entry = known.get(gatewayId);
      if (entry && nowMs < entry.untilMs) return entry.lease;
      const lease = await loadLease(table, gatewayId);
      if (lease) known.set(gatewayId, { lease, untilMs: nowMs + KEEP_MS });
      else known.delete(gatewayId);
      return lease;
    },
    drop: (gatewayId) => known.delete(gatewayId),
  };
}
