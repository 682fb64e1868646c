/** Routes of API keys: of a tenant, and of operators. */
import * as v from 'valibot';
import { KEY_PERMISSIONS } from '#core/api-key.ts';
import { type KeyOwner, makeKey, revokeKey, rotateKey, showKeys, showOneKey } from '#roles/key-desk.ts';
import { changeOf } from './change-answer.ts';
import { listAnswer, listOf, PAGE, pageAfter, time } from './parameters.ts';
import { type Context, type Route, route } from './route.ts';

const MAX_GRACE_SECONDS = 7 * 24 * 3_600;

const text = v.string();
export const keyResource = v.object({
  id: text,
  prefix: v.pipe(text, v.description('What the key begins with; the rest is shown once, when it is made')),
  name: text,
  permission: v.picklist(KEY_PERMISSIONS),
  createdAt: time,
  expiresAt: v.optional(time),
  lastUsedAt: v.optional(v.pipe(time, v.description('To the minute'))),
  previousUntil: v.optional(v.pipe(time, v.description('Until when the secret before the last rotation is good'))),
});
const madeKey = v.object({
  ...keyResource.entries,
  key: v.pipe(text, v.description('The key itself, which is not shown again')),
});
const keyBody = v.object({
  name: v.pipe(text, v.nonEmpty(), v.maxLength(128)),
  permission: v.picklist(KEY_PERMISSIONS),
  expiresAt: v.optional(time),
});
const rotation = v.optional(
  v.object({
    graceSeconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_GRACE_SECONDS)), 0),
  }),
  {},
);

const ownerOf = ({ tenant }: Pick<Context, 'tenant'>): KeyOwner => tenant?.domain;

/** @param prefix '' for the keys of operators */
function family(prefix: '/tenants/{tenant}' | ''): readonly Route[] {
  const [ofWhom, nameOf] =
    prefix === '' ? ['of operators', (name: string) => `${name}OfOperators`] : ['of a tenant', (name: string) => name];
  const common = { permission: 'admin', operatorOnly: prefix === '' } as const;
  return [
    route({
      ...common,
      method: 'GET',
      path: `${prefix}/keys`,
      name: nameOf('listKeys'),
      summary: `API keys ${ofWhom}, without their secrets`,
      query: v.object(PAGE),
      success: { 200: listOf(keyResource) },
      answer: async (context) => {
        const page = pageAfter(context);
        const { keys, place } = await showKeys(context.ports.table, ownerOf(context), page, context.nowMs);
        return listAnswer(context, keys, place);
      },
    }),
    route({
      ...common,
      method: 'POST',
      path: `${prefix}/keys`,
      name: nameOf('makeKey'),
      summary: `Makes an API key ${ofWhom}`,
      description:
        'Permission `admin` may do everything, `ingest` says what happens and sees what is live, `read` sees. The key is in this answer only.',
      body: keyBody,
      success: { 201: madeKey },
      refusals: [409],
      answer: async (context) => {
        const { ports, body } = context;
        const { expiresAt, ...given } = body;
        const expiresAtMs = expiresAt === undefined ? undefined : Date.parse(expiresAt);
        const made = await makeKey(ports, changeOf(context), ownerOf(context), { ...given, expiresAtMs });
        const { shown, key, etag, path } = made;
        return { status: 201, body: { ...shown, key }, etag, headers: { location: path } };
      },
    }),
    route({
      ...common,
      method: 'GET',
      path: `${prefix}/keys/{id}`,
      name: nameOf('getKey'),
      summary: 'One API key, without its secret',
      success: { 200: keyResource },
      answer: async (context) => {
        const { ports, names, nowMs } = context;
        const { shown, etag } = await showOneKey(ports.table, ownerOf(context), names.id, nowMs);
        return { body: shown, etag };
      },
    }),
    route({
      ...common,
      method: 'DELETE',
      path: `${prefix}/keys/{id}`,
      name: nameOf('revokeKey'),
      summary: 'Revokes an API key: it is refused from now on',
      success: { 204: null },
      refusals: [412],
      answer: async (context) => {
        await revokeKey(context.ports, changeOf(context), ownerOf(context), context.names.id);
        return { status: 204 };
      },
    }),
    route({
      ...common,
      method: 'POST',
      path: `${prefix}/keys/{id}/rotate`,
      name: nameOf('rotateKey'),
      summary: 'Gives an API key another secret; the one before stays good for the grace',
      body: rotation,
      success: { 200: madeKey },
      refusals: [412],
      answer: async (context) => {
        const { ports, names, body } = context;
        const rotated = await rotateKey(ports, changeOf(context), ownerOf(context), names.id, body.graceSeconds);
        return { body: { ...rotated.shown, key: rotated.key }, etag: rotated.etag };
      },
    }),
  ];
}

export const KEY_ROUTES: readonly Route[] = [...family('/tenants/{tenant}'), ...family('')];
