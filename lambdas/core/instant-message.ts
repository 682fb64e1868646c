/** Page-mode instant messages (RFC 3428): what is accepted, and how a message goes on to a contact. Pure. */
import type { EnvelopedRequest } from '#contract/request-envelope.ts';
import type { HeaderEntries } from '#contract/schemas.ts';
import type { EnvelopedResponse } from '#contract/sip-response.ts';
import { SipRejection } from './error.ts';
import { parseParameterized, parseSeconds } from './sip/header.ts';
import { longLowerName } from './sip/header-name.ts';
import type { HeaderFields } from './sip/message.ts';

export interface MessagePolicy {
  /** Of the body. RFC 3428 section 8 has 1300; more only where all paths are congestion-controlled. */
  readonly maxMessageBytes: number;
}

/** Fields that end here: of the hop, credentials, and claims that only a trusted element may make. */
const NOT_FORWARDED: ReadonlySet<string> = new Set([
  'via',
  'route',
  'record-route',
  'max-forwards',
  'content-length',
  'contact',
  'authorization',
  'proxy-authorization',
  'proxy-require',
  'p-asserted-identity',
  'p-preferred-identity',
]);
const DEFAULT_MAX_FORWARDS = 70;
const IS_COMPOSING = 'application/im-iscomposing+xml';

/**
 * @throws {SipRejection} 413 larger than the policy allows, 400 not text in UTF-8 or of no stated type
 */
export function requireAcceptable(request: EnvelopedRequest, headers: HeaderFields, policy: MessagePolicy): void {
  const isText = request.bodyEncoding === 'utf8';
  const bytes = Buffer.byteLength(request.body, isText ? 'utf8' : 'base64');
  if (bytes > policy.maxMessageBytes) throw new SipRejection(413, 'Message Too Large');
  if (!isText) throw new SipRejection(400, 'Body Is Not UTF-8');
  if (bytes > 0 && !headers.get('content-type')) throw new SipRejection(400, 'Missing Content-Type');
}

/** Header fields of the message as it goes to any contact; the sender's Via stays below the gateway's own. */
export function forwardedHeaders(headers: HeaderEntries, nowMs: number): [string, string][] {
  const kept = headers.filter(([name]) => !NOT_FORWARDED.has(longLowerName(name)));
  const vias = headers.filter(([name]) => longLowerName(name) === 'via');
  const isDated = kept.some(([name]) => longLowerName(name) === 'date');
  const maxForwards = headers.find(([name]) => longLowerName(name) === 'max-forwards')?.[1];
  return [
    ...vias.map(([name, value]): [string, string] => [name, value]),
    ['Max-Forwards', String(Math.max(0, Number(maxForwards ?? DEFAULT_MAX_FORWARDS) - 1))],
    ...kept.map(([name, value]): [string, string] => [name, value]),
    ...(isDated ? [] : [['Date', new Date(nowMs).toUTCString()] satisfies [string, string]]),
  ];
}

/** A contact's answer as the sender gets it: a 2xx to a MESSAGE has neither Contact nor body (RFC 3428 section 7). */
export function relayedResponse({ status, reason, headers }: EnvelopedResponse): EnvelopedResponse {
  const isRedirection = status >= 300 && status < 400;
  return { status, reason, headers: isRedirection ? headers : headers.filter(([name]) => !/^contact$/i.test(name)) };
}

/** "Is typing" means nothing later; all else may wait for its recipient. */
export function isWorthKeeping(headers: HeaderFields): boolean {
  return parseParameterized(headers.get('content-type') ?? '').value.toLowerCase() !== IS_COMPOSING;
}

/** How long the sender wants a message to be delivered (RFC 3428 section 4): `undefined` when it does not say. */
export function validSeconds(headers: HeaderFields): number | undefined {
  const expires = headers.get('expires');
  return expires === undefined ? undefined : parseSeconds(expires);
}
