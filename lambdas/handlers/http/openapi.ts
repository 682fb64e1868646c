/** The description of the HTTP API (OpenAPI 3.1), made of the same schemas that check requests. */
import * as v from 'valibot';
import { PROBLEM_TITLES, PROBLEM_TYPE } from '#core/problem.ts';
import { schemaOf } from './json-schema.ts';
import { PARAMETERS } from './parameters.ts';
import { type Route, route, type Schema } from './route.ts';

const VERSION = '1.0.0';
const SUCCESS: Readonly<Record<number, string>> = {
  200: 'Done',
  201: 'Created',
  202: 'Begun',
  204: 'Done, and there is nothing to say',
};
/** What the collections are. */
const TAGS: Readonly<Record<string, string>> = {
  tenants: 'One SIP domain with its policy, sign-in, watch rules and quotas',
  users: 'Accounts of a tenant, and their passwords',
  publishers: 'Accounts that may publish for the users of their tenant',
  lists: 'Event lists: one SUBSCRIBE for many lamps (RFC 4662)',
  trunk: "The way of a tenant's calls to the outside",
  keys: 'API keys',
  audit: 'Who changed what by this API',
  calls: 'Live calls',
  records: 'Records of ended calls',
  statistics: 'Call counters',
  profiles: 'How many calls there are, and of whom',
  presentities: 'Lamps: what is known of a user now, why, and who is told',
  subscriptions: 'Who watches whom',
  bindings: 'Where users are registered',
  sources: 'Systems that say over HTTP what their users do',
  tokens: 'Tokens that users sign in with',
  limits: 'Limits of a tenant, and their use',
  export: 'All data of a tenant',
  openapi: 'This description',
};

const problem = v.object({
  type: v.string(),
  title: v.string(),
  status: v.pipe(v.number(), v.integer()),
  detail: v.string(),
  instance: v.optional(v.string()),
  errors: v.optional(v.array(v.object({ pointer: v.string(), detail: v.string() }))),
});

/** `GET /v1/openapi.json`, which asks for no key. */
export function openApiRoute(routes: readonly Route[]): Route {
  let made: unknown;
  const own: Route = route({
    method: 'GET',
    path: '/openapi.json',
    name: 'getDescription',
    summary: 'This description (OpenAPI 3.1)',
    permission: undefined,
    success: { 200: v.looseObject({ openapi: v.string() }) },
    answer: async () => {
      made ??= describeApi([...routes, own]);
      return { body: made, headers: { 'cache-control': 'public, max-age=300' } };
    },
  });
  return own;
}

/** The whole document. */
export function describeApi(routes: readonly Route[]): object {
  const byPath = Map.groupBy(routes, ({ path }) => path.replace('+}', '}'));
  const paths = [...byPath].map(([path, own]) => {
    const isVersioned = own.some(({ refusals = [] }) => refusals.includes(412));
    return [path, Object.fromEntries(own.map((each) => [each.method.toLowerCase(), operationOf(each, isVersioned)]))];
  });
  return {
    openapi: '3.1.0',
    info: {
      title: 'Lampfield',
      version: VERSION,
      summary: 'Control plane of hosted Busy Lamp Field and presence for SIP',
      license: { name: 'Apache 2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/v1' }],
    security: [{ key: [] }],
    tags: [...new Set(routes.map(tagOf))].map((name) => ({ name, description: TAGS[name] ?? `About ${name}` })),
    paths: Object.fromEntries(paths),
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'An API key, `lf_…`' } },
      schemas: { Problem: schemaOf(problem) },
    },
  };
}

/** @param isVersioned its resource has entity-tags */
function operationOf(described: Route, isVersioned: boolean): object {
  const { name, summary, description, permission, operatorOnly, body, success, successType } = described;
  const who = permission && `Permission: ${permission}${operatorOnly ? ", of an operator's key" : ''}.`;
  const answers = Object.entries(success).map(([status, schema]) => [
    status,
    successOf(Number(status), schema ?? null, successType, isVersioned),
  ]);
  return {
    operationId: name,
    summary,
    description: [description, who].filter(Boolean).join('\n\n') || undefined,
    tags: [tagOf(described)],
    ...(permission === undefined && { security: [] }),
    parameters: [...parametersOf(described), ...conditionsOf(described, isVersioned)],
    ...(body && { requestBody: bodyOf(body) }),
    responses: Object.fromEntries([...answers, ...refusalsOf(described)]),
  };
}

/** The collection that a path is about. */
function tagOf({ path }: Route): string {
  const [first = '', , second] = path.slice(1).split('/');
  return first === 'tenants' ? (second ?? first) : first.replace('.json', '');
}

function bodyOf(schema: Schema): object {
  const isOptional = v.safeParse(schema, undefined).success;
  return { required: !isOptional, content: { 'application/json': { schema: schemaOf(schema, true) } } };
}

const ETAG = { ETag: { description: 'Of the resource as it stands now', schema: { type: 'string' } } };

function successOf(status: number, schema: Schema | null, type = 'application/json', isVersioned: boolean): object {
  const description = SUCCESS[status] ?? 'Done';
  if (schema === null) return { description };
  return { description, ...(isVersioned && { headers: ETAG }), content: { [type]: { schema: schemaOf(schema) } } };
}

const RETRY = { 'Retry-After': { description: 'Seconds', schema: { type: 'integer' } } };

function refusalsOf({ permission, body, refusals = [] }: Route): [string, object][] {
  const ofKey = permission === undefined ? [400] : [400, 401, 403, 404, 429, 503];
  const ofBody = body === undefined ? [] : [413, 415];
  const all = [...new Set<number>([...ofKey, ...ofBody, ...refusals])].toSorted((left, right) => left - right);
  return all.map((status) => [
    String(status),
    {
      description: PROBLEM_TITLES[status as keyof typeof PROBLEM_TITLES],
      ...((status === 429 || status === 503) && { headers: RETRY }),
      content: { [PROBLEM_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
    },
  ]);
}

function parametersOf({ path, query }: Route): object[] {
  const names = [...path.matchAll(/\{(\w+)\+?\}/g)].map(([, name = '']) => name);
  const ofPath = names.map((name) => ({
    ...{ name, in: 'path', required: true },
    ...describedSchema(PARAMETERS[name as keyof typeof PARAMETERS]),
  }));
  const ofQuery = Object.entries(query?.entries ?? {}).map(([name, schema]) => ({
    ...{ name, in: 'query', required: !v.safeParse(schema, undefined).success },
    ...describedSchema(schema as Schema),
  }));
  return [...ofPath, ...ofQuery];
}

/** RFC 9110 section 13: only if it is still as it was read, only if there is nothing yet, only if it is another one. */
function conditionsOf({ method, refusals = [] }: Route, isVersioned: boolean): object[] {
  const header = (name: string, description: string) => ({
    name,
    in: 'header',
    description,
    schema: { type: 'string' },
  });
  if (method === 'GET') return isVersioned ? [header('If-None-Match', 'Answer 304 when it is still this one')] : [];
  if (!refusals.includes(412)) return [];
  const ifMatch = header('If-Match', 'Only while the resource has one of these entity-tags');
  return method === 'PUT' ? [ifMatch, header('If-None-Match', '`*`: only when there is nothing yet')] : [ifMatch];
}

function describedSchema(schema: Schema): object {
  const { description, pattern, default: fallback, ...rest } = schemaOf(schema);
  // A number in the query is digits before it is one.
  const isNumber = rest.type === 'number';
  const shown = isNumber ? { ...rest, type: 'integer' } : { ...rest, ...(pattern !== undefined && { pattern }) };
  const byDefault = fallback === undefined ? {} : { default: isNumber ? Number(fallback) : fallback };
  return { ...(description !== undefined && { description }), schema: { ...shown, ...byDefault } };
}
