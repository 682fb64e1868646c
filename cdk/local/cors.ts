/** CORS as API Gateway does it in front of its function, from the same description. Pure. */
import { API_CORS } from '#cdk/system.ts';

const PREFLIGHT = {
  'access-control-allow-methods': API_CORS.methods.join(','),
  'access-control-allow-headers': API_CORS.requestHeaders.join(','),
  'access-control-max-age': String(API_CORS.maxAgeSeconds),
} as const;
const ANSWER = { 'access-control-expose-headers': API_CORS.responseHeaders.join(',') } as const;

/** True for the question that a browser asks first; the function never sees it. */
export const isPreflight = (method: string | undefined, headers: Readonly<Record<string, unknown>>): boolean =>
  method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined;

/** @returns header fields for the browser; none for a page of an origin that is not on the list */
export function corsHeaders(
  origin: string | undefined,
  allowed: readonly string[],
  kind: 'preflight' | 'answer',
): Readonly<Record<string, string>> {
  if (origin === undefined || !allowed.includes(origin)) return {};
  return {
    'access-control-allow-origin': origin,
    vary: 'origin',
    ...(kind === 'preflight' ? PREFLIGHT : ANSWER),
  };
}
