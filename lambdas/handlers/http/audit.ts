/** Routes of the audit trail: who changed what by the HTTP API, the newest first. */
import * as v from 'valibot';
import { listAudit } from '#table/audit-item.ts';
import { listAnswer, listOf, PAGE, pageAfter, time } from './parameters.ts';
import { type Route, route } from './route.ts';

const members = v.optional(v.pipe(v.record(v.string(), v.unknown()), v.description('Members that differ; no secrets')));
export const auditResource = v.object({
  id: v.string(),
  at: time,
  by: v.pipe(v.string(), v.description('Prefix of the key that was used')),
  action: v.pipe(v.string(), v.description('create, update, delete, or what else was done')),
  resource: v.pipe(v.string(), v.description('Path of what was changed')),
  requestId: v.string(),
  before: members,
  after: members,
});

function trail(prefix: '/tenants/{tenant}' | ''): Route {
  const isTop = prefix === '';
  return route({
    method: 'GET',
    path: `${prefix}/audit`,
    name: isTop ? 'listAuditOfOperators' : 'listAudit',
    summary: isTop ? 'Changes of tenants and of the keys of operators' : 'Changes in a tenant',
    description: 'The newest first, kept for 400 days. What changed nothing has no line.',
    permission: 'admin',
    operatorOnly: isTop,
    query: v.object(PAGE),
    success: { 200: listOf(auditResource) },
    answer: async (context) => {
      const { limit, after } = pageAfter(context);
      const { lines, place } = await listAudit(context.ports.table, context.tenant?.domain, { limit, before: after });
      const items = lines.map(({ atMs, ...line }) => ({ ...line, at: new Date(atMs).toISOString() }));
      return listAnswer(context, items, place);
    },
  });
}

export const AUDIT_ROUTES: readonly Route[] = [trail('/tenants/{tenant}'), trail('')];
