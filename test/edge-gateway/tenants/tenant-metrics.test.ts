import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { TenantAccount } from '#gateway/tenants/tenant-account.ts';
import { registerTenantMetrics } from '#gateway/tenants/tenant-metrics.ts';

function account(domain: string, flows: number, refused = 0): TenantAccount {
  const made = new TenantAccount(domain, 0);
  made.setShares({
    ...{ flows: 10, subscriptions: 10, calls: 10 },
    ...{ requestsPerSecond: 1, publicationsPerSecond: 1, messagesPerSecond: 1 },
  });
  made.flows = flows;
  made.refused.flows = refused;
  return made;
}

async function metricsOf(accounts: TenantAccount[]): Promise<string[]> {
  const registry = new Registry();
  registerTenantMetrics(registry, { accounts: () => accounts });
  return (await registry.metrics()).split('\n').filter((line) => line.startsWith('lampfield'));
}

it('tells of tenants near a limit or refused, and of no others', async () => {
  expect(
    await metricsOf([account('quiet.example', 7), account('near.example', 8), account('full.example', 10, 3)]),
  ).toEqual([
    'lampfield_tenant_limit_share{tenant="full.example",limit="flows"} 1',
    'lampfield_tenant_limit_share{tenant="near.example",limit="flows"} 0.8',
    'lampfield_tenant_refused_total{tenant="full.example",limit="flows"} 3',
  ]);
});

it('makes a hundred time series of each at most, of those who are refused most', async () => {
  const many = Array.from({ length: 300 }, (_, index) => account(`t${index}.example`, 9, index + 1));
  const lines = await metricsOf(many);
  expect(lines).toHaveLength(200);
  expect(lines).toContain('lampfield_tenant_refused_total{tenant="t299.example",limit="flows"} 300');
  expect(lines.some((line) => line.includes('refused_total{tenant="t100.example"'))).toBe(false);
});
