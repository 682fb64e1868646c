/** Bearer tokens in SIP (RFC 8898): where they stand in a request, and how they are asked for. Pure. */
import type { HeaderEntries } from '#contract/schemas.ts';
import { quoteString } from './sip/header.ts';

const BEARER = /^\s*bearer\s+([A-Za-z0-9\-._~+/]+=*)\s*$/i;

/** The first token among the values of Authorization; `undefined` without one. */
export function bearerOf(authorizations: readonly string[]): string | undefined {
  for (const value of authorizations) {
    const token = BEARER.exec(value)?.[1];
    if (token !== undefined) return token;
  }
  return undefined;
}

/**
 * One challenge for each server that gives out tokens; none without servers.
 * @param isInvalid a token came, and it proved nothing (RFC 6750 section 3.1)
 */
export function bearerChallenges(
  realm: string,
  servers: readonly string[],
  isInvalid: boolean,
  name: 'WWW-Authenticate' | 'Proxy-Authenticate',
): HeaderEntries {
  const end = isInvalid ? ', error="invalid_token"' : '';
  return [...new Set(servers)].map((server) => [
    name,
    `Bearer realm=${quoteString(realm)}, authz_server=${quoteString(server)}${end}`,
  ]);
}
