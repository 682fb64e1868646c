/** Who may do what: an identity, its tenant, and the names in a request. Pure. */
import type { Identity } from '#contract/schemas.ts';
import { SipRejection } from './error.ts';
import { parseNameAddr } from './sip/header.ts';
import type { HeaderFields } from './sip/message.ts';
import { formatAor, parseUri, type SipUri } from './sip/uri.ts';

/** Longest names that the table's keys and the contract take. */
const MAX_USER_LENGTH = 256;
const MAX_DOMAIN_LENGTH = 253;

/** One address-of-record; `user` unescaped, `domain` in lower case. */
export interface Address {
  readonly domain: string;
  readonly user: string;
}

/** The identity's AOR, `sip:user@domain`. */
export const aorOfIdentity = ({ user, domain }: Address): string => formatAor(user, domain);

/** Scheme, port and parameters aside, whom a SIP URI names. */
export const addressOf = ({ user, host }: SipUri): Address => ({ user, domain: host });

/** The address of an AOR; undefined for what is no SIP URI. */
export function addressOfAor(aor: string): Address | undefined {
  const uri = parseUri(aor);
  return uri && addressOf(uri);
}

export const isSameAddress = (left: Address, right: Address): boolean =>
  left.user === right.user && left.domain === right.domain;

/** False for names so long that they can neither be stored nor be anybody's. */
export const isStorable = ({ user, domain }: Address): boolean =>
  user.length > 0 && user.length <= MAX_USER_LENGTH && domain.length > 0 && domain.length <= MAX_DOMAIN_LENGTH;

/**
 * Whom From, To or another header field with a name-addr names.
 * @throws {SipRejection} 400 when it is missing or names no SIP URI
 */
export function addressOfHeader(headers: HeaderFields, name: 'from' | 'to'): Address {
  const uri = parseUri(parseNameAddr(headers.get(name) ?? '')?.uri ?? '');
  if (!uri) throw new SipRejection(400, `Bad ${name === 'from' ? 'From' : 'To'}`);
  return addressOf(uri);
}

/**
 * Whom the Request-URI names; `user` is empty for a domain alone.
 * @throws {SipRejection} 400 when it is no SIP URI
 */
export function addressOfRequestUri(requestUri: string): Address {
  const uri = parseUri(requestUri);
  if (!uri) throw new SipRejection(400, 'Bad Request-URI');
  return addressOf(uri);
}

/**
 * Refuses a request that names another tenant in Request-URI, To or From. Nothing is looked up, so the answer
 * is the same whether or not the name exists.
 * @throws {SipRejection} 403
 */
export function requireOwnTenant(identity: Identity, requestUri: string, headers: HeaderFields): void {
  const named = [addressOfRequestUri(requestUri), addressOfHeader(headers, 'to'), addressOfHeader(headers, 'from')];
  const foreign = named.some((each) => each.domain !== identity.domain || each.user.length > MAX_USER_LENGTH);
  if (foreign) throw forbidden();
}

/**
 * The other tenant that Request-URI and To both name, in a request of one's own; what comes of it is for the two tenants to
 * decide. Undefined for everything that {@link requireOwnTenant} is to judge.
 * @throws {SipRejection} 400 as that does
 */
export function foreignTenantNamed(identity: Identity, requestUri: string, headers: HeaderFields): string | undefined {
  const [target, to, from] = [
    addressOfRequestUri(requestUri),
    addressOfHeader(headers, 'to'),
    addressOfHeader(headers, 'from'),
  ];
  const isForeign = target.domain !== identity.domain && to.domain === target.domain && from.domain === identity.domain;
  const isTooLong = [target, to, from].some(({ user }) => user.length > MAX_USER_LENGTH);
  return isForeign && !isTooLong && isStorable(target) ? target.domain : undefined;
}

/** True when the identity may publish the state of this presentity. */
export function mayPublishFor(identity: Identity, presentity: Address): boolean {
  if (identity.role === 'publisher') return identity.domain === presentity.domain;
  return isSameAddress(identity, presentity);
}

/** The one refusal for everything that is not the identity's business. */
export const forbidden = (): SipRejection => new SipRejection(403, 'Forbidden');
