/** Digest access authentication for SIP (RFC 7616, RFC 8760): hashes, credentials, challenges. Pure. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { HeaderEntries } from '#contract/schemas.ts';
import type { Params } from './sip/header.ts';

/** Offered in this order, the strongest first (RFC 8760 section 2.4). */
export const ALGORITHMS = ['SHA-256', 'MD5'] as const;
export type DigestAlgorithm = (typeof ALGORITHMS)[number];

const NODE_HASH = { 'SHA-256': 'sha256', MD5: 'md5' } as const satisfies Record<DigestAlgorithm, string>;
const HASH_HEX_LENGTH = { 'SHA-256': 64, MD5: 32 } as const satisfies Record<DigestAlgorithm, number>;

/** The parameters of an Authorization header that we can verify. */
export interface DigestCredentials {
  readonly username: string;
  readonly realm: string;
  readonly nonce: string;
  readonly uri: string;
  readonly response: string;
  readonly algorithm: DigestAlgorithm;
  readonly cnonce: string;
  /** Nonce count, eight hex digits as received. */
  readonly nc: string;
  readonly qop: 'auth';
}

/**
 * `malformed`: a parameter is missing or has no valid form (400).
 * `unsupported`: well formed, but an algorithm or qop that we did not offer (challenge again).
 */
export type CredentialsResult =
  | { readonly kind: 'credentials'; readonly credentials: DigestCredentials }
  | { readonly kind: 'malformed'; readonly reason: string }
  | { readonly kind: 'unsupported' };

/** Reads the parameters of `Authorization: Digest …` (RFC 7616 section 3.4). */
export function readCredentials(params: Params): CredentialsResult {
  const required = (name: string): string => params.get(name) ?? '';
  const missing = ['username', 'realm', 'nonce', 'uri', 'response'].find((name) => required(name) === '');
  if (missing) return { kind: 'malformed', reason: `Missing Digest ${missing}` };
  const algorithm = algorithmOf(params.get('algorithm'));
  const qop = params.get('qop')?.toLowerCase();
  if (!algorithm || qop !== 'auth') return { kind: 'unsupported' };
  const nc = required('nc');
  const cnonce = required('cnonce');
  if (!/^[0-9a-f]{8}$/i.test(nc)) return { kind: 'malformed', reason: 'Bad Digest nc' };
  if (cnonce === '') return { kind: 'malformed', reason: 'Missing Digest cnonce' };
  const [username, realm, nonce] = [required('username'), required('realm'), required('nonce')];
  const [uri, response] = [required('uri'), required('response')];
  return { kind: 'credentials', credentials: { username, realm, nonce, uri, response, algorithm, cnonce, nc, qop } };
}

/** Hash of user name, realm and password, hex: what is stored instead of the password. */
export function ha1Of(algorithm: DigestAlgorithm, username: string, realm: string, password: string): string {
  return digestHash(algorithm, `${username}:${realm}:${password}`);
}

/** The response that these credentials should carry, hex (RFC 7616 section 3.4.1, qop=auth). */
export function expectedResponse(credentials: DigestCredentials, method: string, ha1: string): string {
  const { algorithm, nonce, nc, cnonce, qop, uri } = credentials;
  const ha2 = digestHash(algorithm, `${method}:${uri}`);
  return digestHash(algorithm, `${ha1}:${nonce}:${nc}:${cnonce}:${qop}:${ha2}`);
}

/**
 * True when the credentials prove the password behind `ha1`. The same work is done for every input.
 * @param ha1 of the credentials' algorithm; undefined for an unknown user, which never matches
 */
export function verifyResponse(credentials: DigestCredentials, method: string, ha1: string | undefined): boolean {
  const expected = expectedResponse(credentials, method, ha1 ?? '0'.repeat(HASH_HEX_LENGTH[credentials.algorithm]));
  const given = Buffer.alloc(expected.length);
  given.write(credentials.response.toLowerCase(), 'latin1');
  const same = timingSafeEqual(given, Buffer.from(expected, 'latin1'));
  return same && credentials.response.length === expected.length && ha1 !== undefined;
}

/**
 * Header fields of a challenge, one an algorithm, with one nonce.
 * @param name as who one asks: a server for itself, or a proxy (RFC 3261 sections 22.2, 22.3)
 * @param stale true when the password was right and only the nonce was not: the client retries without asking its user
 */
export function challengeHeaders(
  realm: string,
  nonce: string,
  stale: boolean,
  name: 'WWW-Authenticate' | 'Proxy-Authenticate' = 'WWW-Authenticate',
): HeaderEntries {
  const end = stale ? ', stale=true' : '';
  return ALGORITHMS.map((algorithm) => [
    name,
    `Digest realm="${realm}", nonce="${nonce}", algorithm=${algorithm}, qop="auth"${end}`,
  ]);
}

// MD5 when absent (RFC 7616 section 3.3).
function algorithmOf(name: string | undefined): DigestAlgorithm | undefined {
  if (name === undefined) return 'MD5';
  return ALGORITHMS.find((each) => each === name.toUpperCase());
}

/** Hex. */
export function digestHash(algorithm: DigestAlgorithm, text: string): string {
  return createHash(NODE_HASH[algorithm]).update(text, 'utf8').digest('hex');
}
