/** Replacement monitor: a device has subscribed anew; the gateway that holds its older subscription ends that one. */
import type { SubscriptionId } from '#contract/ids.ts';
import type { EndInstruction } from '#contract/instruction.ts';
import { decodeReplacement, type Replacement } from '#table/replaced-watcher.ts';
import { sequenceNumberOf } from '#table/stream-record.ts';
import { type DeliveryPorts, deliverTo } from './gateway-delivery.ts';
import { failureFields, type RoleLog } from './role-log.ts';

export interface ReplacementMonitorPorts extends DeliveryPorts {
  readonly telemetry: RoleLog;
}

const HOP = 'replacement';

/** Not `deactivated`, nor `timeout`: a client would subscribe again at once. */
export const endOfReplaced = (subscriptionIds: SubscriptionId[]): EndInstruction => ({
  kind: 'end',
  subscriptionIds,
  reason: 'rejected',
});

/**
 * Takes the records of replaced watchers in a batch: one POST a gateway, and none without them. Safe to repeat.
 * @returns sequence numbers of the records to hand over again
 */
export async function endReplaced(
  records: readonly unknown[],
  ports: ReplacementMonitorPorts,
  nowMs: number,
): Promise<string[]> {
  const replaced = records.flatMap((record) => decodeOrSkip(record, ports.telemetry) ?? []);
  const byGateway = Map.groupBy(replaced, ({ gatewayId }) => gatewayId);
  const failed = await Promise.all([...byGateway.values()].map((all) => endOn(all, ports, nowMs)));
  return failed.flat();
}

// A record that cannot be read now cannot be read later: repeating it would only hold up the shard.
function decodeOrSkip(record: unknown, telemetry: RoleLog): Replacement | undefined {
  try {
    return decodeReplacement(record);
  } catch (error) {
    telemetry.log('error', HOP, { sequenceNumber: sequenceNumberOf(record), ...failureFields(error) });
    return undefined;
  }
}

async function endOn(replaced: Replacement[], ports: ReplacementMonitorPorts, nowMs: number): Promise<string[]> {
  const [first] = replaced;
  if (first === undefined) return [];
  const { gatewayId, sequenceNumber } = first;
  try {
    const delivery = await deliverTo(gatewayId, [endOfReplaced(replaced.map(({ id }) => id))], ports, nowMs);
    if (delivery.kind !== 'failed') return [];
    ports.telemetry.log('warn', HOP, { gateway: gatewayId, outcome: delivery.kind, reason: delivery.reason });
  } catch (error) {
    ports.telemetry.log('warn', HOP, { gateway: gatewayId, ...failureFields(error) });
  }
  return [sequenceNumber];
}
