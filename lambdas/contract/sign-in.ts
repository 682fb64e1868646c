/** A token at the handshake of a WebSocket: what the gateway asks, and what the function has found. */
import * as v from 'valibot';
import { CONTRACT_VERSION, gatewayId, identity } from './schemas.ts';

export const MAX_TOKEN_LENGTH = 8_192;

/** Payload of the `sign-in` function. */
export const signInRequest = v.object({
  contractVersion: v.literal(CONTRACT_VERSION),
  gatewayId,
  token: v.pipe(v.string(), v.nonEmpty(), v.maxLength(MAX_TOKEN_LENGTH)),
  /** Tenant that the client names, for a token whose user is no whole address. */
  domain: v.optional(v.pipe(v.string(), v.maxLength(253))),
  sourceAddress: v.string(),
});
export type SignInRequest = v.InferOutput<typeof signInRequest>;

/** `refused`: it proves nothing. `later`: it was not looked at, or could not be. */
export const signInAnswer = v.variant('kind', [
  v.object({ kind: v.literal('proven'), identity }),
  v.object({ kind: v.literal('refused') }),
  v.object({ kind: v.literal('later'), retryAfterSeconds: v.number() }),
]);
export type SignInAnswer = v.InferOutput<typeof signInAnswer>;
