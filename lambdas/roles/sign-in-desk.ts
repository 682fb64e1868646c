/** Signs a client in by the token that it brings to its handshake. */
import type { SignInAnswer, SignInRequest } from '#contract/sign-in.ts';
import { DependencyUnavailable } from '#core/error.ts';
import { isStorable } from '#core/identity.ts';
import { ofServedTenant } from './authenticator.ts';
import type { RequestPorts } from './request-ports.ts';
import { domainOfClaims, identityOfToken, placeOfToken, readClaims, type TokenPorts } from './token-checker.ts';

export type SignInPorts = TokenPorts & Pick<RequestPorts, 'failures'>;

/** An issuer that does not answer is no reason to refuse, nor to keep others waiting. */
export async function signIn(request: SignInRequest, ports: SignInPorts, nowMs: number): Promise<SignInAnswer> {
  const claims = readClaims(request.token);
  const domain = (request.domain || (claims && domainOfClaims(claims)) || '').toLowerCase();
  const place = placeOfToken(request.token, domain, request.sourceAddress);
  const retryAfterSeconds = await ports.failures.secondsToWait(place, nowMs);
  if (retryAfterSeconds > 0) return { kind: 'later', retryAfterSeconds };
  try {
    const isAskable = isStorable({ user: 'any', domain });
    const found = isAskable ? await identityOfToken(request.token, domain, ports, nowMs) : undefined;
    const identity = await ofServedTenant(found, ports);
    if (identity !== undefined) return { kind: 'proven', identity };
  } catch (error) {
    if (error instanceof DependencyUnavailable) return { kind: 'later', retryAfterSeconds: error.retryAfterSeconds };
    throw error;
  }
  await ports.failures.record(place, nowMs);
  return { kind: 'refused' };
}
