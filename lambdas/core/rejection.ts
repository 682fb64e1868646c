/** A rejection as the answer that crosses the wire. Pure. */
import type { EnvelopedResponse } from '#contract/outcome.ts';
import type { SipRejection } from './error.ts';

export function responseOf({ status, reason, headers }: SipRejection): EnvelopedResponse {
  return { status, reason, headers: headers.map(([name, value]) => [name, value]) };
}
