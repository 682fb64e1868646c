/** What pages of other origins, the console among them, may send to the HTTP API and read of its answers (CORS). Pure. */
import type { ApiRequest, ApiResponse } from './request.ts';

const PREFLIGHT = {
  'access-control-allow-methods': 'GET,PUT,POST,DELETE',
  'access-control-allow-headers': 'authorization,content-type,if-match,if-none-match',
  'access-control-max-age': '3600',
} as const;
const ANSWER = {
  'access-control-expose-headers': 'etag,location,retry-after,ratelimit,ratelimit-policy',
} as const;

type Asking = Pick<ApiRequest, 'method' | 'headers'>;

/** The answer to the question that a browser asks first, without a key; undefined for any other request. */
export function preflightAnswer(request: Asking, allowed: readonly string[]): ApiResponse | undefined {
  const { origin, 'access-control-request-method': method } = request.headers;
  if (request.method !== 'OPTIONS' || origin === undefined || method === undefined) return undefined;
  return { statusCode: 204, headers: corsHeaders(origin, allowed, PREFLIGHT), body: '' };
}

/** The answer as a page may read it, when its origin is on the list. */
export function readableBy(request: Asking | undefined, allowed: readonly string[], answer: ApiResponse): ApiResponse {
  return { ...answer, headers: { ...answer.headers, ...corsHeaders(request?.headers.origin, allowed, ANSWER) } };
}

function corsHeaders(
  origin: string | undefined,
  allowed: readonly string[],
  others: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  if (origin === undefined || !allowed.includes(origin)) return {};
  return { 'access-control-allow-origin': origin, vary: 'origin', ...others };
}
