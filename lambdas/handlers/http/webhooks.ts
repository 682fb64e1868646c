/** Routes of webhooks: where a tenant's events go, signed, and how that gets on. */
import * as v from 'valibot';
import { WEBHOOK_EVENTS } from '#core/webhook.ts';
import {
  makeWebhook,
  putWebhook,
  removeWebhook,
  rotateWebhookSecret,
  showOneWebhook,
  showWebhooks,
  testWebhook,
} from '#roles/webhook-desk.ts';
import { userGroups } from '#table/watch-rules.ts';
import { changedAnswer, changeOf, requireSame } from './change-answer.ts';
import { listAnswer, listOf, PAGE, pageAfter, time, userName } from './parameters.ts';
import { type Route, route, tenantOf } from './route.ts';

const MAX_USERS = 500;
const MAX_URL = 2_048;
const DEFAULT_GRACE_SECONDS = 24 * 3_600;
const MAX_GRACE_SECONDS = 7 * 24 * 3_600;

const text = v.string();
const url = v.pipe(
  text,
  v.maxLength(MAX_URL),
  v.url('is no URL'),
  v.check((given) => isBareUrl(given), 'must be http or https, without user information and fragment'),
  v.description('Where messages are posted to: https, and a public address'),
);
const events = v.pipe(v.array(v.picklist(WEBHOOK_EVENTS)), v.minLength(1));
const settings = {
  url,
  description: v.optional(v.pipe(text, v.nonEmpty(), v.maxLength(256))),
  users: v.optional(
    v.pipe(
      v.array(userName),
      v.maxLength(MAX_USERS),
      v.description('Told of these; of all without `users` and `groups`'),
    ),
  ),
  groups: v.optional(v.pipe(userGroups, v.description('Told of whoever is in one of these groups'))),
  watcher: v.optional(
    v.pipe(userName, v.description('The user as whom it watches; else it stands for itself as `webhook-<id>`')),
  ),
};
const webhookBody = v.object({
  ...settings,
  events: v.optional(events, ['lamp']),
  enabled: v.optional(v.boolean(), true),
});

const moment = v.object({ at: time, reason: text });
const delivery = v.object({
  state: v.pipe(v.picklist(['fine', 'failing', 'disabled']), v.description('How its deliveries go')),
  lastSuccessAt: v.optional(time),
  lastFailure: v.optional(moment),
  failures: v.pipe(v.number(), v.description('Failed tries since the last success')),
  failingSince: v.optional(time),
  nextTryAt: v.optional(time),
  disabled: v.optional(v.pipe(moment, v.description('When and why it was switched off, if nobody did it'))),
  lastTest: v.optional(v.object({ id: text, at: time, outcome: text })),
  waiting: v.optional(
    v.pipe(v.number(), v.description('Users of whom it is still to be told, 1000 for more; not in lists')),
  ),
});
const previousSecretUntil = v.optional(
  v.pipe(time, v.description('Until when the secret before the last rotation signs too')),
);
export const webhookResource = v.object({
  ...{ id: text, ...settings, events, enabled: v.boolean(), createdAt: time, previousSecretUntil, delivery },
});
/** What was read may be put back: these are left as they are. */
const replacement = v.object({
  ...webhookBody.entries,
  ...{ id: v.optional(text), createdAt: v.optional(time), previousSecretUntil, delivery: v.optional(delivery) },
});
const secret = v.pipe(
  text,
  v.description('The secret of its signatures (Standard Webhooks), which is not shown again'),
);
const { delivery: _delivery, ...plain } = webhookResource.entries;

export const WEBHOOK_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/tenants/{tenant}/webhooks',
    name: 'listWebhooks',
    summary: 'Webhooks of a tenant, without their secrets',
    permission: 'read',
    query: v.object(PAGE),
    success: { 200: listOf(webhookResource) },
    answer: async (context) => {
      const { ports, nowMs } = context;
      const { shown, place } = await showWebhooks(ports.table, tenantOf(context).domain, pageAfter(context), nowMs);
      return listAnswer(context, shown, place);
    },
  }),
  route({
    method: 'POST',
    path: '/tenants/{tenant}/webhooks',
    name: 'makeWebhook',
    summary: 'Makes a webhook; within five seconds it is told what happens',
    description:
      'It is told of changes from now on. Signatures are those of Standard Webhooks; the secret is in this answer only.',
    permission: 'admin',
    body: webhookBody,
    success: { 201: v.object({ ...webhookResource.entries, secret }) },
    refusals: [409],
    answer: async (context) => {
      const { domain, quotas } = tenantOf(context);
      const made = await makeWebhook(context.ports, changeOf(context), domain, context.body, quotas.webhooks);
      return { status: 201, body: made.shown, etag: made.etag, headers: { location: made.path } };
    },
  }),
  route({
    method: 'GET',
    path: '/tenants/{tenant}/webhooks/{webhook}',
    name: 'getWebhook',
    summary: 'One webhook, and how its deliveries go',
    permission: 'read',
    success: { 200: webhookResource },
    answer: async (context) => {
      const { ports, names, nowMs } = context;
      // Deliveries change what is shown, and no entity-tag tells: it is for changes of what is set.
      const { shown, etag } = await showOneWebhook(ports.table, tenantOf(context).domain, names.webhook, nowMs);
      return { body: shown, etag };
    },
  }),
  route({
    method: 'PUT',
    path: '/tenants/{tenant}/webhooks/{webhook}',
    name: 'putWebhook',
    summary: 'Replaces what is set of a webhook; its secret stays',
    description: 'Switched on again it is told at once of whom it was still to be told, whatever went wrong before.',
    permission: 'admin',
    body: replacement,
    success: { 200: webhookResource },
    refusals: [412],
    answer: async (context) => {
      const { ports, names, body } = context;
      requireSame('id', body.id, names.webhook);
      const given = v.parse(webhookBody, body);
      const changed = await putWebhook(ports, changeOf(context), tenantOf(context).domain, names.webhook, given);
      return changedAnswer(context, changed);
    },
  }),
  route({
    method: 'DELETE',
    path: '/tenants/{tenant}/webhooks/{webhook}',
    name: 'deleteWebhook',
    summary: 'Removes a webhook, and what waits for it',
    permission: 'admin',
    success: { 204: null },
    refusals: [412],
    answer: async (context) => {
      await removeWebhook(context.ports, changeOf(context), tenantOf(context).domain, context.names.webhook);
      return { status: 204 };
    },
  }),
  route({
    method: 'POST',
    path: '/tenants/{tenant}/webhooks/{webhook}/rotate',
    name: 'rotateWebhookSecret',
    summary: 'Gives a webhook another secret; the one before signs too for the grace, a day without it',
    permission: 'admin',
    body: v.optional(
      v.object({
        graceSeconds: v.optional(
          v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_GRACE_SECONDS)),
          DEFAULT_GRACE_SECONDS,
        ),
      }),
      {},
    ),
    success: { 200: v.object({ ...plain, secret }) },
    refusals: [412],
    answer: async (context) => {
      const { ports, names, body } = context;
      const { domain } = tenantOf(context);
      const rotated = await rotateWebhookSecret(ports, changeOf(context), domain, names.webhook, body.graceSeconds);
      return { body: { ...rotated.shown, secret: rotated.secret }, etag: rotated.etag };
    },
  }),
  route({
    method: 'POST',
    path: '/tenants/{tenant}/webhooks/{webhook}/test',
    name: 'testWebhook',
    summary: 'Sends a message of the type `test` within seconds',
    description:
      'What became of it stands in `delivery.lastTest`. It is not tried again; what else waits is tried with it.',
    permission: 'admin',
    success: { 202: v.object({ id: v.pipe(text, v.description('Id of the message, its `webhook-id`')) }) },
    refusals: [409],
    answer: async (context) => {
      const { ports, names } = context;
      const id = await testWebhook(ports, changeOf(context), tenantOf(context).domain, names.webhook);
      return { status: 202, body: { id } };
    },
  }),
];

function isBareUrl(given: string): boolean {
  if (!URL.canParse(given)) return false;
  const { protocol, username, password, hash } = new URL(given);
  return /^https?:$/.test(protocol) && username === '' && password === '' && hash === '';
}
