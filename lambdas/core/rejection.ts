/** A rejection as the answer that crosses the wire. Pure. */
import type { EnvelopedResponse } from '#contract/outcome.ts';
import { SipRejection } from './error.ts';

export function responseOf({ status, reason, headers }: SipRejection): EnvelopedResponse {
  return { status, reason, headers: headers.map(([name, value]) => [name, value]) };
}

const TENANT_FULL_RETRY_SECONDS = '30';

/**
 * A tenant holds all that its quota gives it: 503, since it may be tried again when something of it has ended. A 403 would
 * say that it is not to be repeated, and clients give up on it for good (RFC 3261 sections 21.4.4 and 21.5.4).
 */
export const tooMany = (reason: string): SipRejection =>
  new SipRejection(503, reason, [['Retry-After', TENANT_FULL_RETRY_SECONDS]]);
