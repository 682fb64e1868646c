/** Route of a tenant's limits: what it may use, and what it does use. */
import * as v from 'valibot';
import { showLimits } from '#roles/quota-desk.ts';
import { DEFAULT_QUOTAS } from '#table/tenant-quotas.ts';
import { type Route, route, tenantOf } from './route.ts';

const names = v.picklist(Object.keys(DEFAULT_QUOTAS).filter((name) => name !== 'apiRequestsPerSecond'));

const limitResource = v.object({
  name: names,
  limit: v.number(),
  use: v.pipe(v.number(), v.description('Of rates: on average in the last ten seconds')),
  share: v.pipe(v.number(), v.description('use / limit')),
  state: v.pipe(v.picklist(['normal', 'near', 'full']), v.description('near: 80 % and more; full: 100 %')),
  refused: v.optional(v.pipe(v.number(), v.description('Since the tenant came to the gateways that are asked'))),
});

const limitsResource = v.object({
  items: v.array(limitResource),
  gateways: v.pipe(v.number(), v.description('How many there are')),
  answered: v.pipe(v.number(), v.description('Those of them that said what the tenant uses there')),
});

export const LIMIT_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/tenants/{tenant}/limits',
    name: 'getLimits',
    summary: 'What the tenant may use, and what it uses now',
    description:
      'All gateways are asked. The rate of the HTTP API is not listed: each answer tells it (RateLimit, RateLimit-Policy).',
    permission: 'read',
    success: { 200: limitsResource },
    answer: async (context) => ({ body: await showLimits(tenantOf(context), context.ports, context.nowMs) }),
  }),
];
