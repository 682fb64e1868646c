/** Route of the key that asks: whose it is, and what it may do. */
import * as v from 'valibot';
import { KEY_PERMISSIONS } from '#core/api-key.ts';
import { domainName } from './parameters.ts';
import { type Route, route } from './route.ts';

const ownKeyResource = v.object({
  prefix: v.pipe(v.string(), v.description('What the key begins with; `admin` for the key of the deployment')),
  tenant: v.optional(v.pipe(domainName, v.description('Absent: the key is an operator’s, who sees all tenants'))),
  permission: v.picklist(KEY_PERMISSIONS),
});

export const OWN_KEY_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/key',
    name: 'getOwnKey',
    summary: 'The key that asks: whose it is, and what it may do',
    permission: 'live',
    success: { 200: ownKeyResource },
    answer: async ({ caller: { key, tenant, permission } }) => ({ body: { prefix: key, tenant, permission } }),
  }),
];
