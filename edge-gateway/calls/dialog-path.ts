/** Requests in the dialog of a call, in reading order: whose they are, where the other side is, what they change. */
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import { aorOfIdentity } from '#core/identity.ts';
import { parseNameAddr, splitList } from '#core/sip/header.ts';
import type { SipRequest, SipResponse } from '#core/sip/message.ts';
import { isFromTrunk } from '#core/trunk.ts';
import { answer } from '../generic-answers.ts';
import type { Call } from './call.ts';
import { type CallContext, finish, isFlowOf, locate, moveLeg, newTransactionId, send, viaOf } from './call-context.ts';
import { contactUriOf, type Direction, isTargetRefresh, type Leg, noteRequest } from './call-dialog.ts';
import { composeForwarded, composeHopByHop, composePassed, loopHashOf, type SentRequest } from './call-message.ts';
import { directionIn } from './call-table.ts';
import { type Arrival, type ServerTransaction, TRANSACTION_MS } from './call-transactions.ts';
import { readRoutes, tokenOfUri } from './flow-token.ts';
import type { InvitePath } from './invite-path.ts';
import { armSession } from './session-timer.ts';

/** Requests of one call that wait for their answer. */
const MAX_UNDER_WAY = 32;
/** A re-INVITE has so long (timer C, RFC 3261 section 16.6, step 11). */
const TIMER_C_MS = 185_000;
/** A lost device is looked for again and again while the grace lasts. */
const LOOK_AGAIN_MS = 2_000;

/** A request in the dialog of a call, on its way. */
interface Passage {
  readonly call: Call;
  readonly arrival: Arrival;
  readonly request: SipRequest;
  readonly direction: Direction;
  /** None for an ACK. */
  readonly server: ServerTransaction | undefined;
}

export interface DialogPathPorts {
  readonly invitePath: InvitePath;
  /** The envelope of a request, for the function that looks a lost party up. */
  readonly envelopeOf: (request: SipRequest, arrival: Arrival) => RequestEnvelope;
}

export class DialogPath {
  readonly #context: CallContext;
  readonly #ports: DialogPathPorts;

  constructor(context: CallContext, ports: DialogPathPorts) {
    this.#context = context;
    this.#ports = ports;
  }

  /** Takes a request that names this call by its Route or tags. */
  receive(call: Call, request: SipRequest, arrival: Arrival, server: ServerTransaction | undefined): void {
    const direction = directionIn(call, request);
    if (direction === undefined || !mayActFor(direction.from, arrival)) {
      this.#refuse(server, direction === undefined ? 481 : 403);
      return;
    }
    if (call.endedAtMs !== undefined) {
      this.#afterTheEnd(request, server);
      return;
    }
    if (server !== undefined && call.underWay >= MAX_UNDER_WAY) {
      this.#refuse(server, 503);
      return;
    }
    if (call.isConfirmed && this.#mayMove(direction.from, arrival))
      moveLeg(this.#context, call, direction.from, arrival.flow);
    noteRequest(direction.from, request.method, request);
    if (request.method === 'BYE') this.#hangUp(call, direction);
    void this.#pass({ call, arrival, request, direction, server });
  }

  /** What goes to a trunk leaves by this gateway, which knows its credentials and numbers. */
  #mayMove({ trunk }: Leg, { flow }: Arrival): boolean {
    return trunk === undefined || flow.gatewayId === this.#context.settings.gatewayId;
  }

  #refuse(server: ServerTransaction | undefined, status: number): void {
    this.#context.counts.callMessagesRefused++;
    if (server !== undefined) this.#context.transactions.reply(server, answer(status));
  }

  /** Both sides hang up at once: the second BYE finds nobody who still waits for it. */
  #afterTheEnd(request: SipRequest, server: ServerTransaction | undefined): void {
    if (server === undefined) return;
    this.#context.transactions.reply(server, answer(request.method === 'BYE' ? 200 : 481));
  }

  /** Who sends a BYE is through with the session (RFC 3261 section 15.1.1). */
  #hangUp(call: Call, direction: Direction): void {
    const { fork, dialog } = call.facts;
    const callee = direction.from === dialog.caller ? direction.to : direction.from;
    const one = fork.forks.get(callee.tag);
    if (one?.state !== 'confirmed') return;
    one.state = 'terminated';
    // Several devices answered, and the caller keeps one of them (section 13.2.2.4).
    const left = [...fork.forks.values()].find(({ state }) => state === 'confirmed');
    if (left === undefined) finish(this.#context, call, 'bye');
    else dialog.winner = dialog.callees.get(left.tag);
  }

  async #pass(passage: Passage): Promise<void> {
    const { direction, server, request, call } = passage;
    if (await this.#reach(passage)) {
      if (this.#send(passage, this.#routeOf(passage))) return;
      direction.to.isLost = true;
    }
    if (server === undefined) return;
    const status = request.method === 'BYE' ? 200 : call.endedAtMs === undefined ? 480 : 481;
    this.#context.transactions.reply(server, answer(status));
  }

  /** @returns whether the other side has a flow, as far as is known; a lost one is looked for while the grace lasts */
  async #reach({ call, direction: { to }, request, arrival }: Passage): Promise<boolean> {
    const { nowMs, settings } = this.#context;
    if (to.isLost && request.method === 'ACK') return false;
    const untilMs = nowMs() + settings.graceMs - LOOK_AGAIN_MS;
    const isHopeless = (): boolean => request.method === 'BYE' || call.endedAtMs !== undefined || nowMs() > untilMs;
    while (to.isLost) {
      if ((await locate(this.#context, call, to, this.#ports.envelopeOf(request, arrival))) === 'found') return true;
      if (isHopeless()) return false;
      await pause(LOOK_AGAIN_MS);
    }
    return true;
  }

  /** Our Route goes; a strict router has put it into the Request-URI (RFC 3261 section 16.4). */
  #routeOf({ request, direction: { to } }: Passage): Pick<SentRequest, 'requestUri' | 'routes'> {
    const routes = request.all('route').flatMap(splitList);
    if (tokenOfUri(request.requestUri) !== undefined && routes.length > 0) {
      const last = routes.pop() ?? '';
      return { requestUri: parseNameAddr(last)?.uri ?? request.requestUri, routes };
    }
    const { rest } = readRoutes(routes);
    // A device that came back has another Contact than the one which the sender knows.
    return {
      requestUri: rest.length === 0 && to.routes.length === 0 ? to.contactUri : request.requestUri,
      routes: rest,
    };
  }

  /** @returns false when the flow is gone */
  #send(passage: Passage, route: Pick<SentRequest, 'requestUri' | 'routes'>): boolean {
    const { request, arrival, direction, server, call } = passage;
    const id = newTransactionId();
    const sent: SentRequest = { ...route, via: viaOf(this.#context, loopHashOf(request), id) };
    const text = composeForwarded(request, { ...sent, source: arrival });
    if (server !== undefined) this.#expectAnswer(passage, server, id, sent);
    if (send(this.#context, direction.to.flow, text)) return true;
    if (server !== undefined) this.#settle(call, id);
    return false;
  }

  #expectAnswer(passage: Passage, server: ServerTransaction, id: string, sent: SentRequest): void {
    const { call, request, direction } = passage;
    const isInvite = request.method === 'INVITE';
    call.underWay++;
    this.#context.transactions.add({
      ...{ id, sent, method: request.method },
      isFrom: (arrival) => isFlowOf(direction.to, arrival) || mayActFor(direction.to, arrival),
      take: (response) => this.#answered(passage, server, { id, sent }, response),
    });
    const timeout = setTimeout(
      () => this.#giveUp(passage, server, { id, sent }),
      isInvite ? TIMER_C_MS : TRANSACTION_MS,
    );
    this.#underWay.set(id, { passage, flowId: direction.to.flow.flowId, timeout: timeout.unref() });
    if (isInvite) server.cancel = () => this.#cancel(passage, sent);
  }

  /** Requests that wait for their answer, by client transaction: where they went, and when they are given up. */
  readonly #underWay = new Map<string, { passage: Passage; flowId: string; timeout: NodeJS.Timeout }>();

  /** A flow is gone: what it has not answered is sent again, when the device is found elsewhere. */
  flowLost(call: Call, isLost: (leg: Leg) => boolean): void {
    if (call.underWay === 0) return;
    for (const [id, { passage, flowId }] of this.#underWay) {
      const { to } = passage.direction;
      if (passage.call !== call || to.flow.flowId !== flowId || !isLost(to)) continue;
      to.isLost = true;
      this.#settle(call, id);
      this.#context.transactions.forget(id);
      void this.#pass(passage);
    }
  }

  /** @returns false when it had been answered before */
  #settle(call: Call, id: string): boolean {
    const known = this.#underWay.get(id);
    if (known === undefined) return false;
    clearTimeout(known.timeout);
    this.#underWay.delete(id);
    call.underWay--;
    return true;
  }

  #cancel({ request, direction }: Passage, sent: SentRequest): void {
    send(this.#context, direction.to.flow, composeHopByHop('CANCEL', request, sent, request.get('to') ?? ''));
  }

  /** A proxy never answers 408 to anything but an INVITE (RFC 4320 section 4.1). */
  #giveUp(passage: Passage, server: ServerTransaction, { id, sent }: { id: string; sent: SentRequest }): void {
    if (!this.#settle(passage.call, id)) return;
    if (passage.request.method !== 'INVITE') {
      this.#context.transactions.forget(id);
      this.#context.transactions.abandon(server);
      return;
    }
    this.#cancel(passage, sent);
    this.#context.transactions.forgetLater(id);
    this.#context.transactions.reply(server, answer(408));
  }

  #answered(
    passage: Passage,
    server: ServerTransaction,
    { id, sent }: { id: string; sent: SentRequest },
    response: SipResponse,
  ): void {
    const { transactions } = this.#context;
    const { call, request, direction } = passage;
    const { status } = response;
    if (status === 100) return;
    if (status >= 200) {
      if (this.#settle(call, id)) this.#concluded(passage, response);
      if (request.method === 'INVITE') transactions.forgetLater(id);
      else transactions.forget(id);
      if (request.method === 'INVITE' && status >= 300)
        send(this.#context, direction.to.flow, composeHopByHop('ACK', request, sent, response.get('to') ?? ''));
    }
    transactions.pass(server, status, composePassed(response));
  }

  /** A 2xx to a target refresh moves both Contacts and tells how long the session stands from now. */
  #concluded({ call, request, direction }: Passage, response: SipResponse): void {
    if (response.status >= 300 || !isTargetRefresh(request.method)) return;
    direction.from.contactUri = contactUriOf(request) ?? direction.from.contactUri;
    direction.to.contactUri = contactUriOf(response) ?? direction.to.contactUri;
    if (call.isConfirmed) armSession(call, response, this.#context, (cause) => this.#ports.invitePath.end(call, cause));
  }
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds).unref());

/** A side of a call is its flow, or another flow of the same user: it has come back. */
export function mayActFor(leg: Leg, arrival: Arrival): boolean {
  if (isFlowOf(leg, arrival)) return true;
  if (leg.trunk !== undefined) return isOfTrunk(arrival) && isFromTrunk(leg.trunk.addresses, arrival.sourceAddress);
  return arrival.identity !== undefined && aorOfIdentity(arrival.identity) === leg.aor;
}

/** It came from a trunk, or from somebody who says so: no identity is ever proven there. */
export const isOfTrunk = ({ transport }: Pick<Arrival, 'transport'>): boolean =>
  transport === 'TCP' || transport === 'TLS';
