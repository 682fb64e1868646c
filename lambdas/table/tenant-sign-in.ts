/** How a tenant's users sign in besides passwords: a part of the tenant item. */
import * as v from 'valibot';

/** Signatures with a public key (RFC 7518, RFC 8037); never `none`, never one whose key the issuer would have to share. */
export const TOKEN_ALGORITHMS = [
  ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const),
] as const;
const MAX_ISSUERS = 10;
const MAX_KEYS = 20;
const DEFAULT_SKEW_SECONDS = 60;
const MAX_SKEW_SECONDS = 300;

const text = (maxLength: number) => v.optional(v.pipe(v.string(), v.maxLength(maxLength)));

/** A public key (RFC 7517); private members are unknown here. */
const publicKey = v.object({
  kty: v.picklist(['RSA', 'EC', 'OKP']),
  ...{ kid: text(256), alg: text(16), use: text(16), key_ops: v.optional(v.array(v.string())) },
  ...{ n: text(2_048), e: text(16), crv: text(16), x: text(256), y: text(256) },
  ...{ x5t: text(256), 'x5t#S256': text(256), x5c: v.optional(v.array(v.string())) },
});
const common = {
  issuer: v.pipe(
    v.string(),
    v.regex(/^https:\/\/[^\s"\\]+$|^http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])[:/][^\s"\\]*$/),
    v.maxLength(512),
    v.description('The `iss` of its tokens, and where its users go for one (authz_server of RFC 8898)'),
  ),
  audience: v.pipe(v.string(), v.nonEmpty(), v.maxLength(256), v.description('The `aud` of tokens for this tenant')),
  algorithms: v.optional(v.pipe(v.array(v.picklist(TOKEN_ALGORITHMS)), v.minLength(1))),
  userClaim: v.optional(
    v.pipe(
      v.string(),
      v.nonEmpty(),
      v.maxLength(64),
      v.description('Claim that names the user, alone or as an address (sip:user@domain); `sub` without it'),
    ),
  ),
  clockSkewSeconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_SKEW_SECONDS))),
};
/** One of them, as it is set and shown. */
export const issuerResource = v.union([
  v.object({
    ...common,
    jwksUri: v.pipe(
      v.string(),
      v.regex(/^https:\/\/[^\s"\\@]+$|^http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])[:/][^\s"\\@]*$/),
      v.maxLength(512),
      v.description('Where its public keys are (https)'),
    ),
  }),
  v.object({ ...common, jwks: v.object({ keys: v.pipe(v.array(publicKey), v.minLength(1), v.maxLength(MAX_KEYS)) }) }),
]);

/** What a tenant may set. */
export const givenSignIn = v.object({
  issuers: v.optional(v.pipe(v.array(issuerResource), v.maxLength(MAX_ISSUERS))),
});
export type GivenSignIn = v.InferOutput<typeof givenSignIn>;

type GivenIssuer = v.InferOutput<typeof issuerResource>;

/** Who may vouch for users of a tenant, with the defaults. */
export interface TokenIssuer {
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms: readonly string[];
  readonly userClaim: string;
  readonly clockSkewSeconds: number;
  readonly keys: Pick<Extract<GivenIssuer, { jwksUri: string }>, 'jwksUri'> | Pick<KeyedIssuer, 'jwks'>;
}
type KeyedIssuer = Extract<GivenIssuer, { jwks: unknown }>;

/** How it stands, with the defaults. */
export interface TenantSignIn {
  readonly issuers: readonly TokenIssuer[];
}

/** What is set, over the defaults. */
export const completeSignIn = ({ issuers = [] }: GivenSignIn): TenantSignIn => ({
  issuers: issuers.map(completeIssuer),
});

function completeIssuer(given: GivenIssuer): TokenIssuer {
  const { issuer, audience, algorithms = TOKEN_ALGORITHMS, userClaim = 'sub' } = given;
  const { clockSkewSeconds = DEFAULT_SKEW_SECONDS } = given;
  const keys = 'jwksUri' in given ? { jwksUri: given.jwksUri } : { jwks: given.jwks };
  return { issuer, audience, algorithms, userClaim, clockSkewSeconds, keys };
}
