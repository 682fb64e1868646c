/** Between calls and trunks: requests get our Via, and credentials when the trunk asks for them; calls see neither. */
import { randomBytes } from 'node:crypto';
import type { TrunkPeer } from '#contract/call.ts';
import type { GatewayId } from '#contract/ids.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import type { HeaderEntries } from '#contract/schemas.ts';
import { branchOf, parseCredentials, parseCSeq, tagOf } from '#core/sip/header.ts';
import { parseMessage, type SipRequest, type SipResponse } from '#core/sip/message.ts';
import type { FunctionQueue } from '../backend.ts';
import type { Call } from '../calls/call.ts';
import { branchText, readBranch } from '../calls/call-message.ts';
import type { CallTable } from '../calls/call-table.ts';
import type { Flow, Transport } from '../flow-table.ts';
import type { Outbox } from '../outbox.ts';
import type { Telemetry } from '../telemetry.ts';
import type { TrunkConnections } from './trunk-connections.ts';
import { composeForCall, composeForTrunk, composeOwnAck, TrunkSide } from './trunk-side.ts';

/** Further answers to a request, and its ACK, may come so long after the final one. */
const KEPT_MS = 32_000;
/** Timer C and more: what has no answer by then gets none. */
const UNANSWERED_MS = 600_000;
const MAX_NONCES = 1_000;
/** The first challenge, and one that says that the nonce was stale. */
const MAX_TRIES = 2;

export interface TrunkLinkPorts {
  readonly gatewayId: GatewayId;
  readonly connections: TrunkConnections;
  /** `host:port` of our listener for this transport; of another one when there is none for it. */
  readonly listener: (transport: Transport) => { readonly transport: Transport; readonly host: string } | undefined;
  readonly calls: CallTable;
  readonly outbox: Outbox;
  /** The function `call`. */
  readonly queue: FunctionQueue;
  readonly telemetry: Telemetry;
  readonly nowMs: () => number;
  /** Takes an answer that came while the function was asked. */
  readonly deliver: (flow: Flow, branch: string, response: SipResponse) => void;
}

/** A request that went to a trunk, once or again with credentials. */
interface Exchange {
  readonly request: SipRequest;
  readonly side: TrunkSide;
  /** Tenant of its call. */
  readonly domain: string;
  /** Branch and CSeq number as the call knows them. */
  readonly branch: string;
  readonly given: number;
  sentBranch: string;
  sequence: number;
  credentials: HeaderEntries;
  tries: number;
  /** It has been answered in any way since it was sent last. */
  isHeard: boolean;
  isAsking: boolean;
  /** Its last answer was a challenge, which has had its ACK. */
  isAcknowledged: boolean;
  /** The CANCEL waits for an answer (RFC 3261 section 9.1). */
  cancel: SipRequest | undefined;
  expiry: NodeJS.Timeout;
}

export class TrunkLink {
  readonly #ports: TrunkLinkPorts;
  readonly #byBranch = new Map<string, Exchange>();
  readonly #bySentBranch = new Map<string, Exchange>();
  readonly #sides = new WeakMap<Call, Map<string, TrunkSide>>();
  /** How often each nonce was used (nc). */
  readonly #nonces = new Map<string, number>();

  constructor(ports: TrunkLinkPorts) {
    this.#ports = ports;
  }

  /** @throws {Error} when the trunk cannot be reached */
  connect(peer: TrunkPeer): Promise<Flow> {
    return this.#ports.connections.connect(peer);
  }

  /** Our URI for Record-Route, without the token that is its user. */
  routeHost(peer: TrunkPeer): string {
    const own = this.#ports.listener(peer.transport);
    return `${own?.host ?? 'trunk.invalid'};transport=${(own?.transport ?? peer.transport).toLowerCase()}`;
  }

  /** Sends what a call has for a trunk. */
  send(flow: Flow, text: string): void {
    const message = parseMessage(text);
    if (message.kind !== 'request') this.#ports.outbox.send(flow, text);
    else if (message.method === 'ACK') this.#acknowledge(flow, message);
    else if (message.method === 'CANCEL') this.#cancel(flow, message);
    else this.#begin(flow, message);
  }

  #begin(flow: Flow, request: SipRequest): void {
    const { side, domain } = this.#sideOf(request);
    const branch = branchOf(request.get('via') ?? '');
    const given = parseCSeq(request.get('cseq') ?? '')?.sequence ?? 0;
    const exchange: Exchange = {
      ...{ request, side, domain, branch, given, sentBranch: branch, sequence: side.first(given), credentials: [] },
      ...{ tries: 0, isHeard: false, isAsking: false, isAcknowledged: false, cancel: undefined },
      expiry: setTimeout(() => this.#forget(exchange), UNANSWERED_MS).unref(),
    };
    this.#byBranch.set(branch, exchange);
    this.#write(flow, exchange);
  }

  #write(flow: Flow, exchange: Exchange): void {
    const { request, side, given, sentBranch, sequence, credentials } = exchange;
    if (request.method === 'INVITE') side.sentInvite(given, { sequence, credentials });
    this.#bySentBranch.set(sentBranch, exchange);
    const via = this.#viaOf(flow, sentBranch);
    const invite = (of: number) => side.invite(of);
    this.#ports.outbox.send(flow, composeForTrunk(request, { via, sequence, credentials, invite }));
  }

  #viaOf({ transport }: Flow, branch: string): string {
    const host = this.#ports.listener(transport)?.host ?? 'trunk.invalid';
    return `SIP/2.0/${transport} ${host};branch=${branch};rport`;
  }

  /** By the call whose side inside has this From tag. */
  #sideOf(request: SipRequest): { side: TrunkSide; domain: string } {
    const tag = tagOf(request.get('from') ?? '') ?? '';
    const call = this.#ports.calls.ofCallId(request.get('call-id') ?? '').find((each) => hasInside(each, tag));
    if (call === undefined) return { side: new TrunkSide(), domain: '' };
    const sides = this.#sides.get(call) ?? new Map<string, TrunkSide>();
    this.#sides.set(call, sides);
    const side = sides.get(tag) ?? new TrunkSide();
    sides.set(tag, side);
    return { side, domain: call.facts.route.domain };
  }

  /** That of a refusal has the branch of its INVITE, that of a 2xx one of its own. */
  #acknowledge(flow: Flow, ack: SipRequest): void {
    const branch = branchOf(ack.get('via') ?? '');
    const exchange = this.#byBranch.get(branch);
    if (exchange !== undefined) {
      if (!exchange.isAcknowledged) this.#sendLike(flow, exchange, ack);
      return;
    }
    const given = parseCSeq(ack.get('cseq') ?? '')?.sequence ?? 0;
    const { side } = this.#sideOf(ack);
    const { sequence, credentials } = side.invite(given) ?? { sequence: given, credentials: [] };
    const via = this.#viaOf(flow, branch);
    this.#ports.outbox.send(flow, composeForTrunk(ack, { via, sequence, credentials, invite: () => undefined }));
  }

  #cancel(flow: Flow, cancel: SipRequest): void {
    const exchange = this.#byBranch.get(branchOf(cancel.get('via') ?? ''));
    if (exchange === undefined) return;
    if (exchange.isHeard && !exchange.isAsking) this.#sendLike(flow, exchange, cancel);
    else exchange.cancel = cancel;
  }

  #sendLike(flow: Flow, { sentBranch, sequence }: Exchange, request: SipRequest): void {
    const via = this.#viaOf(flow, sentBranch);
    const text = composeForTrunk(request, { via, sequence, credentials: [], invite: () => undefined });
    this.#ports.outbox.send(flow, text);
  }

  /**
   * Takes an answer of a trunk.
   * @returns what the call is to take; undefined when a challenge is to be met first
   */
  receive(
    flow: Flow,
    sentBranch: string,
    response: SipResponse,
  ): { branch: string; response: SipResponse } | undefined {
    const exchange = this.#bySentBranch.get(sentBranch);
    if (exchange === undefined) return { branch: sentBranch, response };
    const { branch, given, request } = exchange;
    const isOfRequest = parseCSeq(response.get('cseq') ?? '')?.method === request.method;
    if (isOfRequest && sentBranch !== exchange.sentBranch) return undefined; // the challenge, once more
    if (isOfRequest && response.status < 200) this.#heard(flow, exchange);
    if (isOfRequest && response.status >= 200) {
      const asks = response.status === 401 || response.status === 407;
      if (exchange.isAsking) return undefined;
      if (asks && mayRetry(exchange, response)) {
        void this.#retry(flow, exchange, response);
        return undefined;
      }
      this.#forgetLater(exchange);
      if (asks) return { branch, response: this.#unmet(exchange, response) };
    }
    return { branch, response: composeForCall(response, given) };
  }

  #heard(flow: Flow, exchange: Exchange): void {
    exchange.isHeard = true;
    if (exchange.cancel !== undefined) this.#sendLike(flow, exchange, exchange.cancel);
    exchange.cancel = undefined;
  }

  /** The credentials of the trunk's account are nothing that its caller could give. */
  #unmet({ given, domain }: Exchange, response: SipResponse): SipResponse {
    const { counts, log } = this.#ports.telemetry;
    counts.trunkChallengesUnmet++;
    log.warn({ hop: 'trunk', tenant: domain, status: response.status }, 'the trunk does not take our credentials');
    return composeForCall(response, given, [502, 'Bad Gateway']);
  }

  async #retry(flow: Flow, exchange: Exchange, response: SipResponse): Promise<void> {
    const { request, side, sentBranch, sequence, given, branch } = exchange;
    const { telemetry, outbox, deliver } = this.#ports;
    telemetry.counts.trunkChallenges++;
    exchange.isAsking = true;
    exchange.isAcknowledged = true;
    if (request.method === 'INVITE')
      outbox.send(flow, composeOwnAck(request, response, this.#viaOf(flow, sentBranch), sequence));
    const credentials = await this.#ask(flow, exchange, response);
    exchange.isAsking = false;
    if (exchange.cancel !== undefined || credentials.length === 0) {
      this.#forgetLater(exchange);
      const isCancelled = exchange.cancel !== undefined;
      const cancelled = (): SipResponse => composeForCall(response, given, [487, 'Request Terminated']);
      deliver(flow, branch, isCancelled ? cancelled() : this.#unmet(exchange, response));
      return;
    }
    exchange.tries++;
    exchange.isHeard = false;
    exchange.isAcknowledged = false;
    exchange.sequence = side.again();
    exchange.credentials = credentials;
    exchange.sentBranch = anotherBranch(branch);
    this.#write(flow, exchange);
  }

  async #ask(flow: Flow, { request, domain }: Exchange, response: SipResponse): Promise<HeaderEntries> {
    const { queue, gatewayId, telemetry, nowMs } = this.#ports;
    const challenges = challengesOf(response).map(({ field, value, nonce }) => ({
      ...{ field, value, count: this.#countOf(nonce) },
    }));
    const envelope: RequestEnvelope = {
      ...{ gatewayId, flowId: flow.id, transport: flow.transport, sourceAddress: flow.sourceAddress },
      ...{ receivedAtMs: nowMs(), toTag: '', nonceReplayed: false, challenge: { domain, challenges } },
      request: {
        ...{ method: request.method, requestUri: request.requestUri, body: '', bodyEncoding: 'utf8' },
        headers: [['Call-ID', request.get('call-id') ?? '']],
      },
    };
    try {
      return (await queue.submit(envelope)).response.headers;
    } catch (error) {
      telemetry.log.error({ hop: 'trunk', tenant: domain, err: String(error) }, 'challenge not met');
      return [];
    }
  }

  #countOf(nonce: string): number {
    const count = (this.#nonces.get(nonce) ?? 0) + 1;
    this.#nonces.delete(nonce);
    this.#nonces.set(nonce, count);
    const [oldest] = this.#nonces.keys();
    if (this.#nonces.size > MAX_NONCES && oldest !== undefined) this.#nonces.delete(oldest);
    return count;
  }

  #forgetLater(exchange: Exchange): void {
    clearTimeout(exchange.expiry);
    exchange.expiry = setTimeout(() => this.#forget(exchange), KEPT_MS).unref();
  }

  #forget(exchange: Exchange): void {
    clearTimeout(exchange.expiry);
    this.#byBranch.delete(exchange.branch);
    for (const branch of [exchange.branch, exchange.sentBranch]) this.#bySentBranch.delete(branch);
  }
}

function hasInside({ facts: { route, dialog } }: Call, tag: string): boolean {
  if (route.outside === undefined) return false;
  return route.outside === 'callee' ? dialog.caller.tag === tag : dialog.callees.has(tag);
}

/** What another answer would be no better than: a second challenge says that the first credentials were wrong. */
function mayRetry({ tries, domain }: Exchange, response: SipResponse): boolean {
  if (domain === '' || tries >= MAX_TRIES) return false;
  const challenges = challengesOf(response);
  return challenges.length > 0 && (tries === 0 || challenges.some(({ isStale }) => isStale));
}

function challengesOf(response: SipResponse): { field: string; value: string; nonce: string; isStale: boolean }[] {
  return (['WWW-Authenticate', 'Proxy-Authenticate'] as const).flatMap((field) =>
    response.all(field.toLowerCase()).map((value) => {
      const params = parseCredentials(value)?.params;
      const isStale = params?.get('stale')?.toLowerCase() === 'true';
      return { field, value, nonce: params?.get('nonce') ?? '', isStale };
    }),
  );
}

function anotherBranch(branch: string): string {
  const transaction = randomBytes(9).toString('base64url');
  const { loopHash = 'trunk', home = 'trunk' } = readBranch(branch) ?? {};
  return branchText({ loopHash, home, transaction });
}
