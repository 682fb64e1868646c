/** Routes of tenants: one SIP domain with its policy, sign-in, watch rules and quotas. */
import * as v from 'valibot';
import { putTenant, showOneTenant, showTenants } from '#roles/tenant-desk.ts';
import { givenTenant } from '#table/tenant-item.ts';
import { changedAnswer, changeOf, requireSame } from './change-answer.ts';
import { domainName, listAnswer, listOf, PAGE, pageAfter, time } from './parameters.ts';
import { type Route, route, tenantOf } from './route.ts';

export const tenantResource = v.object({
  domain: domainName,
  ...givenTenant.entries,
  state: v.optional(v.pipe(v.literal('deleting'), v.description('It is being removed'))),
  removal: v.optional(v.object({ since: time, items: v.pipe(v.number(), v.description('Removed so far')) })),
});
const tenantBody = v.object({
  domain: v.optional(v.pipe(domainName, v.description('As in the path, if it is given'))),
  ...givenTenant.entries,
});

export const TENANT_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/tenants',
    name: 'listTenants',
    summary: 'All tenants by domain; with the key of a tenant this one',
    permission: 'read',
    query: v.object(PAGE),
    success: { 200: listOf(tenantResource) },
    answer: async (context) => {
      const { ports, caller } = context;
      const { tenants, place } = await showTenants(ports.table, caller, pageAfter(context));
      return listAnswer(context, tenants, place);
    },
  }),
  route({
    method: 'GET',
    path: '/tenants/{tenant}',
    whileRemoved: true,
    name: 'getTenant',
    summary: 'One tenant: what it sets; what it does not is a default',
    permission: 'read',
    success: { 200: tenantResource },
    answer: async (context) => {
      const { shown, etag } = showOneTenant(tenantOf(context));
      return { body: shown, etag };
    },
  }),
  route({
    method: 'PUT',
    path: '/tenants/{tenant}',
    name: 'putTenant',
    summary: 'Creates a tenant, or replaces what it sets',
    description: 'A new policy is in force within seconds. Quotas can be set with the key of an operator only.',
    permission: 'admin',
    anyTenant: true,
    body: tenantBody,
    success: { 200: tenantResource, 201: tenantResource },
    refusals: [412],
    answer: async (context) => {
      const { ports, caller, names, body } = context;
      const { domain, ...given } = body;
      requireSame('domain', domain, names.tenant);
      return changedAnswer(context, await putTenant(ports, changeOf(context), caller, names.tenant, given));
    },
  }),
];
