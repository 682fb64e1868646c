/**
 * User remover: who was removed loses flows, bindings, subscriptions and state within seconds; whoever watches is told that
 * there is nothing left. Only that user's own items are read.
 */
import { type GatewayId, gatewayIdOf, type SubscriptionId } from '#contract/ids.ts';
import type { Instruction } from '#contract/instruction.ts';
import { EVENT_PACKAGES } from '#core/event-package.ts';
import { type Address, aorOfIdentity } from '#core/identity.ts';
import { notificationOf } from '#core/notification.ts';
import { NO_STATE } from '#core/presentity.ts';
import { listGateways } from '#table/lease-item.ts';
import { sequenceNumberOf } from '#table/stream-record.ts';
import type { Table } from '#table/table.ts';
import { decodeRemovedUser, type RemovedUser, removeItemsOf } from '#table/user-removal.ts';
import { loadStandingWatchers, type StandingWatcher } from '#table/watcher-access.ts';
import { type DeliveryPorts, deliverTo } from './gateway-delivery.ts';
import { failureFields, type RoleLog } from './role-log.ts';

export interface UserRemoverPorts extends DeliveryPorts {
  readonly table: Table;
  readonly telemetry: RoleLog;
}

const HOP = 'user-removal';

/**
 * Takes the marks of removed users in a batch of stream records: for each of them five Queries, and one POST to every
 * gateway. Safe to repeat.
 * @returns sequence numbers of the records to hand over again
 */
export async function removeUsers(
  records: readonly unknown[],
  ports: UserRemoverPorts,
  nowMs: number,
): Promise<string[]> {
  const failed: string[] = [];
  for (const removed of records.flatMap((record) => decodeOrSkip(record, ports.telemetry))) {
    if (!(await removeOrReport(removed, ports, nowMs))) failed.push(removed.sequenceNumber);
  }
  return failed;
}

// A record that cannot be read now cannot be read later: repeating it would only hold up the shard.
function decodeOrSkip(record: unknown, telemetry: RoleLog): RemovedUser[] {
  try {
    const removed = decodeRemovedUser(record);
    return removed ? [removed] : [];
  } catch (error) {
    telemetry.log('error', HOP, { sequenceNumber: sequenceNumberOf(record), ...failureFields(error) });
    return [];
  }
}

async function removeOrReport({ address }: RemovedUser, ports: UserRemoverPorts, nowMs: number): Promise<boolean> {
  const fields = { tenant: address.domain, presentity: address.user };
  try {
    const isTold = await tellGateways(address, ports, nowMs);
    await removeItemsOf(ports.table, address);
    if (!isTold) ports.telemetry.log('warn', HOP, { ...fields, outcome: 'undelivered' });
    return isTold;
  } catch (error) {
    ports.telemetry.log('warn', HOP, { ...fields, ...failureFields(error) });
    return false;
  }
}

/** @returns false when a gateway that lives was not reached */
async function tellGateways(address: Address, ports: UserRemoverPorts, nowMs: number): Promise<boolean> {
  const [gateways, standing] = await Promise.all([
    listGateways(ports.table),
    loadStandingWatchers(ports.table, address, nowMs),
  ]);
  const members = Map.groupBy(
    standing.filter(({ list }) => list === 'member'),
    ({ gatewayId }) => gatewayId,
  );
  const close: Instruction = { kind: 'closeUser', domain: address.domain, user: address.user };
  const all = new Set<GatewayId>([...gateways.map(gatewayIdOf), ...members.keys()]);
  const deliveries = await Promise.all(
    [...all].map((id) => deliverTo(id, [close, ...instancesOf(address, members.get(id) ?? [], nowMs)], ports, nowMs)),
  );
  return deliveries.every(({ kind }) => kind !== 'failed');
}

/** In an event list only the member ends (RFC 4662 section 5.2). */
function instancesOf(address: Address, members: readonly StandingWatcher[], nowMs: number): Instruction[] {
  const alike = Map.groupBy(members, ({ event, contentType }) => `${event} ${contentType}`);
  return [...alike.values()].flatMap((watchers): Instruction[] => {
    const [first] = watchers;
    const eventPackage = EVENT_PACKAGES.find(({ name }) => name === first?.event);
    if (first === undefined || eventPackage === undefined) return [];
    // Versions follow the clock: this one is newer than any of the state that is gone.
    const gone = { ...NO_STATE, version: nowMs };
    const view = { contentType: first.contentType, rendering: '' };
    const { body, ...notification } = notificationOf(eventPackage, address, gone, view, nowMs);
    const subscriptionIds: SubscriptionId[] = watchers.map(({ id }) => id);
    return [
      {
        ...{ kind: 'notify', subscriptionIds, presentity: aorOfIdentity(address) },
        ...{ notification: { ...notification, body: [...body] } },
        instance: { state: 'terminated', reason: 'noresource' },
      },
    ];
  });
}
