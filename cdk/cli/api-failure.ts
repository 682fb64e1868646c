/** What an answer or a silence of the HTTP API means for a person. Pure. */
import { CliFailure, EXIT, type PointedError } from './failure.ts';

/** What to do, by status. */
const ADVICE: Readonly<Record<number, string>> = {
  401: 'Give a valid key: lampfield login, or LAMPFIELD_KEY. A key that was revoked or has expired cannot come back.',
  403: 'The key may not do this: use one with the permission that it needs (lampfield key list shows them).',
  404: 'Check the name and the tenant; a key of a tenant sees only its own tenant.',
  409: 'It is in the way of something that is there: look at it (show), then try again.',
  412: 'Somebody changed it meanwhile: look at it again, then repeat.',
  413: 'Send less at once.',
  429: 'Wait a little; a lower --concurrency helps.',
};
const LATER = 'Try again in a moment; lampfield doctor says which part is in trouble.';

/** The body of a problem (RFC 9457), or whatever came instead. */
export function failureOf(status: number, body: unknown): CliFailure {
  const problem = asObject(body);
  const title = textOf(problem.title) ?? textOf(problem.message) ?? 'no reason given';
  const detail = textOf(problem.detail) ?? title;
  const isOurs = status < 500;
  return new CliFailure(`${isOurs ? 'refused' : 'the API is in trouble'} (${status}): ${detail}`, {
    exitCode: isOurs ? EXIT.refused : EXIT.unreachable,
    status,
    advice: ADVICE[status] ?? (isOurs ? undefined : LATER),
    errors: pointedErrors(problem.errors),
  });
}

/** The API could not be asked at all. */
export function unreachable(url: string, error: unknown): CliFailure {
  const { host } = new URL(url);
  return new CliFailure(`cannot reach ${host}: ${reasonOf(error)}`, {
    exitCode: EXIT.unreachable,
    advice:
      'Check the address (--url, LAMPFIELD_URL or lampfield profile show) and that the deployment runs: lampfield doctor.',
  });
}

/** The innermost reason of a failed connection, in words. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'no answer in time';
  const { code } = error as NodeJS.ErrnoException;
  const known = code === undefined ? undefined : REASONS[code];
  if (known !== undefined) return known;
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error.cause === undefined ? error.message || (code ?? error.name) : reasonOf(error.cause);
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (ECONNREFUSED)',
  ENOTFOUND: 'the name is unknown to DNS (ENOTFOUND)',
  EAI_AGAIN: 'DNS does not answer (EAI_AGAIN)',
  ECONNRESET: 'the connection was cut (ECONNRESET)',
  ETIMEDOUT: 'no answer in time (ETIMEDOUT)',
  EHOSTUNREACH: 'there is no way to the host (EHOSTUNREACH)',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
};

function pointedErrors(value: unknown): PointedError[] {
  if (!Array.isArray(value)) return [];
  return value.map(asObject).map((each) => ({
    pointer: textOf(each.pointer) ?? '',
    detail: textOf(each.detail) ?? 'wrong',
  }));
}

const asObject = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
