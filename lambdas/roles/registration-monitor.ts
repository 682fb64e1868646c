/** Registration monitor: what came and went among a user's bindings becomes part of the presentity's state. */
import type { Address } from '#core/identity.ts';
import { loadBindings } from '#table/binding-item.ts';
import { markRegistered, markUnregistered, takeBackUnregistered } from '#table/presentity-changes.ts';
import { type BindingChange, decodeBindingChange, sequenceNumberOf } from '#table/stream-record.ts';
import type { Table } from '#table/table.ts';
import { type DeliveryPorts, isLivingElsewhere } from './gateway-delivery.ts';
import { failureFields, type RoleLog } from './role-log.ts';

export interface RegistrationMonitorPorts extends Partial<Pick<DeliveryPorts, 'leases' | 'ownRegion'>> {
  readonly table: Table;
  readonly telemetry: RoleLog;
  /** False for a tenant that is removed, or is about to be: its presentities get no new state. */
  readonly isServed: (domain: string) => Promise<boolean>;
}

const HOP = 'registration';

/**
 * Takes the records of bindings in a batch. For a user whose bindings only came: one UpdateItem. When one has gone: one
 * Query, and when it was the last, one UpdateItem and one Query more. Safe to repeat.
 * @returns sequence numbers of the records to hand over again
 */
export async function monitorRegistrations(
  records: readonly unknown[],
  ports: RegistrationMonitorPorts,
  nowMs: number,
): Promise<string[]> {
  const changes = records.flatMap((record) => decodeOrSkip(record, ports.telemetry) ?? []);
  const ours = await Promise.all(changes.map((change) => isOurs(change, ports, nowMs)));
  const byUser = Map.groupBy(
    changes.filter((_, index) => ours[index]),
    ({ user }) => `${user.domain}#${user.user}`,
  );
  const failed = await Promise.all([...byUser.values()].map((all) => settleOrReport(all, ports, nowMs)));
  return failed.flat();
}

/** The region that holds a binding says what it means: two that did so would take each other's place. */
async function isOurs(
  { gatewayId }: BindingChange,
  { leases, ownRegion }: RegistrationMonitorPorts,
  nowMs: number,
): Promise<boolean> {
  if (leases === undefined || gatewayId === undefined) return true;
  return !(await isLivingElsewhere(gatewayId, { leases, ownRegion }, nowMs));
}

// A record that cannot be read now cannot be read later: repeating it would only hold up the shard.
function decodeOrSkip(record: unknown, telemetry: RoleLog): BindingChange | undefined {
  try {
    return decodeBindingChange(record);
  } catch (error) {
    telemetry.log('error', HOP, { sequenceNumber: sequenceNumberOf(record), ...failureFields(error) });
    return undefined;
  }
}

async function settleOrReport(
  changes: readonly BindingChange[],
  { table, telemetry, isServed }: RegistrationMonitorPorts,
  nowMs: number,
): Promise<string[]> {
  const [first] = changes;
  if (first === undefined) return [];
  const { user, sequenceNumber } = first;
  try {
    if (!(await isServed(user.domain))) return [];
    const isAnyGone = changes.some(({ kind }) => kind === 'gone');
    await (isAnyGone ? settleGone(table, user, nowMs) : markRegistered(table, user, nowMs));
    return [];
  } catch (error) {
    telemetry.log('warn', HOP, { tenant: user.domain, presentity: user.user, ...failureFields(error) });
    return [sequenceNumber];
  }
}

/**
 * Records of one user's bindings may be settled at the same time elsewhere. Whoever marks the user as unregistered
 * looks again afterwards; a binding that comes later than that look marks it as registered itself.
 */
async function settleGone(table: Table, user: Address, nowMs: number): Promise<void> {
  if (await isRegistered(table, user, nowMs)) {
    await markRegistered(table, user, nowMs);
    return;
  }
  const version = await markUnregistered(table, user, nowMs);
  if (await isRegistered(table, user, nowMs)) await takeBackUnregistered(table, user, version, nowMs);
}

async function isRegistered(table: Table, user: Address, nowMs: number): Promise<boolean> {
  return (await loadBindings(table, user)).some(({ expiresAtMs }) => expiresAtMs > nowMs);
}
