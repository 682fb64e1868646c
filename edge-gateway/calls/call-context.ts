/** What the roads of a call share: where to send, where calls stand, who is told. */
import { randomBytes } from 'node:crypto';
import type { CallTarget, FlowAddress, TrunkPeer } from '#contract/call.ts';
import type { GatewayId } from '#contract/ids.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import { serializeRequest } from '#core/sip/serialize.ts';
import type { FunctionQueue } from '../backend.ts';
import type { FlowTable, Transport } from '../flow-table.ts';
import type { IdentityKeeper } from '../identity-keeper.ts';
import type { Outbox } from '../outbox.ts';
import type { Counts, Log } from '../telemetry.ts';
import type { TenantLedger } from '../tenants/tenant-ledger.ts';
import type { TrunkLink } from '../trunk/trunk-link.ts';
import { type Call, newsOf, snapshotOf } from './call.ts';
import { composeBye, type Direction, isSameFlow, type Leg } from './call-dialog.ts';
import { branchText } from './call-message.ts';
import type { CallReports } from './call-reports.ts';
import type { CallTable } from './call-table.ts';
import type { Arrival, CallTransactions } from './call-transactions.ts';
import type { FlowTokens } from './flow-token.ts';
import type { CallCause } from './fork-machine.ts';
import type { PeerLink } from './peer-link.ts';
import { connectTrunk } from './trunk-target.ts';

export interface CallSettings {
  readonly gatewayId: GatewayId;
  /** Host of our Via and Record-Route. */
  readonly gatewayHost: string;
  readonly transport: Transport;
  readonly maxCalls: number;
  readonly maxCallsPerFlow: number;
  readonly maxCallsPerTrunkConnection: number;
  /** A party whose flow is gone, or a session that is not refreshed, has so long. */
  readonly graceMs: number;
}

export interface CallContext {
  readonly settings: CallSettings;
  /** Base URL of this gateway's private port. */
  readonly address: () => string;
  readonly flows: FlowTable;
  readonly outbox: Outbox;
  readonly peers: PeerLink;
  readonly tokens: FlowTokens;
  readonly reports: CallReports;
  readonly transactions: CallTransactions;
  readonly calls: CallTable;
  /** The function `call`. */
  readonly queue: FunctionQueue;
  /** None when this gateway takes no calls of trunks. */
  readonly trunk: TrunkLink | undefined;
  readonly tenants: TenantLedger;
  readonly counts: Counts;
  readonly log: Log;
  readonly nowMs: () => number;
  readonly identities: Pick<IdentityKeeper, 'prove'>;
}

/** The part of our id that stands in branches and in our host name. */
export const homeOf = (gatewayId: GatewayId): string => gatewayId.slice(-12);

export const newTransactionId = (): string => randomBytes(9).toString('base64url');

/** Value of our Via for a new client transaction. */
export function viaOf({ settings }: CallContext, loopHash: string, transaction: string): string {
  const branch = branchText({ loopHash, home: homeOf(settings.gatewayId), transaction });
  return `SIP/2.0/${settings.transport} ${settings.gatewayHost};branch=${branch}`;
}

/** @returns false when it cannot be sent: the flow is of this gateway and gone */
export function send({ settings, flows, outbox, peers, trunk }: CallContext, to: FlowAddress, text: string): boolean {
  if (to.gatewayId !== settings.gatewayId) {
    peers.relay(to, text);
    return true;
  }
  const flow = flows.get(to.flowId);
  if (flow === undefined || flow.closed) return false;
  if (flow.isUnframed && trunk !== undefined) trunk.send(flow, text);
  else outbox.send(flow, text);
  return true;
}

/** Tells how the call stands, when that has changed. */
export function report(context: CallContext, call: Call): void {
  const news = newsOf(call);
  if (news === call.reported) return;
  call.reported = news;
  call.sequence++;
  const snapshot = snapshotOf(call, call.sequence);
  context.reports.put(snapshot);
  const { domain: tenant, callId, callKey, state, cause, status } = snapshot;
  const durationMs = context.nowMs() - call.facts.startedAtMs;
  context.log.info({ hop: 'call', tenant, callId, callKey, state, cause, status, durationMs, sequence: call.sequence });
}

/** What came so late that the call is over is still answered for a while; then it is forgotten. */
const FORGOTTEN_AFTER_MS = 32_000;

export function finish(context: CallContext, call: Call, cause?: CallCause): void {
  if (call.endedAtMs !== undefined) return;
  call.end(context.nowMs(), cause);
  context.calls.ended();
  context.tenants.callEnded(call.facts.route.domain);
  if (call.answeredAtMs === undefined) context.counts.callsFailed++;
  report(context, call);
  setTimeout(() => context.calls.remove(call), FORGOTTEN_AFTER_MS).unref();
}

/** A BYE of ours to one side, as the other would send it. */
export function sendBye(context: CallContext, call: Call, direction: Direction, cause: string): void {
  const bye = composeBye(call.facts.dialog.callId, direction, `SIP;cause=200;text="${cause}"`);
  const via = viaOf(context, 'bye', newTransactionId());
  send(context, direction.to.flow, serializeRequest(bye.method, bye.requestUri, [['Via', via], ...bye.headers], ''));
}

/** Ends a call that was answered: every dialog of it gets a BYE on both sides. */
export function endBoth(context: CallContext, call: Call, cause: CallCause): void {
  const { caller, callees } = call.facts.dialog;
  for (const callee of callees.values()) {
    if (call.facts.fork.forks.get(callee.tag)?.state !== 'confirmed') continue;
    if (!callee.isLost) sendBye(context, call, { from: caller, to: callee }, cause);
    if (!caller.isLost) sendBye(context, call, { from: callee, to: caller }, cause);
  }
  finish(context, call, cause);
}

/** A leg goes on over another flow. */
export function moveLeg(context: CallContext, call: Call, leg: Leg, flow: FlowAddress): void {
  leg.isLost = false;
  call.stopTimer(`lost ${leg.tag}`);
  if (isSameFlow(leg.flow, flow)) return;
  context.calls.removeFlow(call, leg.flow.flowId);
  leg.flow = flow;
  for (const { flow: each } of call.facts.dialog.legs()) context.calls.addFlow(call, each.flowId);
  context.counts.callLegsMoved++;
  report(context, call);
}

/** Asks the function where the device of a lost leg is now, and moves the leg there. */
export async function locate(
  context: CallContext,
  call: Call,
  leg: Leg,
  envelope: RequestEnvelope,
): Promise<'found' | 'nowhere'> {
  if (leg.trunk !== undefined) return reconnect(context, call, leg, leg.trunk);
  const { aor, contactUri, instance } = leg;
  const party = { aor, contactUri, ...(instance === undefined ? {} : { instance }) };
  try {
    const { route } = await context.queue.submit({ ...envelope, party });
    const target = route?.targets[0];
    if (target === undefined) return 'nowhere';
    takeTarget(context, call, leg, target);
    return 'found';
  } catch (error) {
    context.log.error({ hop: 'call', callKey: call.key, err: String(error) }, 'lost party not looked up');
    return 'nowhere';
  }
}

/** A trunk is where it always was: its connections come and go. */
async function reconnect(context: CallContext, call: Call, leg: Leg, peer: TrunkPeer): Promise<'found' | 'nowhere'> {
  const flow = await connectTrunk(context, peer);
  if (flow === undefined) return 'nowhere';
  moveLeg(context, call, leg, flow);
  return 'found';
}

function takeTarget(context: CallContext, call: Call, leg: Leg, target: CallTarget): void {
  leg.contactUri = target.contactUri;
  leg.instance = target.instance ?? leg.instance;
  moveLeg(context, call, leg, target.flow);
}

export const isFlowOf = (leg: Leg, arrival: Arrival): boolean => isSameFlow(leg.flow, arrival.flow);
