/** Requests and responses of the HTTP API in the payload of API Gateway (version 2.0), checked. */
import { createHash, timingSafeEqual } from 'node:crypto';
import * as v from 'valibot';
import { DependencyUnavailable } from '#core/error.ts';
import { PROBLEM_TYPE, Problem, problemBody } from '#core/problem.ts';
import type { Slice } from '#roles/operator-desk.ts';

export interface ApiRequest {
  readonly method: string;
  /** Decoded, without the first `/v1`. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
}

export interface ApiResponse {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const MAX_LIMIT = 200;
const DEFAULT_LIMIT = 50;
const MAX_TEXT = 2_048;
/** Nothing here is for caches or for guessing. */
const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;

const event = v.object({
  rawPath: v.string(),
  rawQueryString: v.optional(v.string(), ''),
  headers: v.optional(v.record(v.string(), v.optional(v.string())), {}),
  requestContext: v.object({ http: v.object({ method: v.string() }) }),
});

/** @throws {Problem} 404 outside `/v1`, 400 for a path that cannot be decoded */
export function readRequest(input: unknown): ApiRequest {
  const { rawPath, rawQueryString, headers, requestContext } = v.parse(event, input);
  const segments = /^\/v1\/(.+?)\/?$/.exec(rawPath)?.[1]?.split('/');
  if (segments === undefined) throw new Problem(404, 'There is nothing here; paths begin with /v1/.');
  const authorization = Object.entries(headers).find(([name]) => name.toLowerCase() === 'authorization')?.[1];
  return {
    method: requestContext.http.method.toUpperCase(),
    path: segments.map(decoded),
    query: new URLSearchParams(rawQueryString),
    authorization,
  };
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new Problem(400, 'The path is not percent-encoded as it should be.');
  }
}

/** @throws {Problem} 401 without the key; the time that it takes says nothing about the key */
export function requireKey({ authorization }: ApiRequest, key: string): void {
  const given = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1] ?? '';
  const [left, right] = [given, key].map((text) => createHash('sha256').update(text).digest());
  if (left && right && timingSafeEqual(left, right)) return;
  throw new Problem(401, 'Give the admin key: Authorization: Bearer <key>.', { 'www-authenticate': 'Bearer' });
}

/** @throws {Problem} 400 for a parameter that is not known here, or stands twice */
export function requireParameters({ query }: ApiRequest, known: readonly string[]): void {
  for (const name of new Set(query.keys())) {
    if (!known.includes(name)) throw new Problem(400, `The parameter ${JSON.stringify(name)} is not known here.`);
    if (query.getAll(name).length > 1) throw new Problem(400, `The parameter ${name} stands more than once.`);
  }
}

/** A text of path or query: not empty, not endless. @throws {Problem} 400 */
export function requireText(text: string | undefined | null, name: string): string {
  if (text && text.length <= MAX_TEXT) return text;
  throw new Problem(400, `${name} is missing or too long.`);
}

/** A tenant's domain in lower case. @throws {Problem} 400 */
export function requireDomain(text: string | null | undefined): string {
  const domain = requireText(text, 'The tenant').toLowerCase();
  if (!/^[a-z0-9][a-z0-9.-]{0,252}$/.test(domain)) throw new Problem(400, 'The tenant is no domain name.');
  return domain;
}

const cursor = v.object({ tenant: v.string(), place: v.optional(v.string()) });

/** Reads `limit` and `cursor`. @throws {Problem} 400 */
export function readSlice({ query }: ApiRequest): Slice {
  const text = query.get('limit') ?? String(DEFAULT_LIMIT);
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > MAX_LIMIT) throw new Problem(400, `limit must be a whole number from 1 to ${MAX_LIMIT}.`);
  const given = query.get('cursor');
  return given === null ? { limit } : { limit, from: readCursor(given) };
}

function readCursor(text: string): v.InferOutput<typeof cursor> {
  const json = Buffer.from(text.slice(0, MAX_TEXT), 'base64url').toString();
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), cursor), json);
  if (!result.success) throw new Problem(400, 'The cursor is not one of ours.');
  return result.output;
}

/** A list with the cursor of what follows. */
export const withCursor = ({ items, next }: { readonly items: unknown; readonly next?: object | undefined }) => ({
  items,
  next: next && Buffer.from(JSON.stringify(next)).toString('base64url'),
});

export const json = (body: unknown): ApiResponse => ({
  statusCode: 200,
  headers: { ...HEADERS, 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

export const noContent = (): ApiResponse => ({ statusCode: 204, headers: HEADERS, body: '' });

/** @returns the answer to what a role threw (RFC 9457) */
export function refusal(error: unknown): ApiResponse {
  const problem = problemOf(error);
  const headers = { ...HEADERS, ...problem.headers, 'content-type': PROBLEM_TYPE };
  return { statusCode: problem.status, headers, body: problemBody(problem) };
}

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof DependencyUnavailable) {
    return new Problem(503, 'The table does not answer.', { 'retry-after': String(error.retryAfterSeconds) });
  }
  return new Problem(500, 'This is a defect; the log says more.');
}
