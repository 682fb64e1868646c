/** Tenant remover: a tenant that is to go loses its flows first, then everything in the table, and at last its name. */

import { gatewayIdOf } from '#contract/ids.ts';
import type { Instruction } from '#contract/instruction.ts';
import { listGateways } from '#table/lease-item.ts';
import { decodeRemovedTenant, sequenceNumberOf } from '#table/stream-record.ts';
import type { Table } from '#table/table.ts';
import { endRemoval, loadRemoval, postponeRemoval, removeSome } from '#table/tenant-removal.ts';
import { type DeliveryPorts, deliverTo } from './gateway-delivery.ts';
import { failureFields, type RoleLog } from './role-log.ts';

/**
 * So long after it began nothing new is written of the tenant: functions know of it within five seconds
 * (handlers/request-ports), and a request takes five at most.
 */
const SETTLE_MS = 12_000;
/** Until then the gateways are told again so often, for somebody may have signed in in between. */
const TELL_AGAIN_MS = 4_000;
/** Items removed in one pass of the sweep: what else is due must not wait long. */
const ITEMS_PER_PASS = 1_000;
const HOP = 'tenant-removal';

/** One pass over a tenant that is due. @returns how many items were removed */
export async function continueRemoval(table: Table, domain: string, nowMs: number): Promise<number> {
  const removal = await loadRemoval(table, domain);
  if (removal === undefined) return 0;
  if (nowMs < removal.sinceMs + SETTLE_MS) {
    await postponeRemoval(table, domain, nowMs + TELL_AGAIN_MS, 0);
    return 0;
  }
  const removed = await removeSome(table, domain, ITEMS_PER_PASS);
  if (removed > 0) await postponeRemoval(table, domain, nowMs, removed);
  else await endRemoval(table, domain, removal);
  return removed;
}

export interface TenantCloserPorts extends DeliveryPorts {
  readonly table: Table;
  readonly telemetry: RoleLog;
}

/**
 * Tells all gateways of tenants that are being removed, from a batch of stream records: one Query, one POST a gateway.
 * @returns sequence numbers of the records to hand over again, because a gateway that lives was not reached
 */
export async function closeRemovedTenants(
  records: readonly unknown[],
  ports: TenantCloserPorts,
  nowMs: number,
): Promise<string[]> {
  const removed = records.flatMap((record) => removedTenantOf(record, ports.telemetry));
  const domains = [...new Set(removed.map(({ domain }) => domain))];
  if (domains.length === 0) return [];
  try {
    const isTold = await closeTenants(domains, ports, nowMs);
    return isTold ? [] : removed.slice(0, 1).map(({ sequenceNumber }) => sequenceNumber);
  } catch (error) {
    ports.telemetry.log('warn', HOP, failureFields(error));
    return removed.slice(0, 1).map(({ sequenceNumber }) => sequenceNumber);
  }
}

// A record that cannot be read now cannot be read later: repeating it would only hold up the shard.
function removedTenantOf(record: unknown, telemetry: RoleLog) {
  try {
    return decodeRemovedTenant(record) ?? [];
  } catch (error) {
    telemetry.log('error', HOP, { sequenceNumber: sequenceNumberOf(record), ...failureFields(error) });
    return [];
  }
}

/** @returns false when a gateway that lives was not reached */
export async function closeTenants(
  domains: readonly string[],
  ports: Omit<TenantCloserPorts, 'telemetry'>,
  nowMs: number,
): Promise<boolean> {
  const instructions = domains.map((domain): Instruction => ({ kind: 'closeTenant', domain }));
  const deliveries = await Promise.all(
    (await listGateways(ports.table)).map((id) => deliverTo(gatewayIdOf(id), instructions, ports, nowMs)),
  );
  return deliveries.every(({ kind }) => kind !== 'failed');
}
