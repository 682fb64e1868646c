/**
 * Authenticator: who sends this request? By the flow's earlier proof, by digest (RFC 3261 section 22, RFC 8760), or by a
 * bearer token (RFC 8898).
 */
import type { OutcomeInput } from '#contract/outcome.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import type { Identity } from '#contract/schemas.ts';
import { bearerChallenges, bearerOf } from '#core/bearer.ts';
import { challengeHeaders } from '#core/digest.ts';
import { DependencyUnavailable, SipRejection } from '#core/error.ts';
import { type Address, addressOfHeader, forbidden, isSameAddress, isStorable } from '#core/identity.ts';
import { isNonceValid, makeNonce, type NonceScope } from '#core/nonce.ts';
import { responseOf, tooMany } from '#core/rejection.ts';
import { type HeaderFields, headerFieldsOf } from '#core/sip/message.ts';
import { isServed } from '#table/tenant-item.ts';
import { type DigestPorts, identityOfDigest, readDigest, requireFitting } from './digest-proof.ts';
import type { RequestPorts } from './request-ports.ts';
import { identityOfToken, placeOfToken, type TokenPorts } from './token-checker.ts';

export type AuthenticatorPorts = DigestPorts & TokenPorts & Pick<RequestPorts, 'nonceSecrets' | 'failures'>;

/** As who the sender is asked for credentials: as the server that it speaks to, or as a proxy on its way. */
export type Challenger = 'server' | 'proxy';

const FIELDS = {
  server: { status: 401, reason: 'Unauthorized', challenge: 'WWW-Authenticate', credentials: 'authorization' },
  proxy: {
    status: 407,
    reason: 'Proxy Authentication Required',
    challenge: 'Proxy-Authenticate',
    credentials: 'proxy-authorization',
  },
} as const;

/** A request whose sender is asked for. */
interface Asked {
  readonly envelope: RequestEnvelope;
  readonly from: Address;
  readonly challenger: Challenger;
  readonly nowMs: number;
}

/**
 * Finds the identity behind a request; From must be this identity. Credentials are verified whenever there are
 * some, also on a flow that is identified already; a request without any relies on its flow.
 * Reads are cached: the tenant, and with credentials the user and the failures.
 * @throws {SipRejection} 401 (a proxy: 407) with a challenge for each algorithm: no proof, or a wrong one; an unknown user, an
 *   unknown tenant and a wrong password look the same. 403: From is someone else. 400: malformed. 503: too many failures
 */
export async function authenticate(
  envelope: RequestEnvelope,
  ports: AuthenticatorPorts,
  nowMs: number,
  challenger: Challenger = 'server',
): Promise<Identity> {
  const headers = headerFieldsOf(envelope.request.headers);
  const from = addressOfHeader(headers, 'from');
  const authorizations = headers.all(FIELDS[challenger].credentials);
  const earlier = authorizations.length === 0 ? inForce(envelope.identity, nowMs) : undefined;
  const proven = await ofServedTenant(earlier, ports);
  if (proven !== undefined) return identityOfFlow(proven, from);

  const asked: Asked = { envelope, from, challenger, nowMs };
  const digest = readDigest(from.domain, authorizations);
  if (digest !== undefined) return proveByDigest(digest, asked, ports);
  const token = bearerOf(authorizations);
  if (token !== undefined) return proveByToken(token, asked, ports);
  throw await challenge(asked, ports);
}

/**
 * Runs a decision as the authenticated sender and adds the identity to its outcome, also when the decision is a
 * rejection: what the flow has proven stays proven.
 */
export async function asAuthenticated(
  envelope: RequestEnvelope,
  ports: AuthenticatorPorts,
  nowMs: number,
  decide: (identity: Identity, headers: HeaderFields) => Promise<OutcomeInput>,
  challenger: Challenger = 'server',
): Promise<OutcomeInput> {
  const identity = await authenticate(envelope, ports, nowMs, challenger);
  requireRoom(envelope);
  try {
    return { ...(await decide(identity, headerFieldsOf(envelope.request.headers))), identity };
  } catch (error) {
    if (!(error instanceof SipRejection)) throw error;
    return { response: responseOf(error), identity };
  }
}

/** Only who has proven it hears that the tenant is full; the flow stays without identity, so it does not count. */
function requireRoom({ tenantFull }: RequestEnvelope): void {
  if (tenantFull === 'flows') throw tooMany('Too Many Connections Of This Tenant');
  if (tenantFull === 'subscriptions') throw tooMany('Too Many Subscriptions Of This Tenant');
}

const inForce = (identity: Identity | undefined, nowMs: number): Identity | undefined =>
  identity?.expiresAtMs === undefined || nowMs < identity.expiresAtMs ? identity : undefined;

function identityOfFlow(identity: Identity, from: Address): Identity {
  if (!isSameAddress(identity, from)) throw forbidden();
  return identity;
}

async function proveByDigest(
  credentials: NonNullable<ReturnType<typeof readDigest>>,
  asked: Asked,
  ports: AuthenticatorPorts,
): Promise<Identity> {
  const { envelope, from, nowMs } = asked;
  requireFitting(credentials, from, envelope.request.requestUri);
  const place = { ...from, sourceAddress: envelope.sourceAddress };
  await requirePatience(place, ports, nowMs);
  const found = await identityOfDigest(credentials, envelope.request.method, from, ports, nowMs);
  const identity = await ofServedTenant(found, ports);
  const isFresh = isNonceValid(credentials.nonce, await nonceScopeOf(asked, ports), nowMs) && !envelope.nonceReplayed;
  if (identity !== undefined && isFresh) {
    await ports.failures.forgive(place, nowMs);
    return identity;
  }
  // A wrong nonce is no guess: the password was right.
  if (identity === undefined) await ports.failures.record(place, nowMs);
  throw await challenge(asked, ports, { stale: identity !== undefined });
}

async function proveByToken(token: string, asked: Asked, ports: AuthenticatorPorts): Promise<Identity> {
  const { envelope, from, nowMs } = asked;
  const place = placeOfToken(token, from.domain, envelope.sourceAddress);
  await requirePatience(place, ports, nowMs);
  const found = isDomain(from.domain) ? await lookAtToken(token, asked, ports) : undefined;
  const identity = await ofServedTenant(found, ports);
  if (identity !== undefined) return identityOfFlow(identity, from);
  await ports.failures.record(place, nowMs);
  throw await challenge(asked, ports, { isTokenInvalid: true });
}

/** Who is proven already stays so while the keys of an issuer cannot be had: there it is silent, or we have no way to it. */
async function lookAtToken(
  token: string,
  { envelope, from, nowMs }: Asked,
  ports: AuthenticatorPorts,
): Promise<Identity | undefined> {
  try {
    return await identityOfToken(token, from.domain, ports, nowMs);
  } catch (error) {
    const earlier = inForce(envelope.identity, nowMs);
    if (error instanceof DependencyUnavailable && earlier !== undefined) return earlier;
    throw error;
  }
}

/** At a tenant that is gone, or is being removed, nobody signs in, and who has is nobody any more. */
export async function ofServedTenant(
  identity: Identity | undefined,
  { loadTenant }: Pick<RequestPorts, 'loadTenant'>,
): Promise<Identity | undefined> {
  return identity !== undefined && isServed(await loadTenant(identity.domain)) ? identity : undefined;
}

/**
 * Who has failed too often is told when to come again, and the credentials are not looked at. A 401 would tell an honest
 * client that its password is wrong, and an answer that is held back would keep a function busy.
 * @throws {SipRejection} 503
 */
async function requirePatience(
  place: Parameters<AuthenticatorPorts['failures']['record']>[0],
  { failures }: AuthenticatorPorts,
  nowMs: number,
): Promise<void> {
  const seconds = await failures.secondsToWait(place, nowMs);
  if (seconds > 0) throw new SipRejection(503, 'Too Many Failed Attempts', [['Retry-After', String(seconds)]]);
}

async function nonceScopeOf({ envelope, from }: Asked, ports: AuthenticatorPorts): Promise<NonceScope> {
  return { secrets: await ports.nonceSecrets(), flowId: envelope.flowId, realm: from.domain };
}

/** A tenant that trusts no issuer is asked like one that does not exist. */
async function challenge(
  asked: Asked,
  ports: AuthenticatorPorts,
  how: { readonly stale?: boolean; readonly isTokenInvalid?: boolean } = {},
): Promise<SipRejection> {
  const { from, challenger, nowMs } = asked;
  const { status, reason, challenge: name } = FIELDS[challenger];
  const nonce = makeNonce(await nonceScopeOf(asked, ports), nowMs);
  const tenant = isDomain(from.domain) ? await ports.loadTenant(from.domain) : undefined;
  const servers = tenant?.signIn.issuers.map(({ issuer }) => issuer) ?? [];
  return new SipRejection(status, reason, [
    ...challengeHeaders(from.domain, nonce, how.stale ?? false, name),
    ...bearerChallenges(from.domain, servers, how.isTokenInvalid ?? false, name),
  ]);
}

const isDomain = (domain: string): boolean => isStorable({ user: 'any', domain });
