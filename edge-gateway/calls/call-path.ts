/** Calls, inbound in reading order: a request of a flow, its home, its transaction, its call; and what peers bring. */

import type * as v from 'valibot';
import type { arrivedInstruction } from '#contract/call.ts';
import type { Instruction } from '#contract/instruction.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import type { EnvelopedResponse } from '#contract/sip-response.ts';
import { DependencyUnavailable } from '#core/error.ts';
import { branchOf, parseCSeq, tagOf } from '#core/sip/header.ts';
import { checkRequest, parseMessage, type SipRequest, type SipResponse } from '#core/sip/message.ts';
import { reasonOf } from '#core/sip/status.ts';
import { envelopeOf, nonceUseOf } from '../envelope.ts';
import { type Flow, isNonceReplayed } from '../flow-table.ts';
import { answer, unavailable } from '../generic-answers.ts';
import type { CallInstruction } from '../instruction-intake.ts';
import type { Call } from './call.ts';
import { type CallContext, homeOf } from './call-context.ts';
import { type ProxyRefusal, readBranch, refuseForProxy } from './call-message.ts';
import type { Arrival, ServerTransaction } from './call-transactions.ts';
import { DialogPath, mayActFor } from './dialog-path.ts';
import { type FlowToken, readRoutes, tokenOfUri } from './flow-token.ts';
import { HomeRoads } from './home-roads.ts';
import { InvitePath } from './invite-path.ts';
import { LostFlows } from './lost-flows.ts';
import type { PeerAddress } from './peer-link.ts';
import { takeTrunkAnswer, withTrunkTarget } from './trunk-target.ts';

type Arrived = v.InferOutput<typeof arrivedInstruction>;

/** Requests that are of a call, or of nothing. */
const CALL_METHODS: ReadonlySet<string> = new Set(['INVITE', 'ACK', 'BYE', 'CANCEL', 'PRACK', 'UPDATE', 'INFO']);

/** What a request's Route, or its tags, say about its call. */
type Destination =
  | { readonly kind: 'here'; readonly call: Call }
  | { readonly kind: 'elsewhere'; readonly home: PeerAddress }
  | { readonly kind: 'refused'; readonly status: number };

export class CallPath {
  readonly #context: CallContext;
  readonly #invitePath: InvitePath;
  readonly #dialogPath: DialogPath;
  readonly #lostFlows: LostFlows;
  readonly #homeRoads: HomeRoads;

  constructor(context: CallContext) {
    this.#context = context;
    this.#invitePath = new InvitePath(context);
    this.#dialogPath = new DialogPath(context, {
      invitePath: this.#invitePath,
      envelopeOf: (request, arrival) => this.#envelopeOf(request, arrival),
    });
    this.#homeRoads = new HomeRoads(context);
    this.#lostFlows = new LostFlows(context, { invitePath: this.#invitePath, dialogPath: this.#dialogPath });
  }

  /** True for a request that is a call's business: by its method, by a Route of ours, or by its tags. */
  concerns(request: SipRequest): boolean {
    if (CALL_METHODS.has(request.method)) return true;
    const toTag = tagOf(request.get('to') ?? '');
    if (toTag === undefined) return false;
    if (request.method === 'REFER' || tokenIn(request) !== undefined) return true;
    const callId = request.get('call-id') ?? '';
    return this.#context.calls.findByTags(callId, tagOf(request.get('from') ?? ''), toTag) !== undefined;
  }

  /**
   * Takes a request of a flow of this gateway.
   * @param refusal answer of the flow's own limits, if they are hit
   * @param isDraining no new call begins here
   */
  receive(
    flow: Flow,
    request: SipRequest,
    { refusal, isDraining, isUtf8 }: { refusal: EnvelopedResponse | undefined; isDraining: boolean; isUtf8: boolean },
  ): void {
    const arrival = this.#arrivalOf(flow);
    const { transactions, counts } = this.#context;
    if (request.method === 'ACK') {
      if (refusal === undefined && isUtf8) this.#acknowledged(arrival, request, flow);
      return;
    }
    const known = transactions.find(arrival, request);
    if (known !== undefined) {
      counts.requestsRetransmitted++;
      transactions.repeat(known);
      return;
    }
    const problem = this.#problemOf(request, isUtf8) ?? (request.method === 'CANCEL' ? undefined : refusal);
    const isOpening = request.method === 'INVITE' && tagOf(request.get('to') ?? '') === undefined;
    if (problem !== undefined) this.#refuse(arrival, request, problem);
    else if (isOpening && isDraining) this.#refuse(arrival, request, unavailable(1, 'Gateway Is Draining'));
    else if (isOpening) this.#invite(arrival, request, flow);
    else if (request.method === 'CANCEL' && tokenIn(request) === undefined) this.#cancel(arrival, request);
    else void this.#inDialog(arrival, request, flow);
  }

  #problemOf(request: SipRequest, isUtf8: boolean): EnvelopedResponse | undefined {
    const problem: ProxyRefusal | undefined = checkRequest(request) ?? refuseForProxy(request, isUtf8);
    return problem === undefined ? undefined : answer(problem.status, problem.headers, problem.reason);
  }

  #refuse(arrival: Arrival, request: SipRequest, response: EnvelopedResponse): void {
    const { transactions, counts } = this.#context;
    counts.callMessagesRefused++;
    transactions.reply(transactions.open(arrival, request), response);
  }

  #invite(arrival: Arrival, request: SipRequest, flow: Flow): void {
    const { transactions } = this.#context;
    const refusal = this.#invitePath.refuse(request, flow);
    const server = transactions.open(arrival, request);
    if (refusal !== undefined) {
      transactions.reply(server, refusal);
      return;
    }
    trying(this.#context, server);
    server.cancel = () => transactions.reply(server, answer(487));
    void this.#route(server, flow);
  }

  async #route(server: ServerTransaction, flow: Flow): Promise<void> {
    const { queue, transactions, tenants, identities, log } = this.#context;
    const { request, source, toTag } = server;
    try {
      const tenantFull = tenants.fullFor(flow, request, 'calls');
      const outcome = await queue.submit({ ...this.#envelopeOf(request, source, toTag), tenantFull });
      if (outcome.response.status === 503) tenants.refusedFor(flow, request, tenantFull);
      identities.prove(flow, outcome.identity, request.get('user-agent'));
      this.#invitePath.routed(server, await withTrunkTarget(this.#context, outcome));
    } catch (error) {
      log.error({ hop: 'call', callId: request.get('call-id'), err: String(error) }, 'no route');
      const isBehind = error instanceof DependencyUnavailable;
      transactions.reply(server, isBehind ? unavailable(error.retryAfterSeconds) : answer(500));
    }
  }

  /** RFC 3261 section 9.2: the CANCEL is answered at once, and the INVITE by what becomes of it. */
  #cancel(arrival: Arrival, request: SipRequest): void {
    const { transactions } = this.#context;
    const invite = transactions.find(arrival, request, 'INVITE');
    const server = transactions.open(arrival, request, invite?.toTag);
    transactions.reply(server, answer(invite === undefined ? 481 : 200));
    if (invite === undefined || invite.isCancelled || invite.status >= 200) return;
    invite.isCancelled = true;
    invite.cancelReasons = request.all('reason');
    invite.cancel?.();
  }

  /** An ACK for a refusal ends here; one for a 2xx goes to the other side. */
  #acknowledged(arrival: Arrival, request: SipRequest, flow: Flow | undefined): void {
    const invite = this.#context.transactions.find(arrival, request, 'INVITE');
    if (invite !== undefined && invite.status >= 300) return;
    const to = this.#destinationOf(request);
    if (to.kind === 'here') this.#dialogPath.receive(to.call, request, arrival, undefined);
    else if (to.kind === 'elsewhere' && flow !== undefined) this.#homeRoads.bring(to.home, flow, arrival, request);
    else this.#context.counts.callMessagesRefused++;
  }

  async #inDialog(arrival: Arrival, request: SipRequest, flow: Flow): Promise<void> {
    const to = this.#destinationOf(request);
    if (to.kind === 'refused') {
      this.#refuse(arrival, request, answer(to.status));
      return;
    }
    const isKnown = to.kind === 'here' && to.call.facts.dialog.legs().some((leg) => mayActFor(leg, arrival));
    if (!isKnown && flow.identity === undefined && !flow.isUnframed) {
      const refusal = await this.#identify(request, flow);
      if (refusal !== undefined) {
        this.#refuse(arrival, request, refusal);
        return;
      }
    }
    if (to.kind === 'elsewhere') this.#homeRoads.bring(to.home, flow, this.#arrivalOf(flow), request);
    else this.#inDialogHere(to.call, request, this.#arrivalOf(flow));
  }

  #inDialogHere(call: Call, request: SipRequest, arrival: Arrival): void {
    const { transactions } = this.#context;
    if (request.method === 'CANCEL') {
      this.#cancel(arrival, request);
      return;
    }
    const server = transactions.open(arrival, request);
    if (request.method === 'INVITE') trying(this.#context, server);
    this.#dialogPath.receive(call, request, arrival, server);
  }

  /** A flow that has proven nothing yet: the function challenges it. @returns the challenge, or what else it said */
  async #identify(request: SipRequest, flow: Flow): Promise<EnvelopedResponse | undefined> {
    const { queue, identities } = this.#context;
    try {
      const outcome = await queue.submit(this.#envelopeOf(request, this.#arrivalOf(flow), undefined, flow));
      if (outcome.identity === undefined) return outcome.response;
      identities.prove(flow, outcome.identity, request.get('user-agent'));
      return undefined;
    } catch {
      return unavailable(1);
    }
  }

  #destinationOf(request: SipRequest): Destination {
    const { tokens, calls, settings } = this.#context;
    const text = tokenIn(request);
    if (text === undefined) {
      const fromTag = tagOf(request.get('from') ?? '');
      const call = calls.findByTags(request.get('call-id') ?? '', fromTag, tagOf(request.get('to') ?? ''));
      return call === undefined ? { kind: 'refused', status: 481 } : { kind: 'here', call };
    }
    const token: FlowToken | undefined = tokens.open(text);
    if (token === undefined) return { kind: 'refused', status: 403 };
    if (token.gatewayId !== settings.gatewayId) return { kind: 'elsewhere', home: token };
    const call = calls.get(token.callKey);
    return call === undefined ? { kind: 'refused', status: 481 } : { kind: 'here', call };
  }

  /** Takes an answer of a flow of this gateway to something that a home gateway sent there. */
  receiveResponse(flow: Flow, branch: string, response: SipResponse): void {
    const taken = takeTrunkAnswer(this.#context, flow, { branch, response });
    if (taken !== undefined) this.answered(flow, taken.branch, taken.response);
  }

  answered(flow: Flow, branch: string, response: SipResponse): void {
    const home = readBranch(branch)?.home;
    if (home === homeOf(this.#context.settings.gatewayId)) this.#answered(branch, response, this.#arrivalOf(flow));
    else this.#homeRoads.bringTo(home, flow, this.#arrivalOf(flow), response);
  }

  #answered(branch: string, response: SipResponse, arrival: Arrival): void {
    const transaction = this.#context.transactions.client(readBranch(branch)?.transaction ?? '');
    const method = parseCSeq(response.get('cseq') ?? '')?.method;
    if (transaction !== undefined && transaction.method !== method) return;
    if (transaction?.isFrom(arrival)) transaction.take(response);
    else if (!isOwnBranch(branch)) this.#context.counts.callMessagesRefused++;
  }

  /** Takes what another gateway, or a function, says about calls. */
  takeInstruction(instruction: CallInstruction, sender: PeerAddress | undefined): void {
    switch (instruction.kind) {
      case 'relay':
        if (sender !== undefined) this.#homeRoads.relay(instruction, sender);
        return;
      case 'arrived':
        this.#arrived(instruction);
        return;
      case 'flowsLost':
        for (const flowId of instruction.flowIds) this.#lostFlows.flowLost(flowId);
        return;
      case 'endCall': {
        const call = this.#context.calls.get(instruction.callKey);
        if (call !== undefined) this.#invitePath.end(call, 'admin');
        return;
      }
      default:
        instruction satisfies never;
    }
  }

  #arrived({ text, flow, identity, ...source }: Arrived): void {
    const arrival: Arrival = { flow, identity, ...source };
    const message = parseMessage(text);
    if (message.kind === 'response') this.#answered(branchOf(message.get('via') ?? ''), message, arrival);
    else if (message.kind === 'request') this.#requestArrived(arrival, message);
    else this.#context.counts.messagesUnreadable++;
  }

  #requestArrived(arrival: Arrival, request: SipRequest): void {
    const { transactions } = this.#context;
    if (request.method === 'ACK') {
      this.#acknowledged(arrival, request, undefined);
      return;
    }
    const known = transactions.find(arrival, request);
    if (known !== undefined) {
      transactions.repeat(known);
      return;
    }
    const to = this.#destinationOf(request);
    if (to.kind === 'here') this.#inDialogHere(to.call, request, arrival);
    else this.#refuse(arrival, request, answer(481));
  }

  /** A flow of this gateway is gone. */
  flowClosed(flow: Flow): void {
    this.#lostFlows.flowLost(flow.id);
    this.#homeRoads.flowClosed(flow);
  }

  /** Another gateway is gone: its flows are, and the calls that it kept. */
  gatewayLost(gatewayId: PeerAddress['gatewayId'], undelivered: readonly Instruction[]): void {
    this.#homeRoads.gatewayLost(gatewayId);
    this.#lostFlows.gatewayLost(gatewayId);
    for (const instruction of undelivered) if (instruction.kind === 'arrived') this.#returnToSender(instruction);
  }

  /** What was for a call of that gateway is answered by us: there is no such call any more. */
  #returnToSender({ text, flow, identity, ...source }: Arrived): void {
    const message = parseMessage(text);
    if (message.kind !== 'request' || message.method === 'ACK') return;
    this.#refuse({ flow, identity, ...source }, message, answer(481));
  }

  /** Every few seconds: do the gateways that carry our calls still live? */
  probePeers(): void {
    this.#homeRoads.probe();
  }

  /** True while calls of this gateway, or of others, stand on the flow. */
  carriesCall(flow: Flow): boolean {
    return this.#context.calls.ofFlow(flow.id).some(({ endedAtMs }) => endedAtMs === undefined);
  }

  /** This gateway goes: calls that it keeps and that stand on this flow end. */
  endCallsOf(flow: Flow): void {
    for (const call of this.#context.calls.ofFlow(flow.id)) this.#invitePath.end(call, 'gatewayLost');
  }

  #arrivalOf(flow: Flow): Arrival {
    const { settings, address } = this.#context;
    return {
      flow: { gatewayId: settings.gatewayId, address: address(), flowId: flow.id },
      identity: flow.identity,
      transport: flow.transport,
      sourceAddress: flow.sourceAddress,
      sourcePort: flow.sourcePort,
    };
  }

  #envelopeOf(request: SipRequest, arrival: Arrival, toTag = '', flow?: Flow): RequestEnvelope {
    const use = nonceUseOf(request);
    const own = flow ?? this.#context.flows.get(arrival.flow.flowId);
    return {
      ...envelopeOf(request, {
        ...{ gatewayId: arrival.flow.gatewayId, receivedAtMs: this.#context.nowMs(), toTag, presentity: undefined },
        flow: { ...arrival, id: arrival.flow.flowId },
        nonceReplayed: use !== undefined && own !== undefined && isNonceReplayed(own, use.nonce, use.count),
        bodyEncoding: 'utf8',
      }),
    };
  }
}

const tokenIn = (request: SipRequest): string | undefined =>
  readRoutes(request.all('route')).token ?? tokenOfUri(request.requestUri);

/** Answers to our own ACK and BYE say nothing that we do not know. */
const isOwnBranch = (branch: string): boolean => {
  const loopHash = readBranch(branch)?.loopHash;
  return loopHash === 'bye' || loopHash === 'ack';
};

function trying({ transactions }: CallContext, server: ServerTransaction): void {
  transactions.reply(server, { status: 100, reason: reasonOf(100), headers: [] });
}
