/** Routes of what users sign in with besides passwords: tokens of ours, and secrets that portals share with us. */
import * as v from 'valibot';
import {
  handOutToken,
  MAX_TOKEN_SECONDS,
  putSharedSecret,
  removeSharedSecret,
  revokeToken,
  revokeTokens,
  showSharedSecrets,
} from '#roles/token-desk.ts';
import { changedAnswer, changeOf } from './change-answer.ts';
import { userName } from './parameters.ts';
import { type Route, route, tenantOf } from './route.ts';

const DEFAULT_TOKEN_SECONDS = 3_600;
const time = v.pipe(v.string(), v.isoTimestamp());

const tokenBody = v.object({
  user: userName,
  expiresSeconds: v.optional(
    v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_TOKEN_SECONDS)),
    DEFAULT_TOKEN_SECONDS,
  ),
});
const tokenResource = v.object({
  id: v.pipe(v.string(), v.description('By which it can be revoked')),
  ...{ token: v.string(), user: userName, expiresAt: time },
});

const secretBody = v.optional(
  v.object({
    secret: v.optional(
      v.pipe(
        v.string(),
        v.minLength(32),
        v.maxLength(256),
        v.metadata({ writeOnly: true }),
        v.description('Text with chance in it, such as 32 random bytes in base64'),
      ),
    ),
  }),
  {},
);
const shown = { id: v.string(), createdAt: time };
export const secretResource = v.object({
  ...shown,
  secret: v.optional(v.pipe(v.string(), v.description('The one that was made up; it is not shown again'))),
});

export const TOKEN_ROUTES: readonly Route[] = [
  route({
    method: 'POST',
    path: '/tenants/{tenant}/tokens',
    name: 'createToken',
    summary: 'Hands out a token that a user signs in with, at the WebSocket handshake or in a SIP request (RFC 8898)',
    permission: 'admin',
    body: tokenBody,
    success: { 201: tokenResource },
    refusals: [404, 409],
    answer: async (context) => {
      const { user, expiresSeconds } = context.body;
      const address = { domain: tenantOf(context).domain, user };
      const { id, token, expiresAtMs } = await handOutToken(context.ports, changeOf(context), address, expiresSeconds);
      return { status: 201, body: { id, token, user, expiresAt: new Date(expiresAtMs).toISOString() } };
    },
  }),
  route({
    method: 'DELETE',
    path: '/tenants/{tenant}/tokens',
    name: 'revokeTokens',
    summary: 'Revokes all tokens that were handed out for users of the tenant',
    description: 'Within seconds nobody signs in with them, and connections that they have opened are closed (4401).',
    permission: 'admin',
    success: { 204: null },
    answer: async (context) => {
      await revokeTokens(context.ports, changeOf(context), tenantOf(context).domain);
      return { status: 204 };
    },
  }),
  route({
    method: 'DELETE',
    path: '/tenants/{tenant}/tokens/{token}',
    name: 'revokeToken',
    summary: 'Revokes one token that was handed out, by its id',
    description: 'Within seconds nobody signs in with it, and a connection that it has opened is closed (4401).',
    permission: 'admin',
    success: { 204: null },
    refusals: [409, 412],
    answer: async (context) => {
      await revokeToken(context.ports, changeOf(context), tenantOf(context).domain, context.names.token);
      return { status: 204 };
    },
  }),
  route({
    method: 'GET',
    path: '/tenants/{tenant}/shared-secrets',
    name: 'listSharedSecrets',
    summary: 'Ids of the secrets from which portals make credentials',
    permission: 'read',
    success: { 200: v.object({ items: v.array(v.object(shown)) }) },
    answer: async (context) => ({
      body: { items: await showSharedSecrets(context.ports.table, tenantOf(context).domain) },
    }),
  }),
  route({
    method: 'PUT',
    path: '/tenants/{tenant}/shared-secrets/{secret}',
    name: 'putSharedSecret',
    summary: 'Sets a secret from which a portal makes credentials for a while, or makes one up',
    description:
      'User name `<expiry, seconds since 1970>:<user>`, a day ahead at most; password base64(HMAC-SHA-256(secret, user name)).',
    permission: 'admin',
    body: secretBody,
    success: { 200: secretResource, 201: secretResource },
    refusals: [409, 412],
    answer: async (context) => {
      const { ports, names, body } = context;
      const { domain } = tenantOf(context);
      const { changed, secret } = await putSharedSecret(ports, changeOf(context), domain, names.secret, body.secret);
      const answer = changedAnswer(context, changed);
      return { ...answer, body: { ...changed.shown, secret } };
    },
  }),
  route({
    method: 'DELETE',
    path: '/tenants/{tenant}/shared-secrets/{secret}',
    name: 'deleteSharedSecret',
    summary:
      'Ends a shared secret: within seconds nobody signs in with what was made from it, and who has is signed out',
    permission: 'admin',
    success: { 204: null },
    refusals: [412],
    answer: async (context) => {
      await removeSharedSecret(context.ports, changeOf(context), tenantOf(context).domain, context.names.secret);
      return { status: 204 };
    },
  }),
];
