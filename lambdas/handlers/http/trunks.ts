/** Routes of a tenant's trunk. Where our gateways connect to is the operator's business. */
import * as v from 'valibot';
import { putTrunk, removeTrunk, showTheTrunk } from '#roles/trunk-desk.ts';
import { changedAnswer, changeOf } from './change-answer.ts';
import { type Route, route, tenantOf } from './route.ts';

const hostName = v.pipe(
  v.string(),
  v.toLowerCase(),
  v.regex(/^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|[0-9a-f:]{2,45})$/, 'is no host name or address'),
);
const network = v.pipe(
  v.string(),
  v.regex(/^[0-9A-Fa-f.:]{2,45}(?:\/\d{1,2})?$|^[A-Za-z0-9.-]{1,253}$/, 'is no address'),
);
const number = v.pipe(v.string(), v.regex(/^\+?[0-9*#]{0,32}$/, 'is no number'));
const name = v.pipe(v.string(), v.nonEmpty(), v.maxLength(256));

const peer = {
  transport: v.picklist(['TCP', 'TLS']),
  host: hostName,
  port: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535))),
};
const addresses = v.pipe(
  v.array(network),
  v.maxLength(64),
  v.description('Where its requests come from: addresses, or networks such as `192.0.2.0/24`'),
);
const callerId = v.object({
  number: v.optional(v.pipe(number, v.description('The number that all callers show outside'))),
  prefix: v.optional(v.pipe(number, v.description("Stands before the user's own number"))),
});

export const trunkResource = v.object({
  ...{ ...peer, addresses, callerId },
  account: v.optional(v.object({ username: name, realm: name })),
});
const trunkBody = v.object({
  ...{ ...peer, addresses, callerId: v.optional(callerId, {}) },
  account: v.optional(
    v.object({
      username: name,
      realm: v.optional(v.pipe(name, v.description('The host without it'))),
      password: v.optional(
        v.pipe(
          name,
          v.metadata({ writeOnly: true }),
          v.description('Without it, the same account keeps the one that it has'),
        ),
      ),
    }),
  ),
});

export const TRUNK_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/tenants/{tenant}/trunk',
    name: 'getTrunk',
    summary: "A tenant's trunk",
    permission: 'read',
    success: { 200: trunkResource },
    answer: async (context) => {
      const { shown, etag } = await showTheTrunk(context.ports, tenantOf(context).domain);
      return { body: shown, etag };
    },
  }),
  route({
    method: 'PUT',
    path: '/tenants/{tenant}/trunk',
    name: 'putTrunk',
    summary: "Sets a tenant's trunk; calls use it within half a minute",
    permission: 'admin',
    operatorOnly: true,
    body: trunkBody,
    success: { 200: trunkResource, 201: trunkResource },
    refusals: [412],
    answer: async (context) =>
      changedAnswer(context, await putTrunk(context.ports, changeOf(context), tenantOf(context).domain, context.body)),
  }),
  route({
    method: 'DELETE',
    path: '/tenants/{tenant}/trunk',
    name: 'deleteTrunk',
    summary: "Removes a tenant's trunk",
    permission: 'admin',
    operatorOnly: true,
    success: { 204: null },
    refusals: [412],
    answer: async (context) => {
      await removeTrunk(context.ports, changeOf(context), tenantOf(context).domain);
      return { status: 204 };
    },
  }),
];
