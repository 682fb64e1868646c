/** What Prometheus is told of tenants: those near a limit or refused, so that many quiet ones make no time series. */
import { Counter, Gauge, type Registry } from 'prom-client';
import { NOTEWORTHY_SHARE, type TenantLedger } from './tenant-ledger.ts';

/** Time series of each metric; the most used limits come first. */
const MAX_SERIES = 100;

export function registerTenantMetrics(registry: Registry, ledger: Pick<TenantLedger, 'accounts'>): void {
  const labelNames = ['tenant', 'limit'] as const;
  new Gauge({
    name: 'lampfield_tenant_limit_share',
    help: `Part of a limit that a tenant uses here, of its share here, from ${NOTEWORTHY_SHARE} on`,
    labelNames,
    registers: [registry],
    collect() {
      this.reset();
      for (const { tenant, limit, part } of nearLimits(ledger)) this.set({ tenant, limit }, part);
    },
  });
  new Counter({
    name: 'lampfield_tenant_refused_total',
    help: 'Requests refused by a limit of their tenant, of tenants that have been refused',
    labelNames,
    registers: [registry],
    collect() {
      this.reset();
      for (const { tenant, limit, refused } of refusals(ledger)) this.inc({ tenant, limit }, refused);
    },
  });
}

function nearLimits(ledger: Pick<TenantLedger, 'accounts'>) {
  return all(ledger)
    .map((use) => ({ ...use, part: use.share === 0 ? 0 : use.used / use.share }))
    .filter(({ part }) => part >= NOTEWORTHY_SHARE)
    .toSorted((left, right) => right.part - left.part)
    .slice(0, MAX_SERIES);
}

function refusals(ledger: Pick<TenantLedger, 'accounts'>) {
  return all(ledger)
    .filter(({ refused }) => refused > 0)
    .toSorted((left, right) => right.refused - left.refused)
    .slice(0, MAX_SERIES);
}

const all = (ledger: Pick<TenantLedger, 'accounts'>) =>
  ledger.accounts().flatMap((account) => account.use().map((use) => ({ ...use, tenant: account.domain })));
