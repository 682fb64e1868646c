/** Call router (RFC 3261 section 16.5): where an INVITE goes, within the policy and the limits of its tenant. */
import type { CallRoute, CallSnapshot } from '#contract/call.ts';
import { flowIdOf, gatewayIdOf } from '#contract/ids.ts';
import type { OutcomeInput } from '#contract/outcome.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import type { HeaderEntries, Identity } from '#contract/schemas.ts';
import { type Invite, instanceOfUri, readInvite, readReplaces } from '#core/call-invite.ts';
import {
  type CallPolicy,
  type CountedProfile,
  classify,
  DEFAULT_CALL_POLICY,
  profilesOf,
  requireFederation,
  variablesOf,
  withLimits,
} from '#core/call-policy.ts';
import { SipRejection } from '#core/error.ts';
import { addressOfHeader, addressOfRequestUri, aorOfIdentity, forbidden, isStorable } from '#core/identity.ts';
import { tagOf } from '#core/sip/header.ts';
import type { HeaderFields } from '#core/sip/message.ts';
import { type CallStart, startCall } from '#table/call-item.ts';
import { asAuthenticated } from './authenticator.ts';
import { type Destination, type FinderPorts, findCallee, findParty, findReplaced } from './callee-finder.ts';
import { type DialogMonitorPorts, showCall } from './dialog-monitor.ts';
import type { RequestPorts } from './request-ports.ts';
import { failureFields } from './role-log.ts';

export type CallRouterPorts = RequestPorts & FinderPorts & DialogMonitorPorts;

/** A gateway that has not told of a call so long after all could have rung will not: its answer was lost. */
const SETUP_MARGIN_MS = 60_000;
const RETRY_AFTER_LIMIT_SECONDS = '10';

/**
 * Answers one INVITE with a route: one Query, one TransactWriteItems and one UpdateItem; one Query more when it replaces
 * a dialog. A request within a dialog is only authenticated; with a `party`, the device of that is found: one Query.
 * @throws {SipRejection} 407 and other refusals before the sender is known; later ones come as an outcome
 */
export async function routeCall(
  envelope: RequestEnvelope,
  ports: CallRouterPorts,
  nowMs: number,
): Promise<OutcomeInput> {
  // Such a request comes from the gateway that keeps the call, and from a party that it has authenticated.
  if (envelope.party) return findParty(envelope.party, ports, nowMs);
  const decide = async (identity: Identity, headers: HeaderFields): Promise<OutcomeInput> => {
    const isInDialog = tagOf(headers.get('to') ?? '') !== undefined;
    if (isInDialog || envelope.request.method !== 'INVITE') return { response: OK };
    return { response: UNAVAILABLE, route: await openCall(envelope, identity, headers, ports, nowMs) };
  };
  return asAuthenticated(envelope, ports, nowMs, decide, 'proxy');
}

const OK = { status: 200, reason: 'OK', headers: [] };
/** When no target gives an answer of its own. */
const UNAVAILABLE = { status: 480, reason: 'Temporarily Unavailable', headers: [] };

async function openCall(
  envelope: RequestEnvelope,
  identity: Identity,
  headers: HeaderFields,
  ports: CallRouterPorts,
  nowMs: number,
): Promise<CallRoute> {
  const invite = readInvite(envelope, headers);
  const policy = (await ports.loadTenant(identity.domain))?.policy.calls ?? DEFAULT_CALL_POLICY;
  const destination = await destinationOf(envelope, identity, headers, policy, ports, nowMs);
  const start = await startOf({ envelope, identity, headers, invite, policy, destination }, ports, nowMs);
  requireRoom(await startCall(ports.table, start));
  await tryToShow(start.snapshot, ports, nowMs);
  return routeOf(start.snapshot, destination, policy, assertedIdentity(identity, headers));
}

/** The call is kept: its gateway's first word shows it, if this does not. */
async function tryToShow(snapshot: CallSnapshot, ports: DialogMonitorPorts, nowMs: number): Promise<void> {
  try {
    await showCall(snapshot, ports, nowMs);
  } catch (error) {
    ports.telemetry.log('warn', 'call', { callId: snapshot.callId, ...failureFields(error) });
  }
}

async function destinationOf(
  { request }: RequestEnvelope,
  identity: Identity,
  headers: HeaderFields,
  policy: CallPolicy,
  ports: CallRouterPorts,
  nowMs: number,
): Promise<Destination> {
  const replaces = readReplaces(headers);
  const replaced = replaces && (await findReplaced(replaces, identity.domain, ports, nowMs));
  if (replaced) return replaced;
  const callee = addressOfRequestUri(request.requestUri);
  const to = addressOfHeader(headers, 'to');
  if (![identity.domain, callee.domain].includes(to.domain)) throw forbidden();
  if (callee.domain !== identity.domain) await requireAllowed(identity.domain, policy, callee.domain, ports);
  if (!isStorable(callee)) throw new SipRejection(404, 'Not Found');
  return findCallee(callee, instanceOfUri(request.requestUri), ports, nowMs);
}

async function requireAllowed(own: string, policy: CallPolicy, domain: string, ports: RequestPorts): Promise<void> {
  const other = await ports.loadTenant(domain);
  requireFederation({ domain: own, policy }, other && { domain, policy: other.policy.calls });
}

interface Opening {
  readonly envelope: RequestEnvelope;
  readonly identity: Identity;
  readonly headers: HeaderFields;
  readonly invite: Invite;
  readonly policy: CallPolicy;
  readonly destination: Destination;
}

async function startOf(opening: Opening, ports: CallRouterPorts, nowMs: number): Promise<CallStart> {
  const { envelope, identity, headers, policy, destination } = opening;
  const type = classify(destination.callee.user, policy.prefixes);
  const variables = variablesOf(headers, policy.variables);
  const facts = { domain: identity.domain, caller: identity, callee: destination.callee, type, variables };
  const groups = new Set(destination.targets.map(({ q }) => q)).size;
  return {
    ...{ gatewayId: envelope.gatewayId, type, variables, recordDays: policy.recordDays },
    snapshot: await snapshotOf(opening, ports, nowMs),
    profiles: withLimits(profilesOf(facts), type, policy.limits),
    dueAtMs: nowMs + groups * policy.noAnswerSeconds * 1_000 + SETUP_MARGIN_MS,
  };
}

async function snapshotOf(
  { envelope, identity, invite, policy, destination }: Opening,
  { leases }: CallRouterPorts,
  nowMs: number,
): Promise<CallSnapshot> {
  const { callId, callKey, fromTag, contactUri, instance, cseq } = invite;
  const address = (await leases.find(envelope.gatewayId, nowMs))?.address ?? '';
  const flow = { gatewayId: gatewayIdOf(envelope.gatewayId), address, flowId: flowIdOf(envelope.flowId) };
  return {
    ...{ domain: identity.domain, callId, callKey, sequence: 0, state: 'trying' },
    caller: {
      ...{ aor: aorOfIdentity(identity), tag: fromTag, cseq, flow },
      ...(contactUri !== undefined && { contactUri }),
      ...(instance !== undefined && { instance }),
    },
    callee: { aor: aorOfIdentity(destination.callee) },
    forks: [],
    startedAtMs: envelope.receivedAtMs,
    expiresAtMs: envelope.receivedAtMs + policy.maxCallSeconds * 1_000,
  };
}

/** @throws {SipRejection} as the limit that is reached says; 482 for a request that has had its call */
function requireRoom(result: Awaited<ReturnType<typeof startCall>>): void {
  if (result.kind === 'limited') throw limitReached(result.by);
  if (result.kind === 'repeated' && result.hasEnded) throw new SipRejection(482, 'Call Has Ended');
}

function limitReached({ limit }: CountedProfile): SipRejection {
  const isBusy = limit?.status !== 503;
  const headers: HeaderEntries = isBusy ? [] : [['Retry-After', RETRY_AFTER_LIMIT_SECONDS]];
  const reason = limit?.reason ?? (isBusy ? 'Busy Here' : 'Service Unavailable');
  return new SipRejection(isBusy ? 486 : 503, reason, headers);
}

function routeOf(
  { domain, callKey, caller, callee }: CallSnapshot,
  { targets }: Destination,
  { noAnswerSeconds, noAnswerStatus, maxCallSeconds }: CallPolicy,
  headers: CallRoute['headers'],
): CallRoute {
  return {
    ...{ domain, callKey, caller: caller.aor, callee: callee.aor, targets: [...targets], headers, noAnswerStatus },
    ...{ noAnswerMs: noAnswerSeconds * 1_000, maxDurationMs: maxCallSeconds * 1_000 },
  };
}

/** The identity is proven, so the callee is told it, unless the caller asks for privacy (RFC 3325 section 7, RFC 3323). */
function assertedIdentity(identity: Identity, headers: HeaderFields): CallRoute['headers'] {
  const privacy = headers.all('privacy').flatMap((value) => value.toLowerCase().split(/[;,\s]+/));
  return privacy.includes('id') ? [] : [['P-Asserted-Identity', `<${aorOfIdentity(identity)}>`]];
}
