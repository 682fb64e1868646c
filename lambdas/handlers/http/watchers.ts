/** Routes of who watches a user, and of the user's word for one of them: allowed, blocked, or politely told nothing. */
import * as v from 'valibot';
import { WATCH_ACCESSES, WATCH_WORDS } from '#core/watch-policy.ts';
import { putWord, type ShownWatcher, showWatchersOf, showWord, WATCHER_STATES } from '#roles/watch-desk.ts';
import { changeOf } from './change-answer.ts';
import { listAnswer, listOf, PAGE, pageAfter, time } from './parameters.ts';
import { type Route, route, userAddressOf } from './route.ts';

const state = v.picklist(WATCHER_STATES);
const watcherResource = v.object({
  watcher: v.pipe(v.string(), v.description('Address of who watches')),
  event: v.string(),
  state,
  access: v.pipe(v.picklist(WATCH_ACCESSES), v.description('How much it sees')),
  byList: v.pipe(v.boolean(), v.description('True when an event list brought it here')),
  createdAt: time,
  expiresAt: time,
});

const access = v.pipe(v.picklist(WATCH_WORDS), v.description('politeBlock: told that nothing ever happens'));
const wordBody = v.object({ access });
const wordResource = v.object({
  watcher: v.string(),
  access: v.optional(access),
});

const toTime = (ms: number): string => new Date(ms).toISOString();

const show = ({ watcher, event, state, access, isByList, createdAtMs, expiresAtMs }: ShownWatcher) => ({
  ...{ watcher, event, state, access, byList: isByList },
  ...{ createdAt: toTime(createdAtMs), expiresAt: toTime(expiresAtMs) },
});

export const WATCHER_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/tenants/{tenant}/presentities/{user}/watchers',
    name: 'listWatchers',
    summary: 'Who watches a user, how much of it they see, and who waits to be allowed',
    permission: 'live',
    query: v.object({ ...PAGE, state: v.optional(state) }),
    success: { 200: listOf(watcherResource) },
    answer: async (context) => {
      const wish = { ...pageAfter(context), state: context.query.state };
      const { items, place } = await showWatchersOf(context.ports.table, userAddressOf(context), wish, context.nowMs);
      return listAnswer(context, items.map(show), place);
    },
  }),
  route({
    method: 'GET',
    path: '/tenants/{tenant}/presentities/{user}/watchers/{watcher}',
    name: 'getWatcherAccess',
    summary: 'What a user says of one watcher',
    permission: 'read',
    success: { 200: wordResource },
    refusals: [400],
    answer: async (context) => {
      const { watcher } = context.names;
      return { body: { watcher, access: await showWord(context.ports.table, userAddressOf(context), watcher) } };
    },
  }),
  route({
    method: 'PUT',
    path: '/tenants/{tenant}/presentities/{user}/watchers/{watcher}',
    name: 'putWatcherAccess',
    summary: 'Allows a watcher, blocks it, or tells it politely that nothing ever happens',
    description:
      'Subscriptions that stand follow within seconds: one that waited is told the state, one that is blocked ends. The word stands in the `watch` of the user.',
    permission: 'admin',
    body: wordBody,
    success: { 200: wordResource },
    refusals: [400, 404, 409, 412],
    answer: async (context) => {
      const { ports, names, body } = context;
      const { etag } = await putWord(ports, changeOf(context), userAddressOf(context), names.watcher, body.access);
      return { body: { watcher: names.watcher, access: body.access }, etag };
    },
  }),
  route({
    method: 'DELETE',
    path: '/tenants/{tenant}/presentities/{user}/watchers/{watcher}',
    name: 'deleteWatcherAccess',
    summary: 'Takes back what a user says of one watcher',
    permission: 'admin',
    success: { 204: null },
    refusals: [400, 404, 412],
    answer: async (context) => {
      await putWord(context.ports, changeOf(context), userAddressOf(context), context.names.watcher, undefined);
      return { status: 204 };
    },
  }),
];
