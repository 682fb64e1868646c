/** Connection desk: the connections of a tenant as its gateways hold them now, and their end. */
import { type FlowId, flowIdOf, type GatewayId, gatewayIdOf } from '#contract/ids.ts';
import type { Connection, Instruction } from '#contract/instruction.ts';
import { Problem } from '#core/problem.ts';
import { listGateways } from '#table/lease-item.ts';
import { auditWrites, type Change, type ChangePorts } from './change.ts';
import { type DeliveryPorts, deliverTo } from './gateway-delivery.ts';

export type ConnectionDeskPorts = ChangePorts & DeliveryPorts;

export interface HeldConnection extends Connection {
  readonly gatewayId: GatewayId;
}

export interface ConnectionPage {
  readonly items: readonly HeldConnection[];
  /** Where the next page goes on; absent when that was all. */
  readonly place?: string;
  /** Gateways that did not answer: what they hold is missing. */
  readonly silent: readonly GatewayId[];
}

export interface ConnectionWish {
  readonly limit: number;
  /** Id of the last connection of the page before. */
  readonly after: string | undefined;
}

/** WebSocket close code: an operator has ended it. */
const ENDED = { code: 4403, reason: 'ended by an operator' } as const;

/** Ids name the gateway too: `<gateway>.<flow>`; a flow id has no dot. */
export const connectionIdOf = ({ gatewayId, flowId }: Pick<HeldConnection, 'gatewayId' | 'flowId'>): string =>
  `${gatewayId}.${flowId}`;

function placeOf(id: string): { readonly gatewayId: GatewayId; readonly flowId: FlowId } {
  const dot = id.lastIndexOf('.');
  return { gatewayId: gatewayIdOf(id.slice(0, Math.max(dot, 0))), flowId: flowIdOf(id.slice(dot + 1)) };
}

/** By gateway and flow: one Query, and one POST to each gateway until the page is full. */
export async function showConnections(
  ports: ConnectionDeskPorts,
  domain: string,
  { limit, after }: ConnectionWish,
  nowMs: number,
): Promise<ConnectionPage> {
  const from = placeOf(after ?? '.');
  const gateways = (await listGateways(ports.table)).toSorted().map(gatewayIdOf);
  const found: HeldConnection[] = [];
  const silent: GatewayId[] = [];
  for (const gatewayId of gateways.filter((id) => id >= from.gatewayId)) {
    // One more than the page has room for: it tells whether there is a next one.
    const wish = { limit: limit + 1 - found.length, after: gatewayId === from.gatewayId ? from.flowId : '' };
    const held = await ask(gatewayId, { kind: 'connections', tenant: domain, ...wish }, ports, nowMs);
    if (held === 'silent') silent.push(gatewayId);
    else found.push(...held);
    if (found.length > limit) break;
  }
  const items = found.slice(0, limit);
  const last = items.at(-1);
  const hasMore = found.length > limit && last !== undefined;
  return { items, silent, ...(hasMore && { place: connectionIdOf(last) }) };
}

/**
 * Closes one connection; its client may come back.
 * @throws {Problem} 404 when the tenant has no such one, 503 when its gateway does not answer
 */
export async function endConnection(
  ports: ConnectionDeskPorts,
  change: Change,
  domain: string,
  id: string,
): Promise<void> {
  const { gatewayId, flowId } = placeOf(id);
  const gone = new Problem(404, `${domain} has no such connection.`);
  if (!(await listGateways(ports.table)).includes(gatewayId)) throw gone;
  const question: Instruction = { kind: 'connections', tenant: domain, flowId, after: '', limit: 1 };
  const held = await ask(gatewayId, question, ports, change.nowMs);
  if (held === 'silent') throw silence(gatewayId);
  const [connection] = held;
  if (connection === undefined) throw gone;
  const { user } = connection.identity;
  await ports.table.transact(
    auditWrites(
      ports,
      change,
      [domain],
      { user, address: connection.sourceAddress },
      { shown: undefined, action: 'end connection' },
    ),
  );
  const delivery = await deliverTo(gatewayId, [{ kind: 'close', flowId, ...ENDED }], ports, change.nowMs);
  if (delivery.kind === 'failed') throw silence(gatewayId);
}

const silence = (gatewayId: GatewayId): Problem => new Problem(503, `Gateway ${gatewayId} does not answer: try again.`);

/** @returns `silent` when a gateway that lives does not answer */
async function ask(
  gatewayId: GatewayId,
  question: Instruction,
  ports: ConnectionDeskPorts,
  nowMs: number,
): Promise<readonly HeldConnection[] | 'silent'> {
  const delivery = await deliverTo(gatewayId, [question], ports, nowMs);
  if (delivery.kind === 'failed') return 'silent';
  const [held = []] = delivery.kind === 'delivered' ? (delivery.connections ?? []) : [];
  return held.map((each) => ({ ...each, gatewayId }));
}
