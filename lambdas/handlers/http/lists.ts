/** Routes of event lists: one SUBSCRIBE for many lamps (RFC 4662). */
import * as v from 'valibot';
import { LIST_LIMITS } from '#core/resource-list.ts';
import { putList, removeList, showLists, showOneList } from '#roles/list-desk.ts';
import { changedAnswer, changeOf, requireSame } from './change-answer.ts';
import { listAnswer, listOf, PAGE, pageAfter, userName } from './parameters.ts';
import { type Context, type Route, route, tenantOf } from './route.ts';

const uri = v.pipe(v.string(), v.nonEmpty(), v.maxLength(512), v.description('SIP URI of a user or of another list'));
const member = v.object({ uri, displayName: v.optional(v.pipe(v.string(), v.nonEmpty(), v.maxLength(256))) });
const members = v.pipe(v.array(member), v.maxLength(LIST_LIMITS.members));

export const listResource = v.object({ name: userName, members: v.array(member) });
const listBody = v.object({ name: v.optional(userName), members });

const addressOf = (context: Context<'tenant' | 'name', unknown, unknown>) => ({
  domain: tenantOf(context).domain,
  user: context.names.name,
});

export const LIST_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/tenants/{tenant}/lists',
    name: 'listLists',
    summary: 'Event lists of a tenant by name',
    permission: 'read',
    query: v.object(PAGE),
    success: { 200: listOf(listResource) },
    answer: async (context) => {
      const page = pageAfter(context);
      const { lists, place } = await showLists(context.ports.table, tenantOf(context).domain, page);
      return listAnswer(context, lists, place);
    },
  }),
  route({
    method: 'GET',
    path: '/tenants/{tenant}/lists/{name}',
    name: 'getList',
    summary: 'One event list',
    permission: 'read',
    success: { 200: listResource },
    answer: async (context) => {
      const { shown, etag } = await showOneList(context.ports.table, addressOf(context));
      return { body: shown, etag };
    },
  }),
  route({
    method: 'PUT',
    path: '/tenants/{tenant}/lists/{name}',
    name: 'putList',
    summary: 'Creates an event list, or replaces its members; watchers see it at their next refresh',
    permission: 'admin',
    body: listBody,
    success: { 200: listResource, 201: listResource },
    refusals: [409, 412],
    answer: async (context) => {
      const { ports, names, body } = context;
      requireSame('name', body.name, names.name);
      const { lists } = tenantOf(context).quotas;
      return changedAnswer(context, await putList(ports, changeOf(context), addressOf(context), body.members, lists));
    },
  }),
  route({
    method: 'DELETE',
    path: '/tenants/{tenant}/lists/{name}',
    name: 'deleteList',
    summary: 'Removes an event list',
    permission: 'admin',
    success: { 204: null },
    refusals: [412],
    answer: async (context) => {
      await removeList(context.ports, changeOf(context), addressOf(context));
      return { status: 204 };
    },
  }),
];
