/** Call router (RFC 3261 section 16.5): where an INVITE goes, within the policy and the limits of its tenant. */
import type { CallRoute, CallSnapshot, TrunkChallenge } from '#contract/call.ts';
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
import { meetChallenge } from '#core/digest-client.ts';
import { SipRejection } from '#core/error.ts';
import {
  type Address,
  addressOfHeader,
  addressOfRequestUri,
  aorOfIdentity,
  forbidden,
  isStorable,
} from '#core/identity.ts';
import { responseOf, tooMany } from '#core/rejection.ts';
import { parseNameAddr, tagOf } from '#core/sip/header.ts';
import { type HeaderFields, headerFieldsOf } from '#core/sip/message.ts';
import { callerIdOf, dialledNumber, isFromTrunk, type Trunk, trunkUriOf } from '#core/trunk.ts';
import { type CallStart, startCall } from '#table/call-item.ts';
import { asAuthenticated } from './authenticator.ts';
import { type Destination, type FinderPorts, findCallee, findParty, findReplaced } from './callee-finder.ts';
import { type DialogMonitorPorts, showCall } from './dialog-monitor.ts';
import type { RequestPorts } from './request-ports.ts';
import { failureFields } from './role-log.ts';

export interface CallRouterPorts extends RequestPorts, FinderPorts, DialogMonitorPorts {
  /** Trunk of a tenant, at most 30 s old. */
  readonly loadTrunk: (domain: string) => Promise<Trunk | undefined>;
  readonly randomBytes: (size: number) => Buffer;
}

/** A gateway that has not told of a call so long after all could have rung will not: its answer was lost. */
const SETUP_MARGIN_MS = 60_000;
const RETRY_AFTER_LIMIT_SECONDS = '10';
const CNONCE_BYTES = 12;

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
  // Such requests come from the gateway that keeps the call, and from a party that it has authenticated.
  if (envelope.challenge) return meetTrunkChallenge(envelope, envelope.challenge, ports);
  if (envelope.party) return findParty(envelope.party, ports, nowMs);
  if (envelope.transport === 'TCP' || envelope.transport === 'TLS') return routeFromTrunk(envelope, ports, nowMs);
  const decide = async (identity: Identity, headers: HeaderFields): Promise<OutcomeInput> => {
    const isInDialog = tagOf(headers.get('to') ?? '') !== undefined;
    if (isInDialog || envelope.request.method !== 'INVITE') return { response: OK };
    const caller = { domain: identity.domain, aor: aorOfIdentity(identity), user: identity };
    return { response: UNAVAILABLE, route: await openCall(envelope, caller, headers, ports, nowMs) };
  };
  return asAuthenticated(envelope, ports, nowMs, decide, 'proxy');
}

const OK = { status: 200, reason: 'OK', headers: [] };
/** When no target gives an answer of its own. */
const UNAVAILABLE = { status: 480, reason: 'Temporarily Unavailable', headers: [] };

/** Who calls: a user of the tenant, or somebody outside whose call the tenant's trunk brings. */
interface Caller {
  readonly domain: string;
  readonly aor: string;
  readonly user?: Identity;
  readonly trunk?: Trunk;
}

/** Credentials for a request that the tenant's trunk does not take without; none when the trunk is another one. */
async function meetTrunkChallenge(
  { request }: RequestEnvelope,
  challenge: TrunkChallenge,
  ports: CallRouterPorts,
): Promise<OutcomeInput> {
  const account = (await ports.loadTrunk(challenge.domain))?.account;
  const cnonce = ports.randomBytes(CNONCE_BYTES).toString('hex');
  const asked = { method: request.method, uri: request.requestUri, cnonce };
  const credentials = account && meetChallenge(challenge, account, asked);
  return { response: { ...OK, headers: credentials ? [credentials] : [] } };
}

/**
 * An INVITE of a trunk for a user of its tenant: the tenant is in the Request-URI, and the source address is the proof.
 * @throws {SipRejection} 403, whether or not there is such a tenant
 */
async function routeFromTrunk(envelope: RequestEnvelope, ports: CallRouterPorts, nowMs: number): Promise<OutcomeInput> {
  const headers = headerFieldsOf(envelope.request.headers);
  const { domain } = addressOfRequestUri(envelope.request.requestUri);
  const trunk = await ports.loadTrunk(domain);
  const isTrunk = trunk?.transport === envelope.transport && isFromTrunk(trunk.addresses, envelope.sourceAddress);
  if (!isTrunk || envelope.request.method !== 'INVITE') throw forbidden();
  const aor = parseNameAddr(headers.get('from') ?? '')?.uri;
  if (aor === undefined) throw new SipRejection(400, 'Bad From');
  try {
    const route = await openCall(envelope, { domain, aor, trunk }, headers, ports, nowMs);
    return { response: UNAVAILABLE, route };
  } catch (error) {
    if (!(error instanceof SipRejection)) throw error;
    return { response: responseOf(error) };
  }
}

async function openCall(
  envelope: RequestEnvelope,
  caller: Caller,
  headers: HeaderFields,
  ports: CallRouterPorts,
  nowMs: number,
): Promise<CallRoute> {
  const invite = readInvite(envelope, headers);
  const policy = (await ports.loadTenant(caller.domain))?.policy.calls ?? DEFAULT_CALL_POLICY;
  const destination = await destinationOf(envelope, caller, headers, policy, ports, nowMs);
  const start = await startOf({ envelope, caller, headers, invite, policy, destination }, ports, nowMs);
  if (envelope.tenantFull === 'calls' && start.type !== 'emergency') throw tooMany('Too Many Calls Of This Tenant');
  requireRoom(await startCall(ports.table, start));
  await tryToShow(start.snapshot, ports, nowMs);
  return routeOf(start.snapshot, destination, policy, caller, headers);
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
  caller: Caller,
  headers: HeaderFields,
  policy: CallPolicy,
  ports: CallRouterPorts,
  nowMs: number,
): Promise<Destination> {
  const replaces = readReplaces(headers);
  const replaced = replaces && (await findReplaced(replaces, caller.domain, ports, nowMs));
  if (replaced) return replaced;
  const callee = addressOfRequestUri(request.requestUri);
  if (caller.user) requireNamed(headers, [caller.domain, callee.domain]);
  if (callee.domain !== caller.domain) await requireAllowed(caller.domain, policy, callee.domain, ports);
  if (!isStorable(callee)) throw new SipRejection(404, 'Not Found');
  const found = await findCallee(callee, instanceOfUri(request.requestUri), ports, nowMs);
  return found ?? findOutside(callee, caller, ports);
}

function requireNamed(headers: HeaderFields, domains: readonly string[]): void {
  if (!domains.includes(addressOfHeader(headers, 'to').domain)) throw forbidden();
}

/** A number that no user has goes to the tenant's trunk; what came from there does not go back. */
async function findOutside(callee: Address, caller: Caller, ports: CallRouterPorts): Promise<Destination> {
  const isOwn = caller.user !== undefined && callee.domain === caller.domain;
  const trunk = isOwn && dialledNumber(callee.user) !== undefined ? await ports.loadTrunk(callee.domain) : undefined;
  if (trunk === undefined) throw new SipRejection(404, 'Not Found');
  return { callee, targets: [], trunk };
}

async function requireAllowed(own: string, policy: CallPolicy, domain: string, ports: RequestPorts): Promise<void> {
  const other = await ports.loadTenant(domain);
  requireFederation({ domain: own, policy }, other && { domain, policy: other.policy.calls });
}

interface Opening {
  readonly envelope: RequestEnvelope;
  readonly caller: Caller;
  readonly headers: HeaderFields;
  readonly invite: Invite;
  readonly policy: CallPolicy;
  readonly destination: Destination;
}

async function startOf(opening: Opening, ports: CallRouterPorts, nowMs: number): Promise<CallStart> {
  const { envelope, caller, headers, policy, destination } = opening;
  const type = classify(destination.callee.user, policy.prefixes);
  const variables = variablesOf(headers, policy.variables);
  const callee = destination.trunk ? undefined : destination.callee;
  const facts = { domain: caller.domain, caller: caller.user, callee, type, variables };
  const groups = new Set(destination.targets.map(({ q }) => q)).size || 1;
  return {
    ...{ gatewayId: envelope.gatewayId, type, variables, recordDays: policy.recordDays },
    snapshot: await snapshotOf(opening, ports, nowMs),
    profiles: withLimits(profilesOf(facts), type, policy.limits),
    dueAtMs: nowMs + groups * policy.noAnswerSeconds * 1_000 + SETUP_MARGIN_MS,
  };
}

async function snapshotOf(
  { envelope, caller, invite, policy, destination }: Opening,
  { leases }: CallRouterPorts,
  nowMs: number,
): Promise<CallSnapshot> {
  const { callId, callKey, fromTag, contactUri, instance, cseq } = invite;
  const address = (await leases.find(envelope.gatewayId, nowMs))?.address ?? '';
  const flow = { gatewayId: gatewayIdOf(envelope.gatewayId), address, flowId: flowIdOf(envelope.flowId) };
  const outside = outsideOf(caller, destination);
  return {
    ...{ domain: caller.domain, callId, callKey, sequence: 0, state: 'trying' },
    caller: {
      ...{ aor: caller.aor, tag: fromTag, cseq, flow },
      ...(contactUri !== undefined && { contactUri }),
      ...(instance !== undefined && { instance }),
    },
    callee: { aor: aorOfIdentity(destination.callee) },
    ...(outside && { outside }),
    forks: [],
    startedAtMs: envelope.receivedAtMs,
    expiresAtMs: envelope.receivedAtMs + policy.maxCallSeconds * 1_000,
  };
}

const outsideOf = (caller: Caller, destination: Destination): CallSnapshot['outside'] =>
  caller.trunk ? 'caller' : destination.trunk && 'callee';

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
  snapshot: CallSnapshot,
  { callee: { user }, targets, trunk }: Destination,
  { noAnswerSeconds, noAnswerStatus, maxCallSeconds }: CallPolicy,
  from: Caller,
  headers: HeaderFields,
): CallRoute {
  const { domain, callKey, caller, callee, outside } = snapshot;
  const number = trunk && dialledNumber(user);
  return {
    ...{ domain, callKey, caller: caller.aor, callee: callee.aor, targets: [...targets], noAnswerStatus },
    ...{ noAnswerMs: noAnswerSeconds * 1_000, maxDurationMs: maxCallSeconds * 1_000 },
    headers: assertedIdentity(from, headers, trunk),
    ...(outside && { outside }),
    ...trunkOf(trunk ?? from.trunk),
    ...(trunk && number !== undefined && { trunkUri: trunkUriOf(trunk, number) }),
  };
}

/** What a gateway may know of a trunk: where it is, not who we are there. */
function trunkOf(trunk: Trunk | undefined): Pick<CallRoute, 'trunk'> {
  if (trunk === undefined) return {};
  const { transport, host, port, addresses } = trunk;
  return { trunk: { transport, host, addresses: [...addresses], ...(port !== undefined && { port }) } };
}

/**
 * The identity is proven, so the callee is told it, unless the caller asks for privacy (RFC 3325 section 7, RFC 3323).
 * A trunk is told the number that the tenant shows outside; what a trunk asserts is passed on.
 */
function assertedIdentity({ user }: Caller, headers: HeaderFields, trunk: Trunk | undefined): CallRoute['headers'] {
  const privacy = headers.all('privacy').flatMap((value) => value.toLowerCase().split(/[;,\s]+/));
  if (privacy.includes('id')) return [];
  if (user === undefined) return headers.all('p-asserted-identity').map((value) => ['P-Asserted-Identity', value]);
  const uri = trunk ? callerIdOf(trunk, user.user) : aorOfIdentity(user);
  return [['P-Asserted-Identity', `<${uri}>`]];
}
