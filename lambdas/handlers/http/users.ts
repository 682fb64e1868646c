/** Routes of users and publishers, and of their passwords. */
import * as v from 'valibot';
import { PASSWORD_LENGTH } from '#core/password.ts';
import { putUser, removeUser, setPassword, showOneUser, showUsers } from '#roles/user-desk.ts';
import { givenUserWatch, userGroups } from '#table/watch-rules.ts';
import { changedAnswer, changeOf, requireSame } from './change-answer.ts';
import { listAnswer, listOf, PAGE, pageAfter, userName } from './parameters.ts';
import { type Answer, type Context, type Route, route, tenantOf, userAddressOf } from './route.ts';

const role = v.picklist(['user', 'publisher']);
const settings = {
  displayName: v.optional(v.pipe(v.string(), v.nonEmpty(), v.maxLength(256))),
  groups: v.optional(userGroups),
  watch: v.optional(givenUserWatch),
};
const password = v.pipe(
  v.string(),
  v.maxLength(PASSWORD_LENGTH.most),
  v.regex(/^\P{Cc}*$/u, 'has control characters'),
  v.metadata({ writeOnly: true }),
  v.description(`${PASSWORD_LENGTH.least} characters at least`),
);

export const userResource = v.object({ user: userName, role, ...settings });
const user = v.optional(v.pipe(userName, v.description('As in the path, if it is given')));
const userBody = v.object({ user, role: v.optional(role, 'user'), ...settings, password: v.optional(password) });
const publisherBody = v.object({
  ...{ user, role: v.optional(v.literal('publisher'), 'publisher') },
  ...{ ...settings, password: v.optional(password) },
});
const credentialsBody = v.optional(v.object({ password: v.optional(password) }), {});
const credentialsResource = v.object({
  user: userName,
  password: v.optional(v.pipe(v.string(), v.description('The one that was made up; it is not shown again'))),
});

async function put(
  context: Context<'tenant' | 'user', unknown, unknown>,
  { user: named, ...given }: v.InferOutput<typeof userBody>,
): Promise<Answer> {
  requireSame('user', named, context.names.user);
  const { users: quota } = tenantOf(context).quotas;
  return changedAnswer(context, await putUser(context.ports, changeOf(context), userAddressOf(context), given, quota));
}

const users: readonly Route[] = [
  route({
    method: 'GET',
    path: '/tenants/{tenant}/users',
    name: 'listUsers',
    summary: 'Users and publishers of a tenant, by role and name',
    permission: 'read',
    query: v.object({ ...PAGE, role: v.optional(role) }),
    success: { 200: listOf(userResource) },
    answer: async (context) => {
      const page = pageAfter(context);
      const { users, place } = await showUsers(context.ports.table, tenantOf(context).domain, context.query.role, page);
      return listAnswer(context, users, place);
    },
  }),
  route({
    method: 'GET',
    path: '/tenants/{tenant}/users/{user}',
    name: 'getUser',
    summary: 'One user',
    permission: 'read',
    success: { 200: userResource },
    answer: async (context) => {
      const { shown, etag } = await showOneUser(context.ports.table, userAddressOf(context));
      return { body: shown, etag };
    },
  }),
  route({
    method: 'PUT',
    path: '/tenants/{tenant}/users/{user}',
    name: 'putUser',
    summary: 'Creates a user, or replaces all of it but the password',
    description: 'A password that is given is set. Without one, a new user cannot sign in until it gets one.',
    permission: 'admin',
    body: userBody,
    success: { 200: userResource, 201: userResource },
    refusals: [409, 412],
    answer: (context) => put(context, context.body),
  }),
  route({
    method: 'DELETE',
    path: '/tenants/{tenant}/users/{user}',
    name: 'deleteUser',
    summary: 'Removes a user: its connections, subscriptions and state end within seconds',
    permission: 'admin',
    success: { 204: null },
    refusals: [412],
    answer: async (context) => {
      await removeUser(context.ports, changeOf(context), userAddressOf(context));
      return { status: 204 };
    },
  }),
  route({
    method: 'PUT',
    path: '/tenants/{tenant}/users/{user}/credentials',
    name: 'putCredentials',
    summary: 'Sets the password of a user, or makes one up',
    permission: 'admin',
    body: credentialsBody,
    success: { 200: credentialsResource },
    refusals: [409, 412],
    answer: async (context) => {
      const { ports, names, body } = context;
      const made = await setPassword(ports, changeOf(context), userAddressOf(context), body.password);
      return { body: { user: names.user, ...made } };
    },
  }),
];

const publishers: readonly Route[] = [
  route({
    method: 'GET',
    path: '/tenants/{tenant}/publishers',
    name: 'listPublishers',
    summary: 'Publishers of a tenant by name: accounts that may publish for its users',
    permission: 'read',
    query: v.object(PAGE),
    success: { 200: listOf(userResource) },
    answer: async (context) => {
      const page = pageAfter(context);
      const { users, place } = await showUsers(context.ports.table, tenantOf(context).domain, 'publisher', page);
      return listAnswer(context, users, place);
    },
  }),
  route({
    method: 'GET',
    path: '/tenants/{tenant}/publishers/{user}',
    name: 'getPublisher',
    summary: 'One publisher',
    permission: 'read',
    success: { 200: userResource },
    answer: async (context) => {
      const { shown, etag } = await showOneUser(context.ports.table, userAddressOf(context), 'publisher');
      return { body: shown, etag };
    },
  }),
  route({
    method: 'PUT',
    path: '/tenants/{tenant}/publishers/{user}',
    name: 'putPublisher',
    summary: 'Creates a publisher, or replaces all of it but the password',
    permission: 'admin',
    body: publisherBody,
    success: { 200: userResource, 201: userResource },
    refusals: [409, 412],
    answer: (context) => put(context, context.body),
  }),
  route({
    method: 'DELETE',
    path: '/tenants/{tenant}/publishers/{user}',
    name: 'deletePublisher',
    summary: 'Removes a publisher; what it has published ends at its expiry',
    permission: 'admin',
    success: { 204: null },
    refusals: [412],
    answer: async (context) => {
      await removeUser(context.ports, changeOf(context), userAddressOf(context), 'publisher');
      return { status: 204 };
    },
  }),
];

export const USER_ROUTES: readonly Route[] = [...users, ...publishers];
