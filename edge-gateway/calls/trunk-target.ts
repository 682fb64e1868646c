/** A trunk as the target of a call: a connection to it, opened when it is needed. */
import type { FlowAddress, TrunkPeer } from '#contract/call.ts';
import type { Outcome } from '#contract/outcome.ts';
import type { SipResponse } from '#core/sip/message.ts';
import type { Flow } from '../flow-table.ts';
import type { CallContext } from './call-context.ts';

/** @returns the outcome with the connection as the only target; with none when the trunk cannot be reached */
export async function withTrunkTarget(context: CallContext, outcome: Outcome): Promise<Outcome> {
  const { route } = outcome;
  if (route?.trunk === undefined || route.trunkUri === undefined) return outcome;
  const flow = await connectTrunk(context, route.trunk);
  const targets = flow === undefined ? [] : [{ kind: 'flow' as const, flow, contactUri: route.trunkUri, q: 1 }];
  return { ...outcome, route: { ...route, targets } };
}

/** @returns the flow to a trunk; undefined when it cannot be reached */
export async function connectTrunk(context: CallContext, peer: TrunkPeer): Promise<FlowAddress | undefined> {
  const { settings, address, trunk, counts, log } = context;
  try {
    const flow = await trunk?.connect(peer);
    return flow && { gatewayId: settings.gatewayId, address: address(), flowId: flow.id };
  } catch (error) {
    counts.trunksUnreachable++;
    log.warn({ hop: 'trunk', host: peer.host, err: String(error) }, 'trunk cannot be reached');
    return undefined;
  }
}

export interface TakenAnswer {
  readonly branch: string;
  readonly response: SipResponse;
}

/** @returns the answer as its call expects it; undefined when a trunk's challenge is to be met first */
export function takeTrunkAnswer({ trunk }: CallContext, flow: Flow, answer: TakenAnswer): TakenAnswer | undefined {
  return flow.isUnframed && trunk !== undefined ? trunk.receive(flow, answer.branch, answer.response) : answer;
}
