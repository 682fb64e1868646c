/** Problem details (RFC 9457): how the HTTP API says what is wrong. Pure. */

export const PROBLEM_TITLES = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
} as const;
export type ProblemStatus = keyof typeof PROBLEM_TITLES;

/** One thing that is wrong with a body; `pointer` is a JSON pointer (RFC 6901) in the form of a URI fragment. */
export interface ProblemError {
  readonly pointer: string;
  readonly detail: string;
}

/** A request of the HTTP API is refused. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: ProblemStatus;
  readonly headers: Readonly<Record<string, string>>;
  readonly errors: readonly ProblemError[] | undefined;

  /** @param detail for the person who reads it */
  constructor(
    status: ProblemStatus,
    detail: string,
    headers: Readonly<Record<string, string>> = {},
    errors?: readonly ProblemError[],
  ) {
    super(detail);
    this.status = status;
    this.headers = headers;
    this.errors = errors;
  }
}

export const PROBLEM_TYPE = 'application/problem+json';

/** @param requestId names the occurrence, for whoever looks for it in the log */
export function problemBody({ status, message, errors }: Problem, requestId?: string): string {
  return JSON.stringify({
    ...{ type: 'about:blank', title: PROBLEM_TITLES[status], status, detail: message, errors },
    instance: requestId === undefined ? undefined : `urn:lampfield:request:${encodeURIComponent(requestId)}`,
  });
}

/** The JSON pointer of a member. */
export const pointerOf = (path: readonly (string | number)[]): string =>
  `#${path.map((part) => `/${encodeURIComponent(String(part).replaceAll('~', '~0').replaceAll('/', '~1'))}`).join('')}`;
