import { expect, it, vi } from 'vitest';
import type { Identity } from '#contract/schemas.ts';
import { completeTenant } from '#table/tenant-item.ts';
import { withQuotas } from '../../lambdas/handlers/with-quotas.ts';

const of = (domain: string): Identity => ({ domain, user: '1001', role: 'user' });
const response = { status: 200, reason: 'OK', headers: [] };

it('says what each tenant of the batch may use, once', async () => {
  const outcomes = [{ response, identity: of('a.example') }, { response }, { response, identity: of('a.example') }];
  const loadTenant = vi.fn(async (domain: string) => completeTenant(domain, { quotas: { flows: 7 } }));
  const handler = withQuotas(async () => ({ contractVersion: 1, outcomes }), { loadTenant });
  expect((await handler({})).quotas).toEqual({
    'a.example': {
      ...{ flows: 7, subscriptions: 200_000, calls: 5_000 },
      ...{ requestsPerSecond: 2_000, publicationsPerSecond: 500, messagesPerSecond: 200 },
    },
  });
  expect(loadTenant).toHaveBeenCalledTimes(1);
});

it('a tenant that cannot be read, or is not there, is left out, and the outcomes stay', async () => {
  const outcomes = [
    { response, identity: of('a.example') },
    { response, identity: of('b.example') },
  ];
  const loadTenant = async (domain: string) => {
    if (domain === 'a.example') throw new Error('the table is away');
    return undefined;
  };
  const handler = withQuotas(async () => ({ contractVersion: 1, outcomes }), { loadTenant });
  expect(await handler({})).toEqual({ contractVersion: 1, outcomes, quotas: {} });
});

it('reads nothing for strangers', async () => {
  const loadTenant = vi.fn();
  const handler = withQuotas(async () => ({ contractVersion: 1, outcomes: [{ response }] }), { loadTenant });
  expect(await handler({})).not.toHaveProperty('quotas');
  expect(loadTenant).not.toHaveBeenCalled();
});
