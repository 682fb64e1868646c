/** Routes by which a tenant leaves: all of it as JSON lines, and its removal. */
import * as v from 'valibot';
import { removeTenant } from '#roles/tenant-desk.ts';
import { type ExportPlace, exportTenant } from '#roles/tenant-export.ts';
import { closeTenants } from '#roles/tenant-remover.ts';
import { changeOf } from './change-answer.ts';
import { listAnswer, pageOf, pageQuery } from './parameters.ts';
import { type Route, route, tenantOf } from './route.ts';
import { tenantResource } from './tenants.ts';

const JSON_LINES = 'application/jsonl';

export const EXPORT_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/tenants/{tenant}/export',
    name: 'exportTenant',
    summary: 'Everything of a tenant as lines of JSON, without secrets',
    description:
      'Each line has its `kind`. The header field `x-next-cursor` is the `cursor` of the next page, and absent at the end; `limit` counts things, beside which their messages and changes stand.',
    permission: 'admin',
    whileRemoved: true,
    query: pageQuery,
    success: { 200: v.string() },
    successType: JSON_LINES,
    answer: async (context) => {
      const { limit, from } = pageOf(context);
      const [section, after] = from;
      const place: ExportPlace | undefined = section === undefined ? undefined : { section, after };
      const { domain } = tenantOf(context);
      const { lines, next } = await exportTenant(context.ports.table, domain, { limit, from: place }, context.nowMs);
      const { body } = listAnswer(
        context,
        [],
        next && [next.section, ...(next.after === undefined ? [] : [next.after])],
      );
      const cursor = v.parse(v.object({ next: v.optional(v.string()) }), body).next;
      const value = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
      return { text: { type: JSON_LINES, value }, ...(cursor && { headers: { 'x-next-cursor': cursor } }) };
    },
  }),
  route({
    method: 'DELETE',
    path: '/tenants/{tenant}',
    name: 'deleteTenant',
    summary: 'Removes a tenant with everything that it has; its connections are closed',
    description:
      'Nobody signs in from then on. It goes on in the background: the tenant itself tells how far it is, and is not there any more (404) when it is done.',
    permission: 'admin',
    operatorOnly: true,
    whileRemoved: true,
    success: { 202: tenantResource },
    refusals: [412],
    answer: async (context) => {
      const tenant = tenantOf(context);
      const body = await removeTenant(context.ports, changeOf(context), tenant);
      // At once, as far as gateways answer; the stream tells them again until it is sure.
      await closeTenants([tenant.domain], context.ports, context.nowMs);
      return { status: 202, body };
    },
  }),
];
