/** Problem details (RFC 9457): how the HTTP API says what is wrong. Pure. */

const TITLES = {
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
} as const;
export type ProblemStatus = keyof typeof TITLES;

/** A request of the HTTP API is refused. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: ProblemStatus;
  readonly headers: Readonly<Record<string, string>>;

  /** @param detail for the person who reads it */
  constructor(status: ProblemStatus, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.status = status;
    this.headers = headers;
  }
}

export const PROBLEM_TYPE = 'application/problem+json';

export function problemBody({ status, message }: Problem): string {
  return JSON.stringify({ type: 'about:blank', title: TITLES[status], status, detail: message });
}
