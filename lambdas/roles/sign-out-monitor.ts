/** Sign-out monitor: what proved somebody and is taken back ends the connections that rest on it, within seconds. */
import { gatewayIdOf } from '#contract/ids.ts';
import { listGateways } from '#table/lease-item.ts';
import { decodeSignOut, type SignOutChange } from '#table/sign-out-changes.ts';
import { sequenceNumberOf } from '#table/stream-record.ts';
import type { Table } from '#table/table.ts';
import { type DeliveryPorts, deliverTo } from './gateway-delivery.ts';
import { failureFields, type RoleLog } from './role-log.ts';

export interface SignOutMonitorPorts extends DeliveryPorts {
  readonly table: Table;
  readonly telemetry: RoleLog;
}

const HOP = 'sign-out';

/**
 * Takes what a batch of stream records takes back: one Query, one POST a gateway; nothing when there is none. Safe to repeat.
 * @returns sequence numbers of the records to hand over again, because a gateway that lives was not reached
 */
export async function monitorSignOuts(
  records: readonly unknown[],
  ports: SignOutMonitorPorts,
  nowMs: number,
): Promise<string[]> {
  const changes = records.flatMap((record) => decodeOrSkip(record, ports.telemetry) ?? []);
  const [first] = changes;
  if (first === undefined) return [];
  try {
    if (await tellGateways(changes, ports, nowMs)) return [];
    ports.telemetry.log('warn', HOP, { outcome: 'undelivered' });
  } catch (error) {
    ports.telemetry.log('warn', HOP, failureFields(error));
  }
  return [first.sequenceNumber];
}

// A record that cannot be read now cannot be read later: repeating it would only hold up the shard.
function decodeOrSkip(record: unknown, telemetry: RoleLog): SignOutChange | undefined {
  try {
    return decodeSignOut(record);
  } catch (error) {
    telemetry.log('error', HOP, { sequenceNumber: sequenceNumberOf(record), ...failureFields(error) });
    return undefined;
  }
}

async function tellGateways(
  changes: readonly SignOutChange[],
  ports: SignOutMonitorPorts,
  nowMs: number,
): Promise<boolean> {
  const orders = changes.flatMap((change) => change.orders);
  const gateways = await listGateways(ports.table);
  const deliveries = await Promise.all(gateways.map((id) => deliverTo(gatewayIdOf(id), orders, ports, nowMs)));
  return deliveries.every(({ kind }) => kind !== 'failed');
}
