/** Paths of the HTTP API: which role answers what. */
import { Problem } from '#core/problem.ts';
import {
  endCall,
  type OperatorDeskPorts,
  showCall,
  showCalls,
  showProfile,
  showProfiles,
  showRecords,
  showStatistics,
} from '#roles/operator-desk.ts';
import {
  type ApiRequest,
  type ApiResponse,
  json,
  noContent,
  readSlice,
  requireDomain,
  requireParameters,
  requireText,
  withCursor,
} from './api-request.ts';

/** A request whose tenant stands in the path, or in the query. */
interface Call {
  readonly request: ApiRequest;
  readonly ports: OperatorDeskPorts;
  /** Undefined: all tenants. */
  readonly tenant: string | undefined;
  /** What follows the collection's name. */
  readonly rest: readonly string[];
  readonly nowMs: number;
}

interface Route {
  /** Beside `tenant`. */
  readonly parameters: readonly string[];
  readonly answer: Readonly<Record<string, (call: Call) => Promise<ApiResponse>>>;
}

const PAGE = ['limit', 'cursor'];

const LISTS: Readonly<Record<string, Route>> = {
  calls: {
    parameters: PAGE,
    answer: {
      GET: async ({ request, ports, tenant, nowMs }) =>
        json(withCursor(await showCalls(ports, tenant, readSlice(request), nowMs))),
    },
  },
  records: {
    parameters: PAGE,
    answer: {
      GET: async ({ request, ports, tenant }) => json(withCursor(await showRecords(ports, tenant, readSlice(request)))),
    },
  },
  statistics: {
    parameters: [],
    answer: {
      GET: async ({ ports, tenant }) => {
        const { items } = await showStatistics(ports, tenant);
        return json(tenant === undefined ? { items } : items[0]);
      },
    },
  },
  profiles: {
    parameters: [],
    answer: { GET: async ({ ports, tenant }) => json(await showProfiles(ports, tenant)) },
  },
};

const ITEMS: Readonly<Record<string, Route>> = {
  calls: {
    parameters: ['id'],
    answer: {
      GET: async (call) => {
        const { ports, nowMs } = call;
        return json(await showCall(ports, tenantOf(call), ...callOf(call), nowMs));
      },
      DELETE: async (call) => {
        const { ports, nowMs } = call;
        await endCall(ports, tenantOf(call), ...callOf(call), nowMs);
        return noContent();
      },
    },
  },
  profiles: {
    parameters: ['calls'],
    answer: {
      GET: async (call) => {
        const { request, ports, rest, nowMs } = call;
        const [profile = '', ...value] = rest;
        const wish = {
          ...{ tenant: tenantOf(call), profile, withCalls: request.query.get('calls') === '1' },
          ...(value.length > 0 && { value: requireText(value.join('/'), 'The value') }),
        };
        return json(await showProfile(ports, wish, nowMs));
      },
    },
  },
};

/** @throws {Problem} what is wrong with the request */
export async function answerApi(request: ApiRequest, ports: OperatorDeskPorts, nowMs: number): Promise<ApiResponse> {
  const isInPath = request.path[0] === 'tenants';
  const [collection = '', ...rest] = isInPath ? request.path.slice(2) : request.path;
  const routes = rest.length === 0 ? LISTS : ITEMS;
  const route = Object.hasOwn(routes, collection) ? routes[collection] : undefined;
  if (route === undefined) throw new Problem(404, 'There is nothing here.');
  const { method } = request;
  const answer = Object.hasOwn(route.answer, method) ? route.answer[method] : undefined;
  if (answer === undefined) {
    const allow = Object.keys(route.answer).join(', ');
    throw new Problem(405, `Only ${allow} here.`, { allow });
  }
  requireParameters(request, isInPath ? route.parameters : [...route.parameters, 'tenant']);
  const named = isInPath ? request.path[1] : (request.query.get('tenant') ?? undefined);
  const tenant = named === undefined ? undefined : requireDomain(named);
  return answer({ request, ports, tenant, rest, nowMs });
}

/** A Call-ID may have slashes in it. */
const callOf = ({ request, rest }: Call): [callId: string, id: string | undefined] => [
  requireText(rest.join('/'), 'The Call-ID'),
  request.query.get('id') ?? undefined,
];

/** @throws {Problem} 400 */
function tenantOf({ tenant }: Call): string {
  if (tenant === undefined) throw new Problem(400, 'Name the tenant: ?tenant=<domain>.');
  return tenant;
}
