/** Bearer tokens: JSON Web Tokens (RFC 7519) of the issuers that a tenant trusts, and our own. */
import {
  createLocalJWKSet,
  decodeJwt,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyOptions,
  jwtVerify,
  SignJWT,
} from 'jose';
import type { Identity, Proof } from '#contract/schemas.ts';
import { MAX_TOKEN_LENGTH } from '#contract/sign-in.ts';
import { type Address, addressOfAor, aorOfIdentity, isStorable } from '#core/identity.ts';
import type { Vault } from '#core/sealed-text.ts';
import type { SignInPlace } from '#table/failure-book.ts';
import type { TokenIssuer } from '#table/tenant-sign-in.ts';
import type { RequestPorts } from './request-ports.ts';

export type TokenPorts = Pick<RequestPorts, 'vault' | 'loadTenant' | 'loadUser' | 'loadSignInSecrets' | 'loadKeySet'>;

/** `iss` of tokens that the HTTP API hands out. */
const OWN_ISSUER = 'lampfield';
const OWN_ALGORITHM = 'HS256';
/** As the contract has it; an issuer's longer one names no flow. */
const MAX_TOKEN_ID = 256;

/**
 * Whom a token proves at this tenant: a user that exists there. Publishers have passwords.
 * @returns undefined when it proves nobody
 * @throws {DependencyUnavailable} when the issuer's keys cannot be had
 */
export async function identityOfToken(
  token: string,
  domain: string,
  ports: TokenPorts,
  nowMs: number,
): Promise<Identity | undefined> {
  const claims = readClaims(token);
  if (claims === undefined) return undefined;
  const found = await (claims.iss === OWN_ISSUER
    ? findingOfOwn(token, domain, ports, nowMs)
    : findingOfIssuer(token, claims, domain, ports, nowMs));
  if (found === undefined || !isStorable(found) || found.domain !== domain) return undefined;
  const user = await ports.loadUser(found.domain, found.user);
  if (user?.role !== 'user' || (found.proof.issuedAtMs ?? 0) < (user.tokensFromMs ?? 0)) return undefined;
  return { ...found, role: 'user' };
}

/** Claims as they stand there: nothing of them is proven. @returns undefined for what is no token */
export function readClaims(token: string): JWTPayload | undefined {
  if (token.length > MAX_TOKEN_LENGTH) return undefined;
  try {
    return decodeJwt(token);
  } catch {
    return undefined;
  }
}

/** The tenant that a token's subject names, when it is a whole address. */
export const domainOfClaims = ({ sub }: JWTPayload): string | undefined =>
  sub === undefined ? undefined : addressIn(sub)?.domain;

/** Where failures of a token count: one that is tried again and again, as after its end, stops no other there. */
export const placeOfToken = (token: string, domain: string, sourceAddress: string): SignInPlace => ({
  ...{ domain, user: `token ${token}`, sourceAddress },
});

/** A token of ours for a user; it says `generation`, so that all of a tenant can be revoked at once. */
export function issueToken(
  address: Address,
  vault: Vault,
  facts: { readonly generation: number; readonly id: string; readonly nowMs: number; readonly expiresSeconds: number },
): Promise<string> {
  const [current] = ownKeys(vault, address.domain);
  if (current === undefined) throw new Error('The vault has no key');
  const issuedSeconds = facts.nowMs / 1_000;
  return (
    new SignJWT({ generation: facts.generation })
      .setProtectedHeader({ alg: OWN_ALGORITHM, kid: current.id, typ: 'JWT' })
      .setIssuer(OWN_ISSUER)
      .setAudience(address.domain)
      .setSubject(aorOfIdentity(address))
      .setJti(facts.id)
      // To the millisecond: one that is made just after a sign-out is not of before (RFC 7519 allows fractions).
      .setIssuedAt(issuedSeconds)
      .setExpirationTime(Math.floor(issuedSeconds + facts.expiresSeconds))
      .sign(current.key)
  );
}

/** Whom a token that is right names. */
interface Finding extends Address {
  readonly expiresAtMs: number;
  readonly proof: Proof;
}

async function findingOfOwn(
  token: string,
  domain: string,
  ports: TokenPorts,
  nowMs: number,
): Promise<Finding | undefined> {
  const keys = ownKeys(await ports.vault(), domain);
  const payload = await verified(() =>
    jwtVerify(
      token,
      ({ kid }) => {
        const used = keys.find(({ id }) => id === kid);
        if (used === undefined) throw new errors.JWKSNoMatchingKey();
        return used.key;
      },
      { ...claimRules(nowMs, OWN_ISSUER, domain, 0), algorithms: [OWN_ALGORITHM] },
    ),
  );
  if (payload === undefined) return undefined;
  const { tokenGeneration, revoked } = await ports.loadSignInSecrets(domain);
  const isRevoked = payload.generation !== tokenGeneration || revoked.some(({ id }) => id === payload.jti);
  return isRevoked ? undefined : findingOf(payload, 'sub', 0, domain, { way: 'token', ...factsOf(payload) });
}

/** What a later sign-out may name. */
const factsOf = ({ jti, iat }: JWTPayload): Pick<Proof, 'tokenId' | 'issuedAtMs'> => ({
  ...(jti !== undefined && jti !== '' && jti.length <= MAX_TOKEN_ID && { tokenId: jti }),
  ...(iat !== undefined && iat >= 0 && { issuedAtMs: Math.round(iat * 1_000) }),
});

const ownKeys = (vault: Vault, domain: string) => vault.keysFor(`tokens of ${domain}`);

async function findingOfIssuer(
  token: string,
  claims: JWTPayload,
  domain: string,
  ports: TokenPorts,
  nowMs: number,
): Promise<Finding | undefined> {
  const tenant = await ports.loadTenant(domain);
  const audiences = [claims.aud ?? []].flat();
  const issuer = tenant?.signIn.issuers.find((each) => each.issuer === claims.iss && audiences.includes(each.audience));
  if (issuer === undefined) return undefined;
  const options: JWTVerifyOptions = {
    ...claimRules(nowMs, issuer.issuer, issuer.audience, issuer.clockSkewSeconds),
    algorithms: [...issuer.algorithms],
  };
  const payload = await verified(() => verifyByKeySet(token, issuer, options, ports));
  if (payload === undefined) return undefined;
  const proof: Proof = { way: 'issuer', by: issuer.issuer, ...factsOf(payload) };
  return findingOf(payload, issuer.userClaim, issuer.clockSkewSeconds, domain, proof);
}

/** A key that is not among the known ones may be new: they are asked for once more. */
async function verifyByKeySet(
  token: string,
  { keys }: TokenIssuer,
  options: JWTVerifyOptions,
  { loadKeySet }: TokenPorts,
): Promise<{ readonly payload: JWTPayload }> {
  if ('jwks' in keys) return jwtVerify(token, createLocalJWKSet(keys.jwks as JSONWebKeySet), options);
  const known = await loadKeySet(keys.jwksUri, 'known');
  try {
    return await jwtVerify(token, createLocalJWKSet(known), options);
  } catch (error) {
    if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
    const renewed = await loadKeySet(keys.jwksUri, 'renewal');
    if (renewed === known) throw error;
    return jwtVerify(token, createLocalJWKSet(renewed), options);
  }
}

const claimRules = (nowMs: number, issuer: string, audience: string, skewSeconds: number) => ({
  ...{ issuer, audience, clockTolerance: skewSeconds, currentDate: new Date(nowMs) },
  requiredClaims: ['exp'],
});

/** @returns undefined when the token is not right, or a key of its issuer is none; an outage goes through */
async function verified(verify: () => Promise<{ readonly payload: JWTPayload }>): Promise<JWTPayload | undefined> {
  try {
    return (await verify()).payload;
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError || error instanceof DOMException)
      return undefined;
    throw error;
  }
}

function findingOf(
  payload: JWTPayload,
  userClaim: string,
  skewSeconds: number,
  domain: string,
  proof: Proof,
): Finding | undefined {
  const claim = payload[userClaim];
  if (typeof claim !== 'string' || claim === '' || payload.exp === undefined) return undefined;
  const address = addressIn(claim) ?? { domain, user: claim };
  return { ...address, expiresAtMs: (payload.exp + skewSeconds) * 1_000, proof };
}

/** `sip:user@domain`, or the same without its scheme. */
function addressIn(claim: string): Address | undefined {
  if (!claim.includes('@')) return undefined;
  return addressOfAor(/^sips?:/i.test(claim) ? claim : `sip:${claim}`);
}
