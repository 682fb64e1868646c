/** Routes of the live state: presentities, why a lamp is as it is, subscriptions, bindings; and the reset of a lamp. */
import * as v from 'valibot';
import { etagOf } from '#core/precondition.ts';
import {
  showBindings,
  showBindingsOf,
  showHistory,
  showPresentities,
  showPresentity,
  showSubscriptions,
  showWatchers,
} from '#roles/live-desk.ts';
import { type ResetWish, resetPublications } from '#roles/reset-desk.ts';
import type { ListWish } from '#table/listing.ts';
import { changeOf } from './change-answer.ts';
import {
  bindingResource,
  changeResource,
  lampResource,
  notifiedResource,
  presentityResource,
  resetResource,
  subscriptionResource,
} from './live-resources.ts';
import { listAnswer, listOf, pageOf, pageQuery } from './parameters.ts';
import { type Answer, type Context, type Route, route, tenantOf, userAddressOf } from './route.ts';

type Paged = Context<string, { readonly limit: number; readonly cursor?: string | undefined }>;

const wishOf = (context: Paged): ListWish => {
  const { limit, from } = pageOf(context);
  return { limit, after: from[0] };
};

function page(
  context: Pick<Context, 'place'>,
  { items, place }: { readonly items: readonly unknown[]; readonly place?: string | undefined },
): Answer {
  return listAnswer(context, items, place);
}

const live = { method: 'GET', permission: 'live' } as const;

const presentities: readonly Route[] = [
  route({
    ...live,
    path: '/tenants/{tenant}/presentities',
    name: 'listPresentities',
    summary: 'Lamps of a tenant by name: of everybody of whom anything was told',
    query: pageQuery,
    success: { 200: listOf(lampResource) },
    answer: async (context) => {
      const { ports, nowMs } = context;
      return page(context, await showPresentities(ports.table, tenantOf(context).domain, wishOf(context), nowMs));
    },
  }),
  route({
    ...live,
    path: '/tenants/{tenant}/presentities/{user}',
    name: 'getPresentity',
    summary: 'One presentity: lamp, dialogs, presence, and the publications that say so',
    success: { 200: presentityResource },
    answer: async (context) => {
      const body = await showPresentity(context.ports.table, userAddressOf(context), context.nowMs);
      return { body, etag: etagOf(body.version) };
    },
  }),
  route({
    ...live,
    path: '/tenants/{tenant}/presentities/{user}/history',
    name: 'getPresentityHistory',
    summary: 'Why a lamp is as it is: its last changes, and what its watchers were told',
    description:
      'Changes are kept for 24 hours, if the deployment does not say otherwise. NOTIFYs are what gateways remember: the last 20 of each subscription, on the first page.',
    query: pageQuery,
    success: {
      200: v.object({
        ...listOf(changeResource).entries,
        presentity: lampResource,
        subscriptions: v.array(notifiedResource),
        moreSubscriptions: v.optional(v.pipe(v.boolean(), v.description('There are more than are shown'))),
      }),
    },
    answer: async (context) => {
      const { items, place, ...more } = await showHistory(
        context.ports,
        userAddressOf(context),
        wishOf(context),
        context.nowMs,
      );
      const { body } = page(context, { items, place });
      return { body: { ...(body as object), ...more } };
    },
  }),
];

const subscriptions: readonly Route[] = [
  route({
    ...live,
    path: '/tenants/{tenant}/presentities/{user}/subscriptions',
    name: 'listPresentitySubscriptions',
    summary: 'Who watches a presentity',
    query: pageQuery,
    success: { 200: listOf(subscriptionResource) },
    answer: async (context) => {
      const { ports, nowMs } = context;
      return page(context, await showWatchers(ports.table, userAddressOf(context), wishOf(context), nowMs));
    },
  }),
  route({
    ...live,
    path: '/tenants/{tenant}/subscriptions',
    name: 'listSubscriptions',
    summary: 'Subscriptions to the presentities of a tenant, by name; one to an event list is one',
    query: pageQuery,
    success: { 200: listOf(subscriptionResource) },
    answer: async (context) => {
      const { ports, nowMs } = context;
      return page(context, await showSubscriptions(ports.table, tenantOf(context).domain, wishOf(context), nowMs));
    },
  }),
];

const bindings: readonly Route[] = [
  route({
    ...live,
    path: '/tenants/{tenant}/users/{user}/bindings',
    name: 'listUserBindings',
    summary: 'Devices of a user that are registered: all, for there are 200 at most',
    success: { 200: listOf(bindingResource) },
    answer: async (context) => ({
      body: { items: await showBindingsOf(context.ports.table, userAddressOf(context), context.nowMs) },
    }),
  }),
  route({
    ...live,
    path: '/tenants/{tenant}/bindings',
    name: 'listBindings',
    summary: 'Devices of a tenant that are registered, by user',
    query: pageQuery,
    success: { 200: listOf(bindingResource) },
    answer: async (context) => {
      const { ports, nowMs } = context;
      return page(context, await showBindings(ports.table, tenantOf(context).domain, wishOf(context), nowMs));
    },
  }),
];

const forceQuery = v.object({
  force: v.optional(v.pipe(v.picklist(['0', '1']), v.description('1: those of calls that are going on, too'))),
});

const reset = async (
  context: Context<'user', v.InferOutput<typeof forceQuery>, unknown>,
  publication?: string,
): Promise<Answer> => {
  const wish: ResetWish = { publication, isForced: context.query.force === '1' };
  return { body: await resetPublications(context.ports, changeOf(context), userAddressOf(context), wish) };
};

const resets: readonly Route[] = [
  route({
    method: 'DELETE',
    permission: 'admin',
    path: '/tenants/{tenant}/presentities/{user}/publications',
    name: 'resetPresentity',
    summary: 'Removes all publications of a presentity: a lamp that is stuck is free again',
    description: 'Those of calls that are going on stay, unless it is forced. A publisher that lives publishes anew.',
    query: forceQuery,
    success: { 200: resetResource },
    refusals: [412],
    answer: (context) => reset(context),
  }),
  route({
    method: 'DELETE',
    permission: 'admin',
    path: '/tenants/{tenant}/presentities/{user}/publications/{publication}',
    name: 'removePublication',
    summary: 'Removes one publication of a presentity',
    query: forceQuery,
    success: { 200: resetResource },
    refusals: [409, 412],
    answer: (context) => reset(context, context.names.publication),
  }),
];

export const LIVE_ROUTES: readonly Route[] = [...presentities, ...subscriptions, ...bindings, ...resets];
