/** A bearer token at the handshake: where it stands, and whom it proves. It is never logged, nor is a URL. */
import type { IncomingMessage } from 'node:http';
import * as v from 'valibot';
import type { GatewayId } from '#contract/ids.ts';
import { CONTRACT_VERSION } from '#contract/schemas.ts';
import { MAX_TOKEN_LENGTH, type SignInAnswer, type SignInRequest, signInAnswer } from '#contract/sign-in.ts';
import { bearerOf } from '#core/bearer.ts';
import type { Invoke } from './backend.ts';
import type { Log } from './telemetry.ts';

/** Entry of Sec-WebSocket-Protocol: browsers can set no header field, and a URL ends up in histories and logs. */
export const TOKEN_PROTOCOL_PREFIX = 'lampfield.token.';
const MAX_UNDER_WAY = 500;
const RETRY_AFTER_SECONDS = 5;

export type HandshakeToken = Pick<SignInRequest, 'token' | 'domain'>;

/**
 * The token of a handshake: in Authorization, as a subprotocol, or (for clients that can do neither) as `access_token` in the
 * query (RFC 6750 section 2). `domain` in the query names the tenant of a token whose user is no whole address.
 */
export function tokenOf(request: Pick<IncomingMessage, 'headers' | 'url'>): HandshakeToken | undefined {
  const query = new URLSearchParams(/\?(.*)$/s.exec(request.url ?? '')?.[1] ?? '');
  const token = authorizationOf(request) ?? protocolOf(request) ?? query.get('access_token') ?? undefined;
  if (token === undefined) return undefined;
  const domain = query.get('domain');
  return { token, ...(domain !== null && { domain }) };
}

function authorizationOf({ headers }: Pick<IncomingMessage, 'headers'>): string | undefined {
  const { authorization } = headers;
  if (authorization === undefined) return undefined;
  return bearerOf([authorization]) ?? '';
}

function protocolOf({ headers }: Pick<IncomingMessage, 'headers'>): string | undefined {
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((item) => item.trim());
  return offered.find((item) => item.startsWith(TOKEN_PROTOCOL_PREFIX))?.slice(TOKEN_PROTOCOL_PREFIX.length);
}

export type SignInByToken = (given: HandshakeToken, sourceAddress: string) => Promise<SignInAnswer>;

export interface SignInSettings {
  readonly gatewayId: GatewayId;
  /** Undefined: no function knows tokens. */
  readonly functionName: string | undefined;
  readonly deadlineMs: number;
}

/** Asks the function; one that does not answer is a reason to come later, never to refuse. */
export function createSignIn(settings: SignInSettings, invoke: Invoke, log: Log): SignInByToken {
  const { gatewayId, functionName, deadlineMs } = settings;
  const later: SignInAnswer = { kind: 'later', retryAfterSeconds: RETRY_AFTER_SECONDS };
  let underWay = 0;
  return async ({ token, domain }, sourceAddress) => {
    if (token === '' || token.length > MAX_TOKEN_LENGTH || (domain?.length ?? 0) > 253) return { kind: 'refused' };
    if (functionName === undefined || underWay >= MAX_UNDER_WAY) return later;
    underWay++;
    try {
      const request: SignInRequest = { contractVersion: CONTRACT_VERSION, gatewayId, token, domain, sourceAddress };
      return v.parse(signInAnswer, await invoke(functionName, request, deadlineMs));
    } catch (error) {
      log.error({ hop: 'sign-in', err: error instanceof v.ValiError ? 'no answer of the contract' : String(error) });
      return later;
    } finally {
      underWay--;
    }
  };
}
