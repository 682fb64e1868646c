/** Operator desk: what operators see of calls, and how they end one. */
import type { GatewayId } from '#contract/ids.ts';
import { gatewayIdOf } from '#contract/ids.ts';
import type { Instruction } from '#contract/instruction.ts';
import { type CallProfile, DEFAULT_CALL_POLICY, limitOf } from '#core/call-policy.ts';
import { viewCall, viewRecord } from '#core/call-view.ts';
import type { Delivery } from '#core/delivery.ts';
import { Problem } from '#core/problem.ts';
import { loadSizes, loadStatistics } from '#table/call-counters.ts';
import { type Call, loadCalls } from '#table/call-item.ts';
import { listCalls, listRecords, listTenants, type Page } from '#table/call-list.ts';
import type { LeaseBook } from '#table/lease-book.ts';
import type { Table } from '#table/table.ts';
import type { Tenant } from '#table/tenant-item.ts';

export interface OperatorDeskPorts {
  readonly table: Table;
  readonly leases: LeaseBook;
  readonly loadTenant: (domain: string) => Promise<Tenant | undefined>;
  readonly gateways: {
    /** One POST. Never throws for what a gateway does. */
    deliver(gatewayId: GatewayId, address: string, instructions: readonly Instruction[]): Promise<Delivery>;
  };
}

/** Where a page begins: at a tenant, behind a place in it. */
export interface Position {
  readonly tenant: string;
  readonly place?: string | undefined;
}

export interface Slice {
  readonly limit: number;
  readonly from?: Position | undefined;
}

export interface Listing<T> {
  readonly items: readonly T[];
  readonly next?: Position;
}

const RETRY_SECONDS = '5';
/** Calls that the view of a profile lists. */
const MAX_PROFILE_CALLS = 500;
const PROFILES: readonly string[] = ['total', 'emergency', 'type', 'user', 'account'];
const WITHOUT_VALUE: readonly string[] = ['total', 'emergency'];

/** @param tenant undefined: those of all tenants, one tenant after the other */
export async function showCalls(ports: OperatorDeskPorts, tenant: string | undefined, slice: Slice, nowMs: number) {
  const { items, next } = await through(ports, tenant, slice, (domain, limit, place) =>
    listCalls(ports.table, domain, limit, place),
  );
  return { items: items.map((call) => viewCall(call, nowMs)), next };
}

export async function showRecords(ports: OperatorDeskPorts, tenant: string | undefined, slice: Slice) {
  const { items, next } = await through(ports, tenant, slice, (domain, limit, place) =>
    listRecords(ports.table, domain, limit, place),
  );
  return { items: items.map(viewRecord), next };
}

/** Fills one page from tenant after tenant. */
async function through<T>(
  ports: OperatorDeskPorts,
  tenant: string | undefined,
  { limit, from }: Slice,
  list: (domain: string, limit: number, place: string | undefined) => Promise<Page<T>>,
): Promise<Listing<T>> {
  const all = await tenantsOf(ports, tenant);
  const domains = from === undefined ? all : all.filter((domain) => domain >= from.tenant);
  const items: T[] = [];
  for (const [index, domain] of domains.entries()) {
    const place = domain === from?.tenant ? from.place : undefined;
    const page = await list(domain, limit - items.length, place);
    items.push(...page.items);
    if (page.place !== undefined) return { items, next: { tenant: domain, place: page.place } };
    const following = domains[index + 1];
    if (items.length >= limit && following !== undefined) return { items, next: { tenant: following } };
  }
  return { items };
}

/** @throws {Problem} 404 when there is no such tenant */
async function tenantsOf(ports: OperatorDeskPorts, tenant: string | undefined): Promise<readonly string[]> {
  if (tenant === undefined) return listTenants(ports.table);
  await requireTenant(ports, tenant);
  return [tenant];
}

async function requireTenant({ loadTenant }: OperatorDeskPorts, domain: string): Promise<Tenant> {
  const tenant = await loadTenant(domain);
  if (tenant === undefined) throw new Problem(404, `There is no tenant ${domain}.`);
  return tenant;
}

/** @param id the call's own id, where a Call-ID has had several calls */
export async function showCall(
  ports: OperatorDeskPorts,
  tenant: string,
  callId: string,
  id: string | undefined,
  nowMs: number,
) {
  return viewCall(await findCall(ports, tenant, callId, id), nowMs);
}

/**
 * The live one among the calls of a Call-ID, else the latest.
 * @throws {Problem} 404
 */
async function findCall(
  ports: OperatorDeskPorts,
  tenant: string,
  callId: string,
  id: string | undefined,
): Promise<Call> {
  await requireTenant(ports, tenant);
  const calls = (await loadCalls(ports.table, tenant, callId)).filter(
    ({ snapshot }) => id === undefined || snapshot.callKey === id,
  );
  const latestFirst = calls.toSorted((left, right) => right.snapshot.startedAtMs - left.snapshot.startedAtMs);
  const call = latestFirst.find(({ snapshot }) => snapshot.state !== 'terminated') ?? latestFirst[0];
  if (call === undefined) throw new Problem(404, `There is no call ${callId}.`);
  return call;
}

/**
 * Asks the call's gateway to end it: both sides get a BYE, or the INVITE that rings is cancelled.
 * @throws {Problem} 404, 409 when it has ended, 503 when its gateway does not answer
 */
export async function endCall(
  ports: OperatorDeskPorts,
  tenant: string,
  callId: string,
  id: string | undefined,
  nowMs: number,
): Promise<void> {
  const { snapshot, gatewayId } = await findCall(ports, tenant, callId, id);
  if (snapshot.state === 'terminated') throw new Problem(409, `The call ${callId} has ended.`);
  const lease = await ports.leases.find(gatewayId, nowMs);
  const end: Instruction = { kind: 'endCall', callKey: snapshot.callKey, cause: 'admin' };
  const delivery = lease && (await ports.gateways.deliver(gatewayIdOf(gatewayId), lease.address, [end]));
  if (delivery?.kind === 'delivered') return;
  const detail = 'The gateway of the call does not answer. If it is dead, its calls end by themselves.';
  throw new Problem(503, detail, { 'retry-after': RETRY_SECONDS });
}

/** Of one tenant, or of each. */
export async function showStatistics(ports: OperatorDeskPorts, tenant: string | undefined) {
  const domains = await tenantsOf(ports, tenant);
  const items = await Promise.all(
    domains.map(async (domain) => ({ tenant: domain, ...(await loadStatistics(ports.table, domain)) })),
  );
  return { items };
}

/** Sizes of all profiles that hold a call, and of those without values. */
export async function showProfiles(ports: OperatorDeskPorts, tenant: string | undefined) {
  const domains = await tenantsOf(ports, tenant);
  const items = await Promise.all(domains.map((domain) => sizesOf(ports, domain)));
  return { items: items.flat() };
}

async function sizesOf(ports: OperatorDeskPorts, domain: string, of?: Partial<CallProfile>) {
  const { policy } = await requireTenant(ports, domain);
  const limits = (policy.calls ?? DEFAULT_CALL_POLICY).limits;
  const [sizes, { early, active }] = await Promise.all([
    loadSizes(ports.table, domain, of),
    loadStatistics(ports.table, domain),
  ]);
  const emergency = sizes.find(({ profile }) => profile === 'emergency')?.size ?? 0;
  const plain = [
    { profile: 'total', value: '', size: early + active },
    { profile: 'emergency', value: '', size: emergency },
  ];
  return [...plain, ...sizes.filter(({ profile }) => profile !== 'emergency')].map(({ profile, value, size }) => ({
    ...{ tenant: domain, profile, ...(value !== '' && { value }), size },
    limit: limitOf({ profile, value }, limits)?.limit,
  }));
}

export interface ProfileWish {
  readonly tenant: string;
  readonly profile: string;
  readonly value?: string | undefined;
  /** Lists the calls too. */
  readonly withCalls: boolean;
}

/** Size of a profile, or of one of its values, and its calls. @throws {Problem} 404 when there is no such profile */
export async function showProfile(ports: OperatorDeskPorts, wish: ProfileWish, nowMs: number) {
  const { tenant, profile, value, withCalls } = wish;
  const isKnown = PROFILES.includes(profile) && (value === undefined || !WITHOUT_VALUE.includes(profile));
  if (!isKnown) throw new Problem(404, `There is no profile ${profile}${value === undefined ? '' : ' with values'}.`);
  const sizes = (await sizesOf(ports, tenant, { profile, ...(value !== undefined && { value }) })).filter(
    (each) => each.profile === profile,
  );
  const calls = withCalls ? await callsIn(ports, wish, nowMs) : undefined;
  const size = sizes.reduce((sum, each) => sum + each.size, 0);
  if (value === undefined && !WITHOUT_VALUE.includes(profile)) return { tenant, profile, size, values: sizes, calls };
  const { policy } = await requireTenant(ports, tenant);
  const limit = limitOf({ profile, value: value ?? '' }, policy.calls.limits)?.limit;
  return { tenant, profile, value, size, limit, calls };
}

async function callsIn(ports: OperatorDeskPorts, { tenant, profile, value }: ProfileWish, nowMs: number) {
  const { items } = await listCalls(ports.table, tenant, MAX_PROFILE_CALLS);
  const own = items.filter(({ profiles }) =>
    profiles.some((each) => each.profile === profile && (value === undefined || each.value === value)),
  );
  return own.map((call) => viewCall(call, nowMs));
}
