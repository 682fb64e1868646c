/** An INVITE that opens a call, in reading order: checks, the function's route, the branches, their answers, the end. */
import { randomBytes } from 'node:crypto';
import type { CallRoute, CallTarget } from '#contract/call.ts';
import type { Outcome } from '#contract/outcome.ts';
import type { EnvelopedResponse } from '#contract/sip-response.ts';
import { parseCSeq, tagOf } from '#core/sip/header.ts';
import type { SipRequest } from '#core/sip/message.ts';
import { serializeRequest } from '#core/sip/serialize.ts';
import type { Flow } from '../flow-table.ts';
import { answer } from '../generic-answers.ts';
import { Call, type DeviceAnswer, newsOf } from './call.ts';
import {
  type CallContext,
  endBoth,
  finish,
  homeOf,
  newTransactionId,
  report,
  send,
  sendBye,
  viaOf,
} from './call-context.ts';
import {
  CallDialog,
  composeAck,
  contactUriOf,
  type Direction,
  instanceOf,
  isSameFlow,
  type Leg,
  readReplaces,
  routesBeyond,
  withTag,
} from './call-dialog.ts';
import {
  composeForwarded,
  composeHopByHop,
  composePassed,
  gatherChallenges,
  isLoop,
  loopHashOf,
  maxBreadthOf,
  type SentRequest,
} from './call-message.ts';
import { type ServerTransaction, TRANSACTION_MS } from './call-transactions.ts';
import { recordRouteOf, TOKEN_IV_BYTES } from './flow-token.ts';
import { type ForkAction, type ForkEvent, ForkMachine } from './fork-machine.ts';
import { armSession } from './session-timer.ts';

/** Devices of one user that ring for one call; those with the highest q. */
export const MAX_FORKS = 10;

export class InvitePath {
  readonly #context: CallContext;

  constructor(context: CallContext) {
    this.#context = context;
  }

  /** @returns the answer that refuses an INVITE before the function is asked */
  refuse(request: SipRequest, { id, isUnframed }: Flow): EnvelopedResponse | undefined {
    const { settings, calls, counts } = this.#context;
    const perFlow = isUnframed ? settings.maxCallsPerTrunkConnection : settings.maxCallsPerFlow;
    if (isLoop(request, loopHashOf(request), homeOf(settings.gatewayId))) return answer(482);
    if (maxBreadthOf(request) === 0) return answer(440);
    if (calls.live < settings.maxCalls && calls.liveOfFlow(id) < perFlow) return undefined;
    counts.callsLimited++;
    const reason = calls.live < settings.maxCalls ? 'Too Many Calls On This Flow' : 'Too Many Calls';
    return answer(503, [['Retry-After', '5']], reason);
  }

  /** The function has decided: its answer, or its route. */
  routed(server: ServerTransaction, outcome: Outcome): void {
    const { transactions, calls, tenants, counts } = this.#context;
    const { route } = outcome;
    if (route === undefined) {
      transactions.reply(server, outcome.response);
      return;
    }
    const call = this.#open(server, route);
    counts.callsStarted++;
    calls.add(call);
    tenants.callStarted(route.domain);
    calls.addFlow(call, server.source.flow.flowId);
    server.cancel = () => this.take(call, { kind: 'cancelled' });
    call.startTimer('tooLong', Math.max(0, call.expiresAtMs - this.#context.nowMs()), () => this.end(call, 'tooLong'));
    if (server.isCancelled) this.take(call, { kind: 'cancelled' });
    else if (!this.#isCallerThere(server)) this.take(call, { kind: 'callerLost' });
    else this.take(call, { kind: 'start' });
  }

  #isCallerThere({ source }: ServerTransaction): boolean {
    return this.#context.flows.get(source.flow.flowId)?.closed === false;
  }

  #open(server: ServerTransaction, route: CallRoute): Call {
    const { settings, address, tokens, nowMs } = this.#context;
    const { request, source } = server;
    const targets = chooseTargets(route.targets, maxBreadthOf(request));
    const token = { gatewayId: settings.gatewayId, address: address(), callKey: route.callKey };
    const call = new Call({
      ...{ route: { ...route, targets }, server, startedAtMs: nowMs(), loopHash: loopHashOf(request) },
      fork: new ForkMachine<DeviceAnswer>({ ...route, groups: groupsOf(targets) }),
      dialog: new CallDialog(request.get('call-id') ?? '', callerOf(request, route, source.flow)),
      recordRoute: recordRouteOf(tokens.seal(token, randomBytes(TOKEN_IV_BYTES)), this.#routeHost(route)),
    });
    call.reported = newsOf(call); // the function knows that it is tried
    return call;
  }

  /** A trunk must be able to find us by it; clients speak to us on their flows alone. */
  #routeHost({ trunk }: CallRoute): string {
    const { settings, trunk: link } = this.#context;
    if (trunk === undefined || link === undefined) return `${settings.gatewayHost};transport=ws`;
    return link.routeHost(trunk);
  }

  /** Something happened to the INVITE of this call: the machine says what to do. */
  take(call: Call, event: ForkEvent<DeviceAnswer>): void {
    if (call.endedAtMs !== undefined && event.kind !== 'answered') return;
    const events: ForkEvent<DeviceAnswer>[] = [event];
    for (let next = events.shift(); next !== undefined; next = events.shift())
      for (const action of call.facts.fork.take(next)) {
        const consequence = this.#act(call, action);
        if (consequence !== undefined) events.push(consequence);
      }
    if (call.facts.fork.state === 'terminated') finish(this.#context, call);
    else if (call.endedAtMs === undefined) report(this.#context, call);
  }

  /** Ends a call, whatever its state, for a reason of ours. */
  end(call: Call, cause: 'tooLong' | 'admin' | 'gatewayLost' | 'sessionExpired' | 'flowLost'): void {
    if (call.isConfirmed) endBoth(this.#context, call, cause);
    else this.take(call, { kind: 'ended', cause });
  }

  #act(call: Call, action: ForkAction<DeviceAnswer>): ForkEvent<DeviceAnswer> | undefined {
    switch (action.kind) {
      case 'invite':
        return this.#invite(call, action.branch) ? undefined : { kind: 'unreachable', branch: action.branch };
      case 'cancel':
        this.#sendHopByHop(call, 'CANCEL', action.branch, call.facts.server.request.get('to') ?? '');
        return undefined;
      case 'acknowledge':
        this.#sendHopByHop(call, 'ACK', action.branch, action.answer.message.get('to') ?? '');
        return undefined;
      case 'pass':
        this.#pass(call, action.branch, action.answer);
        return undefined;
      case 'release':
        this.#release(call, action.branch, action.answer, action.isRepeated);
        return undefined;
      case 'reject':
        this.#reject(call, action);
        return undefined;
      case 'startTimer':
        call.startTimer(action.timer, action.milliseconds, () =>
          this.take(call, { kind: 'timer', timer: action.timer }),
        );
        return undefined;
      case 'stopTimer':
        call.stopTimer(action.timer);
        return undefined;
      default:
        return action satisfies never;
    }
  }

  #invite(call: Call, branch: number): boolean {
    const { settings, calls, counts, transactions } = this.#context;
    const { server, route, recordRoute, loopHash } = call.facts;
    const target = route.targets[branch];
    if (target === undefined) return false;
    const id = newTransactionId();
    const sent: SentRequest = { requestUri: target.contactUri, via: viaOf(this.#context, loopHash, id), routes: [] };
    const breadth = maxBreadthOf(server.request);
    const fields: [string, string][] = [...route.headers];
    if (breadth !== undefined)
      fields.push(['Max-Breadth', String(Math.max(1, Math.floor(breadth / route.targets.length)))]);
    const text = composeForwarded(server.request, {
      ...{ ...sent, recordRoute, fields, source: server.source },
      ownRealm: server.source.identity?.domain ?? route.domain,
    });
    const isFrom = ({ flow }: { flow: CallTarget['flow'] }): boolean => isSameFlow(flow, target.flow);
    const transaction = {
      ...{ id, sent, isFrom, method: 'INVITE' },
      take: (message: DeviceAnswer['message']) =>
        this.take(call, { kind: 'answered', branch, answer: deviceAnswer(message) }),
    };
    call.branches[branch] = transaction;
    transactions.add(transaction);
    calls.addFlow(call, target.flow.flowId);
    counts.callForks++;
    const isSent = target.flow.gatewayId === settings.gatewayId ? this.#isThere(target) : true;
    return isSent && send(this.#context, target.flow, text);
  }

  #isThere({ flow }: CallTarget): boolean {
    return this.#context.flows.get(flow.flowId) !== undefined;
  }

  #sendHopByHop(call: Call, method: 'ACK' | 'CANCEL', branch: number, to: string): void {
    const { server, route } = call.facts;
    const transaction = call.branches[branch];
    const target = route.targets[branch];
    if (transaction === undefined || target === undefined) return;
    const reasons = method === 'CANCEL' ? cancelReasons(call) : [];
    send(this.#context, target.flow, composeHopByHop(method, server.request, transaction.sent, to, reasons));
  }

  #pass(call: Call, branch: number, given: DeviceAnswer): void {
    const { transactions, nowMs, counts } = this.#context;
    const { fork, dialog, server } = call.facts;
    const leg = this.#noteCallee(call, branch, given);
    transactions.pass(server, given.status, composePassed(given.message));
    if (given.status < 300 && given.status >= 200 && dialog.winner === undefined && leg !== undefined) {
      dialog.winner = leg;
      this.#forgetBranches(call);
      call.answeredAtMs = nowMs();
      counts.callsAnswered++;
      armSession(call, given.message, this.#context, (cause) => this.end(call, cause));
      this.#markReplaced(server.request);
      if (fork.winner?.tag !== leg.tag) this.#context.log.warn({ hop: 'call', callKey: call.key }, 'winner differs');
    }
  }

  /** Late answers are still handled for a while. */
  #forgetBranches({ branches }: Call): void {
    for (const branch of branches)
      if (branch !== undefined) this.#context.transactions.forgetLater(branch.id, 2 * TRANSACTION_MS);
  }

  /** The call whose place this one takes ends with that cause; its parties end it themselves (RFC 3891 section 3). */
  #markReplaced(request: SipRequest): void {
    const replaces = readReplaces(request.get('replaces') ?? '');
    if (replaces === undefined) return;
    const { callId, fromTag, toTag } = replaces;
    const { calls } = this.#context;
    const replaced = calls.findByTags(callId, fromTag, toTag) ?? calls.findByTags(callId, toTag, fromTag);
    if (replaced !== undefined) replaced.isReplaced = true;
  }

  #noteCallee(call: Call, branch: number, given: DeviceAnswer): Leg | undefined {
    const { route, dialog } = call.facts;
    const target = route.targets[branch];
    if (given.tag === undefined || target === undefined) return undefined;
    const known = dialog.callees.get(given.tag);
    const contactUri = given.contactUri ?? known?.contactUri ?? target.contactUri;
    const routes = routesBeyond(given.message.all('record-route'), 'callee');
    if (known !== undefined) {
      known.contactUri = contactUri;
      known.routes = routes;
      return known;
    }
    const address = withTag(call.facts.server.request.get('to') ?? '', given.tag);
    const leg: Leg = {
      ...{ aor: route.callee, tag: given.tag, address, contactUri, instance: target.instance },
      ...{ cseq: 0, flow: target.flow, isLost: false, routes },
      trunk: route.outside === 'callee' ? route.trunk : undefined,
    };
    dialog.callees.set(given.tag, leg);
    return leg;
  }

  /** Nobody takes this answer any more: we acknowledge it and hang up. */
  #release(call: Call, branch: number, given: DeviceAnswer, isRepeated: boolean): void {
    const { dialog, server } = call.facts;
    const leg = this.#noteCallee(call, branch, given);
    if (leg === undefined) return;
    const direction: Direction = { from: { ...dialog.caller }, to: leg };
    const cseq = parseCSeq(server.request.get('cseq') ?? '')?.sequence ?? 1;
    const ack = composeAck(dialog.callId, direction, cseq);
    const via = viaOf(this.#context, 'ack', newTransactionId());
    send(this.#context, leg.flow, serializeRequest('ACK', ack.requestUri, [['Via', via], ...ack.headers], ''));
    if (!isRepeated) sendBye(this.#context, call, direction, 'nobody is there');
  }

  #reject(call: Call, { status, best, all }: Extract<ForkAction<DeviceAnswer>, { kind: 'reject' }>): void {
    const { transactions } = this.#context;
    const { server } = call.facts;
    this.#forgetBranches(call);
    if (best === undefined) transactions.reply(server, answer(status));
    else {
      const messages = all.map(({ message }) => message);
      transactions.pass(server, status, composePassed(best.message, gatherChallenges(best.message, messages)));
    }
  }
}

function deviceAnswer(message: DeviceAnswer['message']): DeviceAnswer {
  const tag = tagOf(message.get('to') ?? '');
  return { status: message.status, tag, contactUri: contactUriOf(message), message };
}

function callerOf(request: SipRequest, route: CallRoute, flow: Leg['flow']): Leg {
  const from = request.get('from') ?? '';
  return {
    ...{ aor: route.caller, tag: tagOf(from) ?? '', address: from, contactUri: contactUriOf(request) ?? route.caller },
    ...{ instance: instanceOf(request), cseq: parseCSeq(request.get('cseq') ?? '')?.sequence ?? 0 },
    ...{ flow, isLost: false, routes: routesBeyond(request.all('record-route'), 'caller') },
    trunk: route.outside === 'caller' ? route.trunk : undefined,
  };
}

/** Highest q first, no more than may ring. */
function chooseTargets(targets: readonly CallTarget[], breadth: number | undefined): CallTarget[] {
  return [...targets].sort((one, other) => other.q - one.q).slice(0, Math.min(MAX_FORKS, breadth ?? MAX_FORKS));
}

/** Branches of equal q ring together. */
function groupsOf(targets: readonly CallTarget[]): number[][] {
  const groups = new Map<number, number[]>();
  for (const [index, { q }] of targets.entries()) groups.set(q, [...(groups.get(q) ?? []), index]);
  return [...groups.values()];
}

/** By these a device tells a missed call from one that somebody else has taken (RFC 3326). */
function cancelReasons({ facts: { fork, server } }: Call): readonly string[] {
  return fork.winner === undefined ? server.cancelReasons : ['SIP;cause=200;text="Call completed elsewhere"'];
}
