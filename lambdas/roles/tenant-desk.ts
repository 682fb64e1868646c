/** Tenant desk: the tenants of a deployment, as the HTTP API keeps them. */
import { isDeepStrictEqual } from 'node:util';
import type { Caller } from '#core/api-key.ts';
import { etagOf, requirePrecondition } from '#core/precondition.ts';
import { Problem } from '#core/problem.ts';
import { LISTED_TENANTS, tenantKey } from '#table/keys.ts';
import { listItems } from '#table/listing.ts';
import { changeWrite } from '#table/resource-write.ts';
import type { Table } from '#table/table.ts';
import { completeTenant, decodeTenant, type GivenTenant, loadTenant, type Tenant } from '#table/tenant-item.ts';
import { removalMark } from '#table/tenant-removal.ts';
import { auditWrites, type Change, type Changed, type ChangePorts, changeResource, type Standing } from './change.ts';

export type ShownTenant = GivenTenant & {
  readonly domain: string;
  /** Of one that is being removed. */
  readonly state?: 'deleting' | undefined;
  readonly removal?: { readonly since: string; readonly items: number } | undefined;
};

interface StandingTenant extends Standing<ShownTenant> {
  readonly tenant: Tenant;
}

/** What was set, without secrets; what was not set is a default, and not shown. */
export function showTenant({ domain, given, removal }: Pick<Tenant, 'domain' | 'given' | 'removal'>): ShownTenant {
  if (removal === undefined) return { domain, ...given };
  return { domain, ...given, state: 'deleting', removal: { since: timeOf(removal.sinceMs), items: removal.items } };
}

const timeOf = (ms: number): string => new Date(ms).toISOString();

const domainOf = (partitionKey: string): string => partitionKey.slice(partitionKey.indexOf('#') + 1);

/** All tenants for an operator, its own for a tenant. */
export async function showTenants(
  table: Table,
  caller: Caller,
  page: { readonly limit: number; readonly after?: string | undefined },
): Promise<{ readonly tenants: readonly ShownTenant[]; readonly place?: string | undefined }> {
  if (caller.tenant !== undefined) {
    const own = page.after === undefined ? await loadTenant(table, caller.tenant, { consistent: true }) : undefined;
    return { tenants: own ? [showTenant(own)] : [] };
  }
  const { items, place } = await listItems(table, LISTED_TENANTS, page);
  return { tenants: items.map((item) => showTenant(decodeTenant(item, domainOf(item.PK)))), place };
}

export const showOneTenant = (tenant: Tenant) => ({ shown: showTenant(tenant), etag: etagOf(tenant.version) });

async function findTenant(table: Table, domain: string): Promise<StandingTenant | undefined> {
  const tenant = await loadTenant(table, domain, { consistent: true });
  return tenant && { tenant, version: tenant.version, shown: showTenant(tenant) };
}

const LABELS = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

/**
 * Creates a tenant, or replaces what it sets.
 * @throws {Problem} 409 while one of this name is being removed, 400 for what does not fit together, 403 for what is the operator's, 404 for a tenant's key whose tenant is gone
 */
export function putTenant(
  ports: ChangePorts,
  change: Change,
  caller: Caller,
  domain: string,
  given: GivenTenant,
): Promise<Changed<ShownTenant>> {
  requireSense(domain, given);
  return changeResource<ShownTenant, StandingTenant>(
    ports,
    change,
    [domain],
    () => findTenant(ports.table, domain),
    (standing) => {
      if (standing?.tenant.removal) throw beingRemoved(domain);
      const next = withinRights(caller, domain, given, standing?.tenant);
      const attributes = {
        ...{ displayName: next.displayName, policy: next.policy, signIn: next.signIn },
        ...{ watch: next.watch, quotas: next.quotas },
        ...{ listedAs: LISTED_TENANTS, listedBy: domain },
      };
      return {
        shown: showTenant({ domain, given: next }),
        isHiddenChange: !isDeepStrictEqual(next.signIn, standing?.tenant.given.signIn),
        // That there is a new tenant is the operators' business too.
        trails: standing === undefined ? [domain, undefined] : [domain],
        writes: (version) => [changeWrite(tenantKey(domain), attributes, standing?.version, version)],
      };
    },
  );
}

/** The refusal of everything else with a tenant that is being removed. */
export const beingRemoved = (domain: string): Problem =>
  new Problem(409, `The tenant ${domain} is being removed; that may take some minutes.`, { 'retry-after': '10' });

/** Quotas are the operator's to set: a tenant's own key keeps them as they are. */
function withinRights(
  { tenant }: Caller,
  domain: string,
  given: GivenTenant,
  standing: Tenant | undefined,
): GivenTenant {
  if (tenant === undefined) return given;
  if (standing === undefined) throw new Problem(404, `There is no tenant ${domain}.`);
  const { quotas } = standing.given;
  if (given.quotas !== undefined && !isDeepStrictEqual(given.quotas, quotas)) {
    throw new Problem(403, "Quotas need an operator's key.");
  }
  return { ...given, quotas };
}

/** @throws {Problem} 400 */
function requireSense(domain: string, given: GivenTenant): void {
  if (!LABELS.test(domain)) throw new Problem(400, 'The tenant is no domain name.');
  const { minExpiresSeconds, defaultExpiresSeconds, maxExpiresSeconds } = completeTenant(domain, given).policy;
  if (minExpiresSeconds <= defaultExpiresSeconds && defaultExpiresSeconds <= maxExpiresSeconds) return;
  const detail = `must rise from minExpiresSeconds (${minExpiresSeconds}) over defaultExpiresSeconds (${defaultExpiresSeconds}) to maxExpiresSeconds (${maxExpiresSeconds})`;
  throw new Problem(400, 'The policy does not fit together.', {}, [{ pointer: '#/policy', detail }]);
}

/**
 * Begins to remove a tenant with everything that it has; again, it tells how far that is. The stream tells the gateways,
 * and the sweep removes (roles/tenant-remover).
 * @throws {Problem} 412
 */
export async function removeTenant(ports: ChangePorts, change: Change, tenant: Tenant): Promise<ShownTenant> {
  const { domain, version } = tenant;
  requirePrecondition(change.precondition, etagOf(version));
  if (tenant.removal === undefined) {
    const before = showTenant(tenant);
    const lines = auditWrites(ports, change, [domain, undefined], before, { shown: undefined });
    // Refused is fine: somebody else has just begun.
    await ports.table.transact([removalMark(domain, change.nowMs), ...lines]);
  }
  const marked = await loadTenant(ports.table, domain, { consistent: true });
  return showTenant(marked ?? { ...tenant, removal: { sinceMs: change.nowMs, items: 0 } });
}
