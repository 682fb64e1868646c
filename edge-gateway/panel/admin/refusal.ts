/** Refusals of the HTTP API (RFC 9457) as people need them: what is wrong, and what to do about it. Pure. */
import { isRecord } from '#gateway/panel/admin/json.ts';

/** One member of what was sent, and what is wrong with it. */
export interface MemberError {
  /** Path of the member, such as `policy.calls.limits`; '' for the whole. */
  readonly member: string;
  readonly detail: string;
}

/** A request came to nothing. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  /** HTTP status; 0 when no answer came at all. */
  readonly status: number;
  readonly advice: string;
  readonly errors: readonly MemberError[];
  /** Names the request in the log of the API. */
  readonly instance: string | undefined;

  constructor(
    status: number,
    title: string,
    { advice = '', errors = [], instance }: Partial<Pick<Refusal, 'advice' | 'errors' | 'instance'>> = {},
  ) {
    super(title);
    this.status = status;
    this.advice = advice;
    this.errors = errors;
    this.instance = instance;
  }
}

const ADVICE: Readonly<Record<number, string>> = {
  400: 'Correct what is named, then try again.',
  401: 'It was revoked, has run out, or is misspelt. Sign in with another one.',
  403: 'Sign in with a key that has the permission for it.',
  404: 'It may have been deleted meanwhile: go back to the list.',
  409: 'It is in the way of something that is there. Look at that first, then try again.',
  412: 'Somebody changed it meanwhile. Read it again, then make your change once more.',
  413: 'Send less at once.',
};
const LATER = 'It may be busy or restarting. Try again in a moment.';
const MAX_PROXY_TEXT = 200;

/** @param body what came, parsed if it was JSON */
export function refusalOf(status: number, body: unknown, retryAfter: string | null): Refusal {
  const problem = isRecord(body) ? body : { detail: typeof body === 'string' ? body.slice(0, MAX_PROXY_TEXT) : '' };
  const title = textOf(problem.detail) ?? textOf(problem.title) ?? textOf(problem.message) ?? '';
  return new Refusal(status, status === 401 ? 'The key is not good.' : title || `The HTTP API answered ${status}.`, {
    advice: adviceOf(status, retryAfter),
    errors: Array.isArray(problem.errors) ? problem.errors.map(memberError) : [],
    instance: status >= 500 ? textOf(problem.instance) : undefined,
  });
}

function adviceOf(status: number, retryAfter: string | null): string {
  const seconds = /^\d{1,5}$/.test(retryAfter ?? '') ? Number(retryAfter) : undefined;
  if (status === 429) return `Too much is asked at once. Try again in ${seconds ?? 'a few'} s.`;
  return ADVICE[status] ?? (status >= 500 ? LATER : '');
}

/** No answer came: a browser does not say whether the network, the server or its list of origins is why. */
export const unreachable = (host: string): Refusal =>
  new Refusal(0, `Cannot reach the HTTP API at ${host}.`, {
    advice: 'Check your network, that the API runs, and that it allows pages of this address (CORS).',
  });

export const timedOut = (host: string): Refusal =>
  new Refusal(0, `The HTTP API at ${host} does not answer.`, { advice: LATER });

/** An answer that this console does not understand. */
export const misunderstood = (why: string): Refusal =>
  new Refusal(0, `The HTTP API answered something else than expected: ${why}.`, {
    advice: 'Reload the page: it may be older than the API.',
  });

/** `#/policy/calls` is shown as `policy.calls`. */
function memberError(given: unknown): MemberError {
  const { pointer, detail } = isRecord(given) ? given : {};
  const parts = (textOf(pointer) ?? '')
    .replace(/^#?\/?/, '')
    .split('/')
    .map(decoded);
  return { member: parts.join('.'), detail: textOf(detail) ?? 'is wrong' };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
  } catch {
    return part;
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
