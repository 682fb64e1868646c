/** Router of the HTTP API: key, route, permission, tenant, parameters, body; then the route answers. */
import * as v from 'valibot';
import { type Caller, mayUse, seesTenant } from '#core/api-key.ts';
import { matches, readTags } from '#core/precondition.ts';
import { Problem } from '#core/problem.ts';
import { beingRemoved } from '#roles/tenant-desk.ts';
import type { Tenant } from '#table/tenant-item.ts';
import { readBody } from './body.ts';
import { PARAMETERS } from './parameters.ts';
import type { ApiPorts } from './ports.ts';
import { type ApiRequest, type ApiResponse, COMMON_HEADERS } from './request.ts';
import type { Answer, Context, Route } from './route.ts';
import { type Found, openRouteTable } from './route-table.ts';
import { ROUTES } from './routes.ts';

const TABLE = openRouteTable(ROUTES);
/** What stands for a caller where no key is asked for: it reaches no tenant. */
const ANYBODY: Caller = { key: '', tenant: '', permission: 'read' };

/**
 * @param identify finds who asks, when the route wants to know
 * @throws {Problem} what is wrong with the request
 */
export async function answerApi(
  request: ApiRequest,
  ports: ApiPorts,
  nowMs: number,
  identify: () => Promise<Caller>,
): Promise<ApiResponse> {
  const caller = isOpen(request) ? ANYBODY : await identify();
  // Operators and readers of the description are held back by the front alone.
  const rate = caller.tenant ? await ports.takeRequest(caller.tenant, nowMs) : {};
  const found = TABLE.find(request);
  const context = await contextOf(request, found, { ports, caller, nowMs });
  const response = responseOf(request, await found.route.answer(context));
  return { ...response, headers: { ...response.headers, ...rate } };
}

/** Routes without a key; whoever has none is not told which other paths there are. */
function isOpen(request: ApiRequest): boolean {
  return TABLE.routes.some(
    ({ permission, method, path }) =>
      permission === undefined && method === request.method && path === `/${request.path.join('/')}`,
  );
}

type Given = Pick<Context, 'ports' | 'caller' | 'nowMs'>;

async function contextOf(request: ApiRequest, { route, names }: Found, given: Given): Promise<Context> {
  const isOfTenant = names.tenant !== undefined;
  const checked = Object.fromEntries(Object.entries(names).map(([name, text]) => [name, parameterOf(name, text)]));
  // Before anything else is said: what is another tenant's looks like nothing.
  const tenant = isOfTenant ? await tenantFor(route, checked.tenant ?? '', given) : undefined;
  const query = queryOf(route, request, given.caller);
  requirePermission(route, given.caller);
  return {
    ...given,
    tenant,
    names: checked,
    query,
    body: route.body && readBody(request, route.body),
    precondition: {
      ifMatch: readTags(request.headers['if-match'], 'If-Match'),
      ifNoneMatch: readTags(request.headers['if-none-match'], 'If-None-Match'),
    },
    path: `/v1/${request.path.map(encodeURIComponent).join('/')}`,
    place: `${route.path} ${JSON.stringify(checked)} ${placeOfQuery(query)}`,
    requestId: request.requestId,
  };
}

/** @throws {Problem} 400 */
function parameterOf(name: string, text: string): string {
  const schema = Object.hasOwn(PARAMETERS, name) ? PARAMETERS[name as keyof typeof PARAMETERS] : undefined;
  if (schema === undefined) throw new Error(`There is no parameter ${name}`);
  const result = v.safeParse(schema as v.GenericSchema<string, string>, text);
  if (result.success) return result.output;
  throw new Problem(400, `${name} ${result.issues[0].message}.`);
}

/** @throws {Problem} 404 for no tenant, and in the same words for one that this key does not see; 409 for one that goes */
async function tenantFor(route: Route, domain: string, { ports, caller }: Given): Promise<Tenant | undefined> {
  if (!seesTenant(caller, domain)) throw noTenant(domain);
  if (route.anyTenant) return undefined;
  const tenant = await ports.loadTenant(domain);
  if (tenant === undefined) throw noTenant(domain);
  if (tenant.removal !== undefined && !route.whileRemoved) throw beingRemoved(domain);
  return tenant;
}

const noTenant = (domain: string): Problem => new Problem(404, `There is no tenant ${domain}.`);

/** @throws {Problem} 403 */
function requirePermission({ permission, operatorOnly = false }: Route, caller: Caller): void {
  if (permission === undefined) return;
  if (operatorOnly && caller.tenant !== undefined) throw new Problem(403, "This needs an operator's key.");
  if (!mayUse(caller, permission)) throw new Problem(403, `This key is for ${caller.permission} only.`);
}

/**
 * A `tenant` in the query is the caller's own where the caller has one.
 * @throws {Problem} 400 for a parameter that is not known here, stands twice, or is not as it should be
 */
function queryOf({ query: schema }: Route, { query }: ApiRequest, caller: Caller): Readonly<Record<string, unknown>> {
  for (const name of new Set(query.keys())) {
    const isKnown = schema !== undefined && Object.hasOwn(schema.entries, name);
    if (!isKnown) throw new Problem(400, `The parameter ${JSON.stringify(name)} is not known here.`);
    if (query.getAll(name).length > 1) throw new Problem(400, `The parameter ${name} stands more than once.`);
  }
  if (schema === undefined) return {};
  const result = v.safeParse(schema, Object.fromEntries(query));
  if (result.success) return withTenant(schema, result.output, caller);
  const [issue] = result.issues;
  throw new Problem(400, `The parameter ${v.getDotPath(issue)} is not right: ${issue.message}.`);
}

/** @throws {Problem} 404 */
function withTenant(schema: NonNullable<Route['query']>, query: Readonly<Record<string, unknown>>, caller: Caller) {
  if (caller.tenant === undefined || !Object.hasOwn(schema.entries, 'tenant')) return query;
  const { tenant = caller.tenant } = query;
  if (!seesTenant(caller, String(tenant))) throw noTenant(String(tenant));
  return { ...query, tenant };
}

/** What a cursor depends on besides the path: the other parameters of the query. */
function placeOfQuery(query: Readonly<Record<string, unknown>>): string {
  const { limit: _limit, cursor: _cursor, ...others } = query;
  return JSON.stringify(others);
}

function responseOf(request: ApiRequest, answer: Answer): ApiResponse {
  const { body, text, etag } = answer;
  const hasBody = body !== undefined || text !== undefined;
  const headers = {
    ...COMMON_HEADERS,
    ...answer.headers,
    ...(etag !== undefined && { etag: `"${etag}"` }),
    ...(hasBody && { 'content-type': text?.type ?? 'application/json' }),
  };
  if (isKnownAlready(request, etag))
    return { statusCode: 304, headers: { ...COMMON_HEADERS, etag: `"${etag}"` }, body: '' };
  return {
    statusCode: answer.status ?? (hasBody ? 200 : 204),
    headers,
    body: text?.value ?? (body === undefined ? '' : JSON.stringify(body)),
  };
}

/** RFC 9110 section 13.1.2: a reader that has it is not sent it again. */
function isKnownAlready({ method, headers }: ApiRequest, etag: string | undefined): boolean {
  const isRead = method === 'GET' || method === 'HEAD';
  const tags = isRead ? readTags(headers['if-none-match'], 'If-None-Match') : undefined;
  return tags !== undefined && matches(tags, etag);
}
