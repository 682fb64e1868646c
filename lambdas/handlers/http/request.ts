/** Requests and responses of the HTTP API in the payload of API Gateway's REST APIs (version 1.0), checked. */
import * as v from 'valibot';
import { DependencyUnavailable, StaleWrite } from '#core/error.ts';
import { PROBLEM_TYPE, Problem, problemBody } from '#core/problem.ts';

export interface ApiRequest {
  readonly method: string;
  /** As it came. */
  readonly rawPath: string;
  /** Decoded, without the first `/v1`. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** As it came, base64 undone. */
  readonly body: Buffer;
  readonly requestId: string;
  readonly sourceAddress: string;
}

export interface ApiResponse {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Nothing here is for caches or for guessing. */
export const COMMON_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;

const event = v.object({
  headers: v.nullish(v.record(v.string(), v.optional(v.string())), {}),
  /** Decoded. */
  multiValueQueryStringParameters: v.nullish(v.record(v.string(), v.array(v.string())), {}),
  body: v.nullish(v.string(), ''),
  isBase64Encoded: v.optional(v.boolean(), false),
  requestContext: v.object({
    /** With the stage, still percent-encoded. */
    path: v.string(),
    httpMethod: v.string(),
    requestId: v.optional(v.string(), ''),
    identity: v.optional(v.object({ sourceIp: v.optional(v.string(), '') }), {}),
  }),
});

/** @throws {Problem} 404 outside `/v1`, 400 for a path that cannot be decoded */
export function readRequest(input: unknown): ApiRequest {
  const { multiValueQueryStringParameters, headers, body, isBase64Encoded, requestContext } = v.parse(event, input);
  const segments = /^\/v1\/(.+?)\/?$/.exec(requestContext.path)?.[1]?.split('/');
  if (segments === undefined) throw new Problem(404, 'There is nothing here; paths begin with /v1/.');
  return {
    method: requestContext.httpMethod.toUpperCase(),
    rawPath: requestContext.path,
    path: segments.map(decoded),
    query: new URLSearchParams(
      Object.entries(multiValueQueryStringParameters ?? {}).flatMap(([name, values]) =>
        values.map((value) => [name, value]),
      ),
    ),
    headers: Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value])),
    body: Buffer.from(body ?? '', isBase64Encoded ? 'base64' : 'utf8'),
    requestId: requestContext.requestId,
    sourceAddress: requestContext.identity.sourceIp,
  };
}

/** The id of a request that could not be read otherwise. */
export function requestIdOf(input: unknown): string | undefined {
  const result = v.safeParse(v.object({ requestContext: v.object({ requestId: v.string() }) }), input);
  return result.success ? result.output.requestContext.requestId : undefined;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new Problem(400, 'The path is not percent-encoded as it should be.');
  }
}

/** @returns the answer to what a role threw (RFC 9457) */
export function refusal(error: unknown, requestId?: string): ApiResponse {
  const problem = problemOf(error);
  const headers = { ...COMMON_HEADERS, ...problem.headers, 'content-type': PROBLEM_TYPE };
  return { statusCode: problem.status, headers, body: problemBody(problem, requestId || undefined) };
}

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof DependencyUnavailable) {
    return new Problem(503, 'The table does not answer.', { 'retry-after': String(error.retryAfterSeconds) });
  }
  if (error instanceof StaleWrite) return new Problem(503, 'Others keep changing it.', { 'retry-after': '1' });
  return new Problem(500, 'This is a defect; the log says more.');
}
