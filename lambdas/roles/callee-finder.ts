/** Callee finder: the devices that a call can reach, by the bindings of a user or by a dialog that they are in. */
import type { CallRoute, CallSnapshot, CallTarget } from '#contract/call.ts';
import { flowIdOf, gatewayIdOf } from '#contract/ids.ts';
import type { OutcomeInput } from '#contract/outcome.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import type { Binding } from '#core/binding.ts';
import { bindingsOfDevice, instanceOf, qOf, type Replaces } from '#core/call-invite.ts';
import { SipRejection } from '#core/error.ts';
import { type Address, addressOfAor } from '#core/identity.ts';
import type { Trunk } from '#core/trunk.ts';
import { loadRegistration } from '#table/binding-item.ts';
import { loadCalls } from '#table/call-item.ts';
import type { LeaseBook } from '#table/lease-book.ts';
import type { Table } from '#table/table.ts';

export interface FinderPorts {
  readonly table: Table;
  readonly leases: LeaseBook;
}

/** Who is called, and where. */
export interface Destination {
  readonly callee: Address;
  readonly targets: readonly CallTarget[];
  /** Of a number outside. */
  readonly trunk?: Trunk;
}

type Party = NonNullable<RequestEnvelope['party']>;

/**
 * All devices of a user, or one of them. One Query, and one GetItem a gateway that is not known yet.
 * @returns undefined when there is no such user
 * @throws {SipRejection} 480 when it cannot be reached
 */
export async function findCallee(
  callee: Address,
  instance: string | undefined,
  ports: FinderPorts,
  nowMs: number,
): Promise<Destination | undefined> {
  const { user, bindings } = await loadRegistration(ports.table, callee, nowMs);
  if (user === undefined) return undefined;
  const meant = instance === undefined ? bindings : bindingsOfDevice(bindings, { instance });
  const targets = await targetsOf(meant, ports, nowMs);
  if (targets.length === 0) throw new SipRejection(480, 'Temporarily Unavailable');
  return { callee, targets };
}

/**
 * The device that is in a dialog (RFC 3891): there alone an INVITE that replaces it can be accepted. Two Queries.
 * @returns undefined when this tenant has no such call
 * @throws {SipRejection} 481 when the device is gone
 */
export async function findReplaced(
  replaces: Replaces,
  domain: string,
  ports: FinderPorts,
  nowMs: number,
): Promise<Destination | undefined> {
  const calls = await loadCalls(ports.table, domain, replaces.callId);
  const live = calls.map(({ snapshot }) => snapshot).filter(({ state }) => state !== 'terminated');
  const leg = live.flatMap((call) => legOf(call, replaces) ?? [])[0];
  const callee = leg && addressOfAor(leg.aor);
  if (!leg || !callee) return undefined;
  const { bindings } = await loadRegistration(ports.table, callee, nowMs);
  const targets = await targetsOf(bindingsOfDevice(bindings, leg), ports, nowMs);
  const known = leg.flow && { kind: 'flow' as const, flow: leg.flow, contactUri: leg.contactUri ?? leg.aor, q: 1 };
  const [target = known] = targets;
  if (target === undefined) throw new SipRejection(481, 'Call/Transaction Does Not Exist');
  return { callee, targets: [target] };
}

type Leg = CallSnapshot['caller'];

/** The side of a call that knows the dialog by these tags. */
function legOf({ caller, callee, forks }: CallSnapshot, { localTag, remoteTag }: Replaces): Leg | undefined {
  const fork = forks.find(({ tag }) => tag === localTag || tag === remoteTag);
  const isOfCall = (fork !== undefined || callee.tag !== undefined) && caller.tag !== undefined;
  if (!isOfCall) return undefined;
  const calleeTag = fork?.tag ?? callee.tag;
  if (localTag === caller.tag && remoteTag === calleeTag) return caller;
  if (localTag !== calleeTag || remoteTag !== caller.tag) return undefined;
  if (calleeTag === callee.tag || fork?.contactUri === undefined) return callee;
  return { aor: callee.aor, contactUri: fork.contactUri };
}

/** Where the device of a party is now. @returns 480, or a route with one target */
export async function findParty(party: Party, ports: FinderPorts, nowMs: number): Promise<OutcomeInput> {
  const address = addressOfAor(party.aor);
  const bindings = address ? (await loadRegistration(ports.table, address, nowMs)).bindings : [];
  const [target] = await targetsOf(bindingsOfDevice(bindings, party), ports, nowMs);
  const response = { status: 480, reason: 'Temporarily Unavailable', headers: [] };
  if (address === undefined || target === undefined) return { response };
  return { response, route: locationOf(party.aor, address.domain, target) };
}

/** Of a route within a call only the target says something. */
const locationOf = (aor: string, domain: string, target: CallTarget): CallRoute => ({
  ...{ domain, callKey: '', caller: aor, callee: aor, targets: [target], headers: [] },
  ...{ noAnswerMs: 0, noAnswerStatus: 408, maxDurationMs: 0 },
});

/** The newest binding of a device first; those of gateways without a lease are unreachable. */
async function targetsOf(bindings: readonly Binding[], { leases }: FinderPorts, nowMs: number): Promise<CallTarget[]> {
  const newestFirst = bindings.toSorted((left, right) => right.updatedAtMs - left.updatedAtMs);
  const targets = newestFirst.map(async (binding): Promise<CallTarget[]> => {
    const lease = await leases.find(binding.gatewayId, nowMs);
    return lease ? [targetOf(binding, lease.address)] : [];
  });
  return (await Promise.all(targets)).flat();
}

function targetOf(binding: Binding, address: string): CallTarget {
  const instance = instanceOf(binding);
  return {
    kind: 'flow',
    flow: { gatewayId: gatewayIdOf(binding.gatewayId), address, flowId: flowIdOf(binding.flowId) },
    contactUri: binding.contactUri,
    q: qOf(binding),
    ...(instance !== undefined && { instance }),
  };
}
