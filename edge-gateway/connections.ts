/** What this gateway tells of the connections of a tenant. */

import type { InferOutput } from 'valibot';
import type { Connection, connectionsInstruction } from '#contract/instruction.ts';
import type { Flow, FlowTable } from './flow-table.ts';

export type ConnectionsWish = Omit<InferOutput<typeof connectionsInstruction>, 'kind'>;

/** By flow id, so that a later page goes on where this one ends. */
export function connectionsOf(flows: Pick<FlowTable, 'values'>, wish: ConnectionsWish): Connection[] {
  const found: Connection[] = [];
  for (const flow of flows.values()) {
    const isWanted = flow.id > wish.after && (wish.flowId === undefined || flow.id === wish.flowId);
    const connection = isWanted ? connectionOf(flow) : undefined;
    if (connection?.identity.domain === wish.tenant) found.push(connection);
  }
  return found.sort((left, right) => (left.flowId < right.flowId ? -1 : 1)).slice(0, wish.limit);
}

/** One whose proof has just ended is still its user's. @returns undefined for a stranger */
function connectionOf(flow: Flow): Connection | undefined {
  const identity = flow.identity ?? flow.lapsed?.identity;
  return (
    identity && {
      ...{ flowId: flow.id, identity, transport: flow.transport, sourceAddress: flow.sourceAddress },
      ...{ openedAtMs: flow.openedAtMs, userAgent: flow.userAgent, subscriptions: flow.subscriptions.size },
      ...{ protocol: flow.deliver === undefined ? 'sip' : 'lamps', isRegistered: flow.registered },
    }
  );
}
