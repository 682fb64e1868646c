/** Between the flows of this gateway and the gateways that keep their calls: messages are brought and written, not read. */

import type * as v from 'valibot';
import type { relayInstruction } from '#contract/call.ts';
import type { SipRequest, SipResponse } from '#core/sip/message.ts';
import { serializeRequest, serializeResponse } from '#core/sip/serialize.ts';
import type { Flow } from '../flow-table.ts';
import { type CallContext, homeOf } from './call-context.ts';
import type { Arrival } from './call-transactions.ts';
import type { PeerAddress } from './peer-link.ts';

type Relay = v.InferOutput<typeof relayInstruction>;

/** Gateways that are remembered as homes of a flow's calls. */
const MAX_HOMES_PER_FLOW = 20;

export class HomeRoads {
  readonly #context: CallContext;
  /** Gateways that have sent something for flows of ours, by the part of their id that stands in branches. */
  readonly #homes = new Map<string, PeerAddress>();
  /** Whose calls a flow of ours carries, apart from our own. */
  readonly #homesOfFlow = new WeakMap<Flow, Map<string, PeerAddress>>();

  constructor(context: CallContext) {
    this.#context = context;
  }

  /** @param home as it stands in a branch; an unknown one has sent nothing that could be answered */
  bringTo(home: string | undefined, flow: Flow, arrival: Arrival, message: SipResponse): void {
    const peer = this.#homes.get(home ?? '');
    if (peer !== undefined) this.bring(peer, flow, arrival, message);
  }

  /** Brings a message of one of our flows to the gateway that keeps its call. */
  bring({ gatewayId, address }: PeerAddress, flow: Flow, arrival: Arrival, message: SipRequest | SipResponse): void {
    const { flow: from, identity, ...source } = arrival;
    this.#remember(flow, { gatewayId, address });
    this.#context.counts.callRelays++;
    this.#context.peers.send(
      { gatewayId, address },
      {
        ...{ kind: 'arrived', flow: from, ...source, text: textOf(message) },
        ...(identity === undefined ? {} : { identity }),
      },
    );
  }

  /** Writes what another gateway has for a flow of ours. */
  relay({ flowId, text }: Relay, sender: PeerAddress): void {
    const { flows, outbox, peers } = this.#context;
    const flow = flows.get(flowId);
    if (flow === undefined || flow.closed) {
      peers.send(sender, { kind: 'flowsLost', flowIds: [flowId] });
      return;
    }
    this.#homes.set(homeOf(sender.gatewayId), sender);
    this.#remember(flow, sender);
    outbox.send(flow, text);
  }

  #remember(flow: Flow, home: PeerAddress): void {
    const homes = this.#homesOfFlow.get(flow) ?? new Map<string, PeerAddress>();
    homes.delete(home.gatewayId);
    homes.set(home.gatewayId, home);
    const oldest = homes.keys().next().value;
    if (homes.size > MAX_HOMES_PER_FLOW && oldest !== undefined) homes.delete(oldest);
    this.#homesOfFlow.set(flow, homes);
  }

  /** Tells the gateways whose calls it carried. */
  flowClosed(flow: Flow): void {
    for (const home of this.#homesOfFlow.get(flow)?.values() ?? [])
      this.#context.peers.send(home, { kind: 'flowsLost', flowIds: [flow.id] });
  }

  gatewayLost(gatewayId: PeerAddress['gatewayId']): void {
    this.#homes.delete(homeOf(gatewayId));
  }

  /** Every few seconds: do the gateways that carry calls of ours still live? */
  probe(): void {
    const { calls, settings, peers } = this.#context;
    const carriers = new Map<string, PeerAddress>();
    for (const call of calls.values()) {
      if (call.endedAtMs !== undefined) continue;
      const { dialog, route } = call.facts;
      const parties = call.isConfirmed ? dialog.legs().filter(({ isLost }) => !isLost) : route.targets;
      for (const { flow } of parties) if (flow.gatewayId !== settings.gatewayId) carriers.set(flow.gatewayId, flow);
    }
    for (const { gatewayId, address } of carriers.values()) peers.probe({ gatewayId, address });
  }
}

const textOf = (message: SipRequest | SipResponse): string =>
  message.kind === 'request'
    ? serializeRequest(message.method, message.requestUri, message.entries(), message.body)
    : serializeResponse(message.status, message.reason, message.entries(), message.body);
