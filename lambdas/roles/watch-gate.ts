/** Watch gate: may this one watch, and how much of it? Between two tenants only by agreement of both. */
import type { Identity } from '#contract/schemas.ts';
import { type Address, aorOfIdentity, forbidden, foreignTenantNamed, requireOwnTenant } from '#core/identity.ts';
import type { HeaderFields } from '#core/sip/message.ts';
import {
  areFederated,
  decideAccess,
  isOpen,
  NO_RULES,
  type WatchAccess,
  type WatchParty,
  type WatchRules,
} from '#core/watch-policy.ts';
import type { Table } from '#table/table.ts';
import { completeTenant, loadTenant, type Tenant } from '#table/tenant-item.ts';
import { loadWatchRules } from '#table/watch-rules.ts';

export interface WatchGatePorts {
  readonly loadTenant: (domain: string) => Promise<Tenant | undefined>;
  /** What an account says of watching, some seconds old at most. */
  readonly findWatchRules: (address: Address) => Promise<WatchRules>;
}

/** The same from the table itself, as it is now. */
export const uncachedGate = (table: Table): WatchGatePorts => ({
  loadTenant: (domain) => loadTenant(table, domain, { consistent: true }),
  findWatchRules: (address) => loadWatchRules(table, address, { consistent: true }),
});

/**
 * Decides how an identity may watch a presentity. Nothing is read but the tenant where everyone sees all and no user has
 * said otherwise; else the accounts of both, mostly cached.
 */
export async function accessTo(presentity: Address, identity: Identity, ports: WatchGatePorts): Promise<WatchAccess> {
  const { domain } = presentity;
  const tenant = (await ports.loadTenant(domain)) ?? completeTenant(domain, {});
  const isForeign = identity.domain !== domain;
  if (!isForeign && isOpen(tenant.watch) && !tenant.hasWatchRules) return 'full';
  const [rules, own] = await Promise.all([
    ports.findWatchRules(presentity),
    isForeign ? NO_RULES : ports.findWatchRules(identity),
  ]);
  const watcher = { address: identity, rules: { ...own, isPublisher: identity.role === 'publisher' } };
  const isAgreed = !isForeign || (await haveAgreed(identity.domain, domain, ports));
  return decideAccess(watcher, { address: presentity, rules }, tenant.watch, isAgreed);
}

/**
 * The same for many presentities of the identity's own tenant whose accounts are at hand.
 * @returns by AOR
 */
export async function accessToMembers(
  members: readonly WatchParty[],
  identity: Identity,
  ports: WatchGatePorts,
): Promise<ReadonlyMap<string, WatchAccess>> {
  const tenant = (await ports.loadTenant(identity.domain)) ?? completeTenant(identity.domain, {});
  const isForAll = isOpen(tenant.watch) && !tenant.hasWatchRules;
  const own = isForAll ? NO_RULES : await ports.findWatchRules(identity);
  const watcher = { address: identity, rules: { ...own, isPublisher: identity.role === 'publisher' } };
  const decide = (member: WatchParty) => (isForAll ? 'full' : decideAccess(watcher, member, tenant.watch, true));
  return new Map(members.map((member) => [aorOfIdentity(member.address), decide(member)]));
}

/** The other tenant is looked for only if this one names it: for all others the answer takes the same time. */
export async function haveAgreed(
  from: string,
  to: string,
  { loadTenant }: Pick<WatchGatePorts, 'loadTenant'>,
): Promise<boolean> {
  const tenant = await loadTenant(from);
  if (tenant === undefined || !tenant.watch.federation.includes(to)) return false;
  return areFederated(tenant, await loadTenant(to));
}

/**
 * Refuses a request to another tenant without the agreement of both, as if there were no such tenant. Request-URI and To
 * must name the same one.
 * @param target Request-URI, or in a dialog the AOR that stands for it
 * @throws {SipRejection} 403, and 400 for what names nobody
 */
export async function requireReach(
  identity: Identity,
  target: string,
  headers: HeaderFields,
  ports: Pick<WatchGatePorts, 'loadTenant'>,
): Promise<void> {
  const foreign = foreignTenantNamed(identity, target, headers);
  if (foreign === undefined) requireOwnTenant(identity, target, headers);
  else if (!(await haveAgreed(identity.domain, foreign, ports))) throw forbidden();
}
