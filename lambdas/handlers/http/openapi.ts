/** The description of the HTTP API (OpenAPI 3.1), made of the same schemas that check requests. */
import { toJsonSchema } from '@valibot/to-json-schema';
import * as v from 'valibot';
import { PROBLEM_TITLES, PROBLEM_TYPE } from '#core/problem.ts';
import { PARAMETERS } from './parameters.ts';
import { type Route, route, type Schema } from './route.ts';

const VERSION = '1.0.0';
/** Methods whose resources have entity-tags. */
const REASONS: Readonly<Record<number, string>> = {
  200: 'Done',
  201: 'Created',
  202: 'Begun',
  204: 'Done, and there is nothing to say',
  304: 'As it was: If-None-Match names it',
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
  const paths = [...byPath].map(([path, own]) => [
    path,
    Object.fromEntries(own.map((each) => [each.method.toLowerCase(), operationOf(each)])),
  ]);
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
    tags: [...new Set(routes.map(tagOf))].map((name) => ({ name })),
    paths: Object.fromEntries(paths),
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'An API key, `lf_…`' } },
      schemas: { Problem: schemaOf(problem) },
    },
  };
}

function operationOf(described: Route): object {
  const { name, summary, description, permission, operatorOnly, body, success, successType } = described;
  const who = permission && `Permission: ${permission}${operatorOnly ? ", of an operator's key" : ''}.`;
  const answers = Object.entries(success).map(([status, schema]) => [
    status,
    successOf(Number(status), schema ?? null, successType),
  ]);
  return {
    operationId: name,
    summary,
    description: [description, who].filter(Boolean).join('\n\n') || undefined,
    tags: [tagOf(described)],
    ...(permission === undefined && { security: [] }),
    parameters: parametersOf(described),
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

function successOf(status: number, schema: Schema | null, type = 'application/json'): object {
  const description = REASONS[status] ?? 'Done';
  return schema === null ? { description } : { description, content: { [type]: { schema: schemaOf(schema) } } };
}

function refusalsOf({ permission, body, refusals = [] }: Route): [string, object][] {
  const ofKey = permission === undefined ? [] : [400, 401, 403, 404, 429, 503];
  const ofBody = body === undefined ? [] : [413, 415];
  const all = [...new Set<number>([...ofKey, ...ofBody, ...refusals])].toSorted((left, right) => left - right);
  return all.map((status) => [
    String(status),
    {
      description: PROBLEM_TITLES[status as keyof typeof PROBLEM_TITLES],
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
    ...{ name, in: 'query', required: !v.safeParse(schema as Schema, undefined).success },
    ...describedSchema(schema as Schema),
  }));
  return [...ofPath, ...ofQuery];
}

function describedSchema(schema: Schema): object {
  const { description, ...rest } = schemaOf(schema);
  return { ...(description !== undefined && { description }), schema: rest };
}

type JsonSchema = ReturnType<typeof toJsonSchema>;

/** @param isClosed members that are not named are refused */
function schemaOf(schema: Schema, isClosed = false): JsonSchema {
  const { $schema: _dialect, ...rest } = toJsonSchema(schema, {
    target: 'draft-2020-12',
    // Checks that JSON Schema cannot say are said in descriptions.
    errorMode: 'ignore',
    overrideSchema: ({ valibotSchema, jsonSchema }) =>
      isClosed && valibotSchema.type === 'object' ? { ...jsonSchema, additionalProperties: false } : undefined,
  });
  return rest;
}
