/** Routes of the connections of a tenant, as gateways hold them now, and of their end. */
import * as v from 'valibot';
import { PROOF_WAYS } from '#contract/schemas.ts';
import { connectionIdOf, endConnection, type HeldConnection, showConnections } from '#roles/connection-desk.ts';
import { signOutUser } from '#roles/user-desk.ts';
import { changeOf } from './change-answer.ts';
import { listAnswer, listOf, pageAfter, pageQuery, time } from './parameters.ts';
import { type Route, route, tenantOf, userAddressOf } from './route.ts';

const text = v.string();

export const connectionResource = v.object({
  id: v.pipe(text, v.description('Good until it ends')),
  ...{ user: text, role: v.picklist(['user', 'publisher']), gateway: text, flow: text },
  protocol: v.pipe(v.picklist(['sip', 'lamps']), v.description('lamps: the JSON stream')),
  transport: v.picklist(['WS', 'WSS', 'TCP', 'TLS']),
  address: v.pipe(text, v.description('Where it comes from')),
  since: time,
  userAgent: v.optional(text),
  subscriptions: v.pipe(v.number(), v.integer()),
  registered: v.boolean(),
  signedInBy: v.optional(v.picklist(PROOF_WAYS)),
  proof: v.optional(v.pipe(text, v.description('Id of the token or of the shared secret, or the issuer'))),
  expiresAt: v.optional(v.pipe(time, v.description('When what was proven ends'))),
});

function viewConnection(held: HeldConnection): v.InferOutput<typeof connectionResource> {
  const { identity, gatewayId, flowId, openedAtMs, sourceAddress, isRegistered, ...rest } = held;
  const { user, role, proof, expiresAtMs } = identity;
  return {
    ...{ id: connectionIdOf(held), user, role, gateway: gatewayId, flow: flowId },
    ...{ protocol: rest.protocol, transport: rest.transport, address: sourceAddress },
    ...{ since: toTime(openedAtMs), userAgent: rest.userAgent, subscriptions: rest.subscriptions },
    ...{ registered: isRegistered, signedInBy: proof?.way, proof: proof?.tokenId ?? proof?.by },
    ...(expiresAtMs !== undefined && { expiresAt: toTime(expiresAtMs) }),
  };
}

const toTime = (ms: number): string => new Date(ms).toISOString();

export const CONNECTION_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/tenants/{tenant}/connections',
    name: 'listConnections',
    summary:
      'Connections of a tenant as its gateways hold them now, by gateway; who has proven nothing yet is of no tenant',
    permission: 'live',
    query: pageQuery,
    success: {
      200: v.object({
        ...listOf(connectionResource).entries,
        silent: v.optional(
          v.pipe(v.array(text), v.description('Gateways that did not answer: what they hold is missing')),
        ),
      }),
    },
    answer: async (context) => {
      const { ports, nowMs } = context;
      const { domain } = tenantOf(context);
      const { items, place, silent } = await showConnections(ports, domain, pageAfter(context), nowMs);
      const { body } = listAnswer(context, items.map(viewConnection), place);
      return { body: { ...(body as object), ...(silent.length > 0 && { silent }) } };
    },
  }),
  route({
    method: 'DELETE',
    path: '/tenants/{tenant}/connections/{connection}',
    name: 'endConnection',
    summary: 'Closes one connection (WebSocket code 4403); its client may come back',
    permission: 'admin',
    success: { 204: null },
    refusals: [404, 503],
    answer: async (context) => {
      await endConnection(context.ports, changeOf(context), tenantOf(context).domain, context.names.connection);
      return { status: 204 };
    },
  }),
  route({
    method: 'DELETE',
    path: '/tenants/{tenant}/users/{user}/tokens',
    name: 'signOutUser',
    summary:
      'Signs a user out: tokens issued up to now are worth nothing, and connections that they have opened are closed',
    description:
      'Tokens of ours and of issuers (by their `iat`), within seconds. Those signed in by password are ended by another password; credentials that a portal has made are good until their end.',
    permission: 'admin',
    success: { 204: null },
    refusals: [404, 412],
    answer: async (context) => {
      await signOutUser(context.ports, changeOf(context), userAddressOf(context));
      return { status: 204 };
    },
  }),
];
