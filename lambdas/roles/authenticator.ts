/** Authenticator: who sends this request? By the flow's earlier proof, or by digest (RFC 3261 section 22, RFC 8760). */
import type { OutcomeInput } from '#contract/outcome.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import type { Identity } from '#contract/schemas.ts';
import { challengeHeaders, type DigestCredentials, readCredentials, verifyResponse } from '#core/digest.ts';
import { SipRejection } from '#core/error.ts';
import { type Address, addressOfHeader, forbidden, isSameAddress, isStorable } from '#core/identity.ts';
import { isNonceValid, makeNonce, type NonceScope } from '#core/nonce.ts';
import { responseOf, tooMany } from '#core/rejection.ts';
import { type Params, parseCredentials } from '#core/sip/header.ts';
import { type HeaderFields, headerFieldsOf } from '#core/sip/message.ts';
import { parseUri } from '#core/sip/uri.ts';
import { decoyUser, openHa1, type StoredCredentials } from '#table/user-item.ts';
import type { RequestPorts } from './request-ports.ts';

export type AuthenticatorPorts = Pick<RequestPorts, 'nonceSecret' | 'vault' | 'loadUser'>;

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

/**
 * Finds the identity behind a request; From must be this identity. Credentials are verified whenever there are
 * some, also on a flow that is identified already; a request without any relies on its flow.
 * At most one read (`loadUser`, cached), and that only when there are credentials.
 * @throws {SipRejection} 401 (a proxy: 407) with a challenge for each algorithm: no proof, or a wrong one; an unknown user, an
 *   unknown tenant and a wrong password look the same. 403: From is someone else. 400: malformed.
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
  if (authorizations.length === 0 && envelope.identity) return identityOfFlow(envelope.identity, from);

  const scope: NonceScope = { secret: await ports.nonceSecret(), flowId: envelope.flowId, realm: from.domain };
  const params = digestFor(from.domain, authorizations);
  const credentials = params && credentialsOf(params);
  if (!credentials) throw challenge(challenger, scope, nowMs, false);
  requireFitting(credentials, from, envelope.request.requestUri);

  const user = isStorable(from) ? await ports.loadUser(from.domain, from.user) : undefined;
  const vault = await ports.vault();
  // The same work for a name that nobody has.
  const ha1 = ha1For(openHa1(vault, user ?? decoyUser(vault)), from, credentials);
  const isProven = verifyResponse(credentials, envelope.request.method, ha1) && user !== undefined;
  const isFresh = isNonceValid(credentials.nonce, scope, nowMs) && !envelope.nonceReplayed;
  if (!user || !isProven || !isFresh) throw challenge(challenger, scope, nowMs, isProven);
  return { domain: user.domain, user: user.user, role: user.role };
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

function identityOfFlow(identity: Identity, from: Address): Identity {
  if (!isSameAddress(identity, from)) throw forbidden();
  return identity;
}

/** The digest for our realm among the Authorization header fields, which may be for several realms. */
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

/** @returns undefined for an algorithm or qop that we did not offer */
function credentialsOf(params: Params): DigestCredentials | undefined {
  const result = readCredentials(params);
  if (result.kind === 'malformed') throw new SipRejection(400, result.reason);
  return result.kind === 'credentials' ? result.credentials : undefined;
}

// Nothing is looked up here, so these answers tell nothing about who exists.
function requireFitting({ username, uri }: DigestCredentials, from: Address, requestUri: string): void {
  if (username !== from.user && username !== withDomain(from)) throw forbidden();
  if (!namesSame(uri, requestUri)) throw new SipRejection(400, 'Digest URI Mismatch');
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

const withDomain = ({ user, domain }: Address): string => `${user}@${domain}`;

function challenge(challenger: Challenger, scope: NonceScope, nowMs: number, stale: boolean): SipRejection {
  const { status, reason, challenge: name } = FIELDS[challenger];
  return new SipRejection(status, reason, challengeHeaders(scope.realm, makeNonce(scope, nowMs), stale, name));
}
