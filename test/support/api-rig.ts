/** The HTTP API over a table in memory, as API Gateway would call it: a request in, an answer out. */
import { randomBytes } from 'node:crypto';
import { identifyCaller } from '#roles/key-authenticator.ts';
import { refusalOf } from '#runtime/guarded-connection.ts';
import { openLeaseBook } from '#table/lease-book.ts';
import type { Table } from '#table/table.ts';
import { loadTenant } from '#table/tenant-item.ts';
import type { ApiPorts } from '../../lambdas/handlers/http/ports.ts';
import { readRequest, refusal } from '../../lambdas/handlers/http/request.ts';
import { answerApi } from '../../lambdas/handlers/http/router.ts';
import { T0 } from './envelope.ts';
import { openMemoryTable } from './memory-table.ts';
import { TEST_VAULT } from './secrets.ts';

export const ADMIN_KEY = 'the-admin-key';

export interface Asking {
  readonly key?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** As JSON; a text goes as it is. */
  readonly body?: unknown;
}

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it as a client does
  readonly body: any;
  readonly text: string;
}

export interface ApiRig {
  readonly table: Table;
  readonly ports: ApiPorts;
  /** The clock; tests set it forward. */
  nowMs: number;
  /** With the admin key, unless another one is given; without one if it is empty. */
  ask(method: string, url: string, asking?: Asking): Promise<Answered>;
}

export function openApiRig(over: Partial<ApiPorts> = {}): ApiRig {
  const table = over.table ?? openMemoryTable();
  const ports: ApiPorts = {
    table,
    leases: openLeaseBook(table),
    loadTenant: (domain) => loadTenant(table, domain, { consistent: true }),
    gateways: { deliver: async () => ({ kind: 'failed', reason: 'no gateway here' }) },
    vault: async () => TEST_VAULT,
    random: randomBytes,
    refusedTarget: (url) => refusalOf(url, true),
    takeRequest: async () => ({}),
    takeChanges: () => undefined,
    ...over,
  };
  const rig: ApiRig = {
    ...{ table, ports, nowMs: T0 },
    async ask(method, url, { key = ADMIN_KEY, headers = {}, body } = {}) {
      const event = eventOf(method, url, headers, key, body);
      const authenticator = { table, adminKey: async () => ADMIN_KEY };
      const { statusCode, ...answer } = await Promise.resolve()
        .then(() => readRequest(event))
        .then((request) => {
          const identify = () => identifyCaller(authenticator, request.headers.authorization, rig.nowMs);
          return answerApi(request, ports, rig.nowMs, identify);
        })
        .catch((error: unknown) => refusal(error, 'request-1'));
      const isJson = /[/+]json$/.test(answer.headers['content-type'] ?? '');
      const parsed = isJson ? JSON.parse(answer.body) : undefined;
      return { status: statusCode, headers: answer.headers, body: parsed, text: answer.body };
    },
  };
  return rig;
}

function eventOf(method: string, url: string, headers: Asking['headers'], key: string, body: unknown): object {
  const given = {
    ...(key !== '' && { authorization: `Bearer ${key}` }),
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...headers,
  };
  return {
    ...apiEventOf(method, url, given),
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  };
}

/** The event of API Gateway's REST APIs, without a body. */
export function apiEventOf(method: string, url: string, headers: Readonly<Record<string, string>>): object {
  const [path = '', query = ''] = url.split('?');
  const asked = new URLSearchParams(query);
  const parameters = Object.fromEntries([...asked.keys()].map((name) => [name, asked.getAll(name)]));
  const requestContext = { path, httpMethod: method, requestId: 'request-1', identity: { sourceIp: '192.0.2.1' } };
  return { headers, multiValueQueryStringParameters: query === '' ? null : parameters, body: null, requestContext };
}
