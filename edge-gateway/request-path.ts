/** Inbound, in reading order: a frame, a message, its transaction, its turn, its function, its answer. */
import { isUtf8 } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { type GatewayId, type SubscriptionId, subscriptionIdOf } from '#contract/ids.ts';
import type { EndInstruction, Instruction } from '#contract/instruction.ts';
import type { EnvelopedResponse, Outcome, SubscriptionOutcome } from '#contract/outcome.ts';
import type { HeaderEntries, Notification } from '#contract/schemas.ts';
import { DependencyUnavailable } from '#core/error.ts';
import { parseBinaryMessage } from '#core/sip/binary-message.ts';
import { branchOf, tagOf } from '#core/sip/header.ts';
import { type ParseResult, parseMessage, type SipRequest, type SipResponse } from '#core/sip/message.ts';
import { type BucketRate, takeToken } from '#core/token-bucket.ts';
import type { FunctionQueue } from './backend.ts';
import { CALL_BRANCH_PREFIX } from './calls/call-message.ts';
import type { CallPath } from './calls/call-path.ts';
import { aboutAnswer, composeResponse, dialogHeaders, envelopeOf, nonceUseOf, topVia } from './envelope.ts';
import { type Flow, isNonceReplayed } from './flow-table.ts';
import { FORWARD_BRANCH_PREFIX, type ForwardPath } from './forward-path.ts';
import { answer, answerGenerically, type Served, unavailable } from './generic-answers.ts';
import type { IdentityKeeper } from './identity-keeper.ts';
import { readPlainAnswer } from './notify-answer.ts';
import type { NotifyPath } from './notify-path.ts';
import type { Outbox } from './outbox.ts';
import { PendingStates } from './pending-states.ts';
import { SubscriptionPath } from './subscription-path.ts';
import type { SubscriptionTable } from './subscription-table.ts';
import type { Telemetry } from './telemetry.ts';
import type { TenantLedger } from './tenants/tenant-ledger.ts';
import { ServerTransactions, transactionKey } from './transaction.ts';
import { takeTurn } from './turn-taking.ts';

export interface RequestPathSettings {
  readonly gatewayId: GatewayId;
  /** Host of our Via in NOTIFYs. */
  readonly gatewayHost: string;
  readonly maxRequestsPerSecond: number;
  readonly maxSubscriptionsPerFlow: number;
}

export interface RequestPathPorts {
  readonly functions: ReadonlyMap<string, FunctionQueue>;
  readonly subscriptions: SubscriptionTable;
  readonly notifyPath: NotifyPath;
  readonly forwardPath: ForwardPath;
  readonly outbox: Outbox;
  readonly tenants: TenantLedger;
  readonly telemetry: Telemetry;
  readonly identities: Pick<IdentityKeeper, 'prove'>;
  readonly nowMs: () => number;
  readonly isDraining: () => boolean;
  /** Calls, when a function routes them. */
  readonly callPath?: CallPath | undefined;
  /** A subscription has ended here, and the functions do not know yet. */
  readonly isEnding: (id: SubscriptionId) => boolean;
  /** Carries out what came with an outcome, after its answer. */
  readonly carryOut: (instructions: readonly Instruction[], flow: Flow) => void;
}

/** A request on its way, with what its answer needs. */
interface Exchange {
  readonly flow: Flow;
  readonly request: SipRequest;
  readonly key: string;
  readonly toTag: string;
  readonly receivedAtMs: number;
  readonly bodyEncoding: 'utf8' | 'base64';
}

export class RequestPath {
  readonly #settings: RequestPathSettings;
  readonly #ports: RequestPathPorts;
  readonly #served: Served;
  /** Of one flow: it may save two seconds' worth. */
  readonly #flowRate: BucketRate;
  /** Flows with transactions to age. */
  readonly #withTransactions = new Set<Flow>();
  readonly #pending = new PendingStates();
  readonly #subscriptionPath: SubscriptionPath;

  constructor(settings: RequestPathSettings, ports: RequestPathPorts) {
    this.#settings = settings;
    this.#ports = ports;
    const perSecond = settings.maxRequestsPerSecond;
    this.#flowRate = { perSecond, burst: perSecond * 2 };
    this.#served = { methods: new Set(ports.functions.keys()) };
    this.#subscriptionPath = new SubscriptionPath(settings.gatewayHost, { ...ports, pending: this.#pending });
  }

  /** Takes one WebSocket message: a keep-alive, a request or a response (RFC 7118 section 5). */
  receive(flow: Flow, data: Buffer, isBinary: boolean): void {
    flow.heardSincePing = true;
    if (data.length <= 4 && isKeepAlive(data)) {
      if (data.length === 4) this.#ports.outbox.send(flow, '\r\n'); // RFC 5626 section 4.4.1: double CRLF, answered by one
      return;
    }
    // A text frame that is not UTF-8 has closed its flow already (RFC 6455 section 8.1).
    if (isBinary && !isUtf8(data)) {
      this.#receiveMessage(flow, parseBinaryMessage(data), false);
      return;
    }
    const text = data.toString();
    const plain = readPlainAnswer(text);
    if (plain !== undefined && !isOfForward(plain.branch) && !isOfCall(plain.branch))
      this.#ports.notifyPath.takeSuccess(flow, plain.branch);
    else this.#receiveMessage(flow, parseMessage(text, data.length), true);
  }

  #receiveMessage(flow: Flow, parsed: ParseResult, utf8: boolean): void {
    switch (parsed.kind) {
      case 'response':
        this.#receiveResponse(flow, parsed);
        return;
      case 'request':
        if (this.#ports.callPath?.concerns(parsed)) this.#receiveOfCall(flow, parsed, utf8);
        else this.#receiveRequest(flow, parsed, utf8 ? 'utf8' : 'base64');
        return;
      case 'refused':
        this.#receiveRequest(flow, parsed.request, 'utf8', answer(parsed.status, [], parsed.reason));
        return;
      case 'unreadable':
        this.#ports.telemetry.counts.messagesUnreadable++;
        this.#ports.telemetry.log.info({ hop: 'receive', flow: flow.id, reason: parsed.reason }, 'message dropped');
        return;
      default:
        parsed satisfies never;
    }
  }

  #receiveResponse(flow: Flow, response: SipResponse): void {
    const branch = branchOf(response.get('via') ?? '');
    const { notifyPath, forwardPath, callPath } = this.#ports;
    if (isOfCall(branch)) callPath?.receiveResponse(flow, branch, response);
    else (isOfForward(branch) ? forwardPath : notifyPath).takeAnswer(flow, branch, response);
  }

  /** @param refused the answer to a message that is not well formed; a retransmission gets it again */
  #receiveRequest(flow: Flow, request: SipRequest, bodyEncoding: 'utf8' | 'base64', refused?: EnvelopedResponse): void {
    const { telemetry, outbox, nowMs } = this.#ports;
    telemetry.counts.requestsReceived++;
    if (request.method === 'ACK') return; // acknowledges a refusal of ours; there is nothing to answer
    const { branch, sentBy } = topVia(request);
    const key = transactionKey(branch, request.method, sentBy);
    if (branch !== '') {
      const state = this.#transactionsOf(flow).receive(key);
      if (state.kind !== 'new') {
        telemetry.counts.requestsRetransmitted++;
        if (state.kind === 'completed') outbox.send(flow, state.response);
        return;
      }
    }
    const receivedAtMs = nowMs();
    const exchange: Exchange = { flow, request, key, toTag: newTag(), receivedAtMs, bodyEncoding };
    const refusal = refused ?? answerGenerically(request, this.#served) ?? this.#limit(flow, request, receivedAtMs);
    if (refusal !== undefined) this.#answer(exchange, refusal);
    else takeTurn(flow, request.get('call-id') ?? '', () => this.#process(exchange));
  }

  #receiveOfCall(flow: Flow, request: SipRequest, isUtf8: boolean): void {
    const { telemetry, callPath, isDraining, nowMs } = this.#ports;
    telemetry.counts.requestsReceived++;
    const refusal = this.#limitRate(flow, nowMs());
    callPath?.receive(flow, request, { refusal, isDraining: isDraining(), isUtf8 });
  }

  #transactionsOf(flow: Flow): ServerTransactions {
    if (flow.transactions === undefined) {
      flow.transactions = new ServerTransactions();
      this.#withTransactions.add(flow);
    }
    return flow.transactions;
  }

  /** Every few seconds: transactions older than one to two rotations are forgotten. */
  rotateTransactions(): void {
    for (const flow of this.#withTransactions) {
      if (!flow.closed && flow.transactions?.rotate() === false) continue;
      flow.transactions = undefined;
      this.#withTransactions.delete(flow);
    }
  }

  #limit(flow: Flow, request: SipRequest, now: number): EnvelopedResponse | undefined {
    const { telemetry, isDraining } = this.#ports;
    if (isDraining()) return unavailable(1, 'Gateway Is Draining');
    const limited = this.#limitRate(flow, now);
    if (limited !== undefined) return limited;
    // A trunk brings calls; whatever else it wants, it has proven nothing.
    if (flow.isUnframed) return answer(403);
    const ofTenant = this.#ports.tenants.limitRate(flow, request.method);
    if (ofTenant !== undefined || request.method !== 'SUBSCRIBE') return ofTenant;
    const dialogTag = tagOf(request.get('to') ?? '');
    if (dialogTag !== undefined) return this.#ports.isEnding(subscriptionIdOf(dialogTag)) ? gone() : undefined;
    if (flow.subscriptions.size >= this.#settings.maxSubscriptionsPerFlow) {
      telemetry.counts.requestsLimited++;
      return unavailable(60, 'Too Many Subscriptions On This Flow');
    }
    return undefined;
  }

  #limitRate(flow: Flow, now: number): EnvelopedResponse | undefined {
    if (takeToken(flow, this.#flowRate, now)) return undefined;
    this.#ports.telemetry.counts.requestsLimited++;
    return unavailable(1, 'Too Many Requests On This Flow');
  }

  /** A subscription that opens counts from here on, so that many at once cannot pass the quota of their tenant. */
  async #process(exchange: Exchange): Promise<void> {
    const { flow, request } = exchange;
    const opens = isInitialSubscribe(request) ? 'subscriptions' : undefined;
    const refusal = opens && this.#ports.tenants.limitHeld(flow, opens);
    if (refusal !== undefined) {
      this.#answer(exchange, refusal);
      return;
    }
    const account = opens && flow.account;
    if (account !== undefined) account.opening++;
    await this.#ask(exchange, opens);
    if (account !== undefined) account.opening--;
  }

  async #ask(exchange: Exchange, opens: 'subscriptions' | undefined): Promise<void> {
    const { flow, request } = exchange;
    const { functions, subscriptions, tenants } = this.#ports;
    const dialogTag = request.method === 'SUBSCRIBE' ? (tagOf(request.get('to') ?? '') ?? exchange.toTag) : undefined;
    const id = dialogTag === undefined ? undefined : subscriptionIdOf(dialogTag);
    const held = id === undefined ? undefined : subscriptions.get(id);
    const tenantFull = tenants.fullFor(flow, request, opens);
    if (id !== undefined && held === undefined) this.#pending.open(id);
    try {
      const use = nonceUseOf(request);
      const envelope = envelopeOf(request, {
        gatewayId: this.#settings.gatewayId,
        flow,
        receivedAtMs: exchange.receivedAtMs,
        toTag: exchange.toTag,
        nonceReplayed: use !== undefined && isNonceReplayed(flow, use.nonce, use.count),
        presentity: held?.resource.presentity,
        bodyEncoding: exchange.bodyEncoding,
        tenantFull,
      });
      const queue = functions.get(request.method);
      if (queue === undefined) throw new Error(`no function for ${request.method}`);
      const outcome = await queue.submit(envelope, this.#ports.nowMs() - exchange.receivedAtMs);
      if (outcome.response.status === 503) tenants.refusedFor(flow, request, tenantFull);
      this.#apply(exchange, outcome);
    } catch (error) {
      this.#answer(exchange, this.#answerToFailure(exchange, error));
    } finally {
      if (id !== undefined) this.#pending.close(id);
    }
  }

  #answerToFailure(exchange: Exchange, error: unknown): EnvelopedResponse {
    const { telemetry } = this.#ports;
    const unavailableBackend = error instanceof DependencyUnavailable;
    if (unavailableBackend) telemetry.counts.requestsOverload++;
    const callId = exchange.request.get('call-id');
    telemetry.log.error({ hop: 'function', callId, method: exchange.request.method, err: String(error) }, 'no outcome');
    return unavailableBackend ? unavailable(error.retryAfterSeconds) : answer(500);
  }

  /** Applies an outcome: what the flow has proven, the answer, then the NOTIFY that follows it on the same flow. */
  #apply(exchange: Exchange, outcome: Outcome): void {
    const { flow } = exchange;
    this.#ports.identities.prove(flow, outcome.identity, exchange.request.get('user-agent'));
    if (outcome.registered !== undefined) flow.registered = outcome.registered;
    const { subscription } = outcome;
    if (subscription === undefined) this.#answer(exchange, outcome.response);
    else this.#applySubscription(exchange, outcome.response, subscription);
    if (outcome.instructions.length > 0) this.#ports.carryOut(outcome.instructions, flow);
  }

  #applySubscription(exchange: Exchange, response: EnvelopedResponse, subscription: SubscriptionOutcome): void {
    const extra = dialogHeaders(exchange.request, subscription.presentity);
    this.#answer(exchange, response, extra);
    this.#subscriptionPath.take(exchange, subscription);
  }

  /** @returns true when the SUBSCRIBE of this id is still with its function: the state is kept for it */
  keepForPending(id: SubscriptionId, notification: Notification, presentity = ''): boolean {
    return this.#pending.keep(id, presentity, notification);
  }

  /** @returns true when the SUBSCRIBE of this id is still with its function: what it opens ends as soon as it is there */
  keepEndForPending(id: SubscriptionId, end: EndInstruction): boolean {
    return this.#pending.keepEnd(id, end);
  }

  #answer(exchange: Exchange, response: EnvelopedResponse, extra: HeaderEntries = []): void {
    const { flow, request, key } = exchange;
    const { telemetry, outbox, nowMs } = this.#ports;
    const headers = [...extra, ...response.headers].map(([name, value]): [string, string] => [name, value]);
    const text = composeResponse(request, { ...response, headers }, flow, exchange.toTag);
    if (key !== '') flow.transactions?.complete(key, text);
    if (!flow.closed) outbox.send(flow, text);
    const durationMs = nowMs() - exchange.receivedAtMs;
    if (response.status >= 500 && response.status < 600) telemetry.counts.serverErrors++;
    telemetry.requestSeconds.observe(
      { method: this.#served.methods.has(request.method) ? request.method : 'other' },
      durationMs / 1000,
    );
    telemetry.log.info({ ...aboutAnswer(flow, request, response), durationMs });
  }
}

const isInitialSubscribe = (request: SipRequest): boolean =>
  request.method === 'SUBSCRIBE' && tagOf(request.get('to') ?? '') === undefined;

const gone = (): EnvelopedResponse => answer(481, [], 'Subscription Does Not Exist');

const isOfForward = (branch: string): boolean => branch.startsWith(FORWARD_BRANCH_PREFIX);
const isOfCall = (branch: string): boolean => branch.startsWith(CALL_BRANCH_PREFIX);
const isKeepAlive = (data: Buffer): boolean => data.every((byte) => byte === 13 || byte === 10);

const newTag = (): string => randomBytes(12).toString('base64url');
