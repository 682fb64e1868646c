/** Digest credentials against what is stored: a user's password, or what a portal made from a secret it shares with us. */
import type { Identity, Proof } from '#contract/schemas.ts';
import { type DigestCredentials, ha1Of, readCredentials, verifyResponse } from '#core/digest.ts';
import { SipRejection } from '#core/error.ts';
import { type Address, forbidden, isStorable } from '#core/identity.ts';
import { type Params, parseCredentials } from '#core/sip/header.ts';
import { parseUri } from '#core/sip/uri.ts';
import { isInForce, readTemporaryName, type TemporaryName, temporaryPassword } from '#core/temporary-credentials.ts';
import { openShared } from '#table/sign-in-secrets-item.ts';
import { decoyUser, openHa1, type StoredCredentials } from '#table/user-item.ts';
import type { RequestPorts } from './request-ports.ts';

export type DigestPorts = Pick<RequestPorts, 'vault' | 'loadUser' | 'loadSignInSecrets'>;

/**
 * The digest for our realm among the Authorization header fields, which may be for several realms.
 * @returns undefined when there is none, or one with an algorithm or qop that we did not offer
 * @throws {SipRejection} 400
 */
export function readDigest(realm: string, authorizations: readonly string[]): DigestCredentials | undefined {
  const params = digestFor(realm, authorizations);
  const result = params && readCredentials(params);
  if (result?.kind === 'malformed') throw new SipRejection(400, result.reason);
  return result?.kind === 'credentials' ? result.credentials : undefined;
}

/**
 * Nothing is looked up here, so these answers tell nothing about who exists.
 * @throws {SipRejection} 403: the user name is not From's; 400: the URI is not the request's
 */
export function requireFitting({ username, uri }: DigestCredentials, from: Address, requestUri: string): void {
  if (!isNameOf(username, from) && temporaryNameOf(username, from) === undefined) throw forbidden();
  if (!namesSame(uri, requestUri)) throw new SipRejection(400, 'Digest URI Mismatch');
}

/**
 * Whom the credentials prove; whether their nonce is right is not asked here. The same work is done for a name that nobody has.
 * @returns undefined when they prove nobody
 */
export async function identityOfDigest(
  credentials: DigestCredentials,
  method: string,
  from: Address,
  ports: DigestPorts,
  nowMs: number,
): Promise<Identity | undefined> {
  const { username } = credentials;
  const user = isStorable(from) ? await ports.loadUser(from.domain, from.user) : undefined;
  const temporary = isNameOf(username, from) ? undefined : temporaryNameOf(username, from);
  if (temporary !== undefined) {
    const proof = await proofByShared(credentials, method, temporary, from, ports, nowMs);
    // Portals sign people in; a PBX has a password.
    if (proof === undefined || user?.role !== 'user') return undefined;
    return { domain: user.domain, user: user.user, role: user.role, expiresAtMs: temporary.expiresAtMs, proof };
  }
  const vault = await ports.vault();
  const ha1 = ha1For(openHa1(vault, user ?? decoyUser(vault)), from, credentials);
  const isRight = verifyResponse(credentials, method, ha1);
  if (!isRight || user === undefined) return undefined;
  const proof: Proof = { way: 'password', issuedAtMs: user.passwordSetAtMs };
  return { domain: user.domain, user: user.user, role: user.role, proof };
}

/** @returns undefined when no secret fits; all are tried, whichever does */
async function proofByShared(
  credentials: DigestCredentials,
  method: string,
  temporary: TemporaryName,
  from: Address,
  ports: DigestPorts,
  nowMs: number,
): Promise<Proof | undefined> {
  const { username, algorithm } = credentials;
  const [secrets, vault] = await Promise.all([ports.loadSignInSecrets(from.domain), ports.vault()]);
  const plainName = username.endsWith(`:${from.user}`) ? username : username.slice(0, -(from.domain.length + 1));
  const [used] = secrets.shared.filter((shared) => {
    const password = temporaryPassword(openShared(vault, from.domain, shared), plainName);
    return verifyResponse(credentials, method, ha1Of(algorithm, username, from.domain, password));
  });
  if (used === undefined || !isInForce(temporary, nowMs)) return undefined;
  return { way: 'sharedSecret', by: used.id, issuedAtMs: used.createdAtMs };
}

function digestFor(realm: string, authorizations: readonly string[]): Params | undefined {
  for (const value of authorizations) {
    const parsed = parseCredentials(value);
    if (!parsed) throw new SipRejection(400, 'Bad Authorization');
    if (parsed.scheme !== 'digest') continue;
    const given = parsed.params.get('realm');
    if (given === undefined) throw new SipRejection(400, 'Missing Digest realm');
    if (given.toLowerCase() === realm) return parsed.params;
  }
  return undefined;
}

const withDomain = ({ user, domain }: Address): string => `${user}@${domain}`;
const isNameOf = (username: string, from: Address): boolean => username === from.user || username === withDomain(from);

/** A user name may itself look like one of these: then it is the user's. */
function temporaryNameOf(username: string, from: Address): TemporaryName | undefined {
  const name = readTemporaryName(username);
  return name !== undefined && isNameOf(name.user, from) ? name : undefined;
}

function namesSame(left: string, right: string): boolean {
  if (left === right) return true;
  const [a, b] = [parseUri(left), parseUri(right)];
  return a !== undefined && b !== undefined && a.user === b.user && a.host === b.host && a.port === b.port;
}

function ha1For(ha1: StoredCredentials, { user }: Address, { username, algorithm }: DigestCredentials): string {
  // A user name may itself look like `name@domain`: the name alone goes first.
  const isNameAlone = username === user;
  if (algorithm === 'MD5') return isNameAlone ? ha1.md5 : ha1.md5WithDomain;
  return isNameAlone ? ha1.sha256 : ha1.sha256WithDomain;
}
