import { createHmac } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { DependencyUnavailable } from '#core/error.ts';
import { identityOfToken, issueToken, type TokenPorts } from '#roles/token-checker.ts';
import { completeTenant } from '#table/tenant-item.ts';
import type { GivenSignIn } from '#table/tenant-sign-in.ts';
import { T0 } from '#test/support/envelope.ts';
import { makeKey, signToken, type TestKey, type TokenFacts } from '#test/support/issuer.ts';
import { TEST_SECRETS, TEST_VAULT } from '#test/support/secrets.ts';

const DOMAIN = 'demo.example';
const ISSUER = 'https://login.example/';
const AUDIENCE = 'lampfield';
const JWKS_URI = 'https://login.example/jwks';
const EXPIRES_AT_MS = T0 + 600_000;
const TOKEN: TokenFacts = { issuer: ISSUER, audience: AUDIENCE, claims: { sub: '1001' }, expiresAtMs: EXPIRES_AT_MS };

let key: TestKey;
let other: TestKey;
beforeAll(async () => {
  [key, other] = await Promise.all([makeKey('one'), makeKey('two')]);
});

type GivenIssuer = NonNullable<GivenSignIn['issuers']>[number];

function portsWith(issuers: readonly object[], keySets: readonly (readonly TestKey[])[] = []) {
  const asked: string[] = [];
  const ports: TokenPorts = {
    ...TEST_SECRETS,
    loadTenant: async (domain) =>
      domain === DOMAIN || domain === 'acme.example'
        ? completeTenant(domain, { signIn: { issuers: domain === DOMAIN ? (issuers as GivenIssuer[]) : [] } })
        : undefined,
    loadUser: async (domain, user) =>
      ['1001', '1002', 'pbx'].includes(user)
        ? { domain, user, role: user === 'pbx' ? 'publisher' : 'user', sealedHa1: '' }
        : undefined,
    loadKeySet: async (uri, use) => {
      asked.push(`${use} ${uri}`);
      const set = keySets[Math.min(asked.length, keySets.length) - 1];
      if (set === undefined) throw new DependencyUnavailable('dead');
      return { keys: set.map(({ publicJwk }) => publicJwk) };
    },
  };
  return { ...ports, asked };
}

const inline = (...keys: TestKey[]) => ({
  ...{ issuer: ISSUER, audience: AUDIENCE },
  jwks: { keys: keys.map(({ publicJwk }) => publicJwk) },
});
const remote = { issuer: ISSUER, audience: AUDIENCE, jwksUri: JWKS_URI };
const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('a token of an issuer that the tenant trusts', () => {
  it('proves its user until it ends, and the clock skew longer', async () => {
    const identity = await identityOfToken(await signToken(key, TOKEN), DOMAIN, portsWith([inline(key)]), T0);
    const proof = { way: 'issuer', by: ISSUER };
    expect(identity).toEqual({
      ...{ domain: DOMAIN, user: '1001', role: 'user', expiresAtMs: EXPIRES_AT_MS + 60_000, proof },
    });
  });

  it.each(['RS256', 'PS256', 'ES384', 'EdDSA'])('may be signed with %s', async (alg) => {
    const signer = await makeKey('k', alg);
    const token = await signToken(signer, TOKEN);
    expect(await identityOfToken(token, DOMAIN, portsWith([inline(signer)]), T0)).toMatchObject({ user: '1001' });
  });

  it.each([
    ['1002', '1002'],
    ['sip:1002@demo.example', '1002'],
    ['1002@demo.example', '1002'],
    ['sip:1002@acme.example', undefined],
    ['1002@acme.example', undefined],
    ['pbx', undefined],
    ['9999', undefined],
    ['', undefined],
    [1002, undefined],
    [undefined, undefined],
  ])('names its user in a claim of its own: %s is %s', async (extension, user) => {
    const ports = portsWith([{ ...inline(key), userClaim: 'extension' }]);
    const token = await signToken(key, { ...TOKEN, claims: { sub: 'someone', extension } });
    expect((await identityOfToken(token, DOMAIN, ports, T0))?.user).toBe(user);
  });

  it.each([
    [EXPIRES_AT_MS + 59_000, true],
    [EXPIRES_AT_MS + 61_000, false],
  ])('at %i, within the skew or not: %s', async (nowMs, isProof) => {
    const found = await identityOfToken(await signToken(key, TOKEN), DOMAIN, portsWith([inline(key)]), nowMs);
    expect(found !== undefined).toBe(isProof);
  });

  it('has the skew that the tenant sets', async () => {
    const ports = portsWith([{ ...inline(key), clockSkewSeconds: 0 }]);
    const token = await signToken(key, TOKEN);
    expect(await identityOfToken(token, DOMAIN, ports, EXPIRES_AT_MS + 1_000)).toBeUndefined();
    expect((await identityOfToken(token, DOMAIN, ports, T0))?.expiresAtMs).toBe(EXPIRES_AT_MS);
  });

  it('is not good before its time', async () => {
    const early = await signToken(key, { ...TOKEN, claims: { sub: '1001', nbf: T0 / 1_000 + 90 } });
    expect(await identityOfToken(early, DOMAIN, portsWith([inline(key)]), T0)).toBeUndefined();
    expect(await identityOfToken(early, DOMAIN, portsWith([inline(key)]), T0 + 40_000)).toBeDefined();
  });
});

describe('what proves nobody', () => {
  it.each<[string, Partial<TokenFacts>]>([
    ['another audience', { audience: 'another' }],
    ['no audience', { audience: undefined }],
    ['another issuer', { issuer: 'https://other.example/' }],
    ['no end', { expiresAtMs: undefined }],
    ['a critical header that nobody knows', { header: { crit: ['b64x'], b64x: true } }],
  ])('a token with %s', async (_what, facts) => {
    const token = await signToken(key, { ...TOKEN, ...facts }).catch(() => '');
    expect(await identityOfToken(token, DOMAIN, portsWith([inline(key)]), T0)).toBeUndefined();
  });

  it('a token that the key did not sign, of the same key id', async () => {
    const forged = await signToken({ ...other, kid: 'one' }, TOKEN);
    expect(await identityOfToken(forged, DOMAIN, portsWith([inline(key)]), T0)).toBeUndefined();
  });

  it('a token without a signature (alg none), or signed with the public key as a shared one (HS256)', async () => {
    const claims = { iss: ISSUER, aud: AUDIENCE, sub: '1001', exp: EXPIRES_AT_MS / 1_000 };
    const unsigned = `${base64url({ alg: 'none' })}.${base64url(claims)}.`;
    const start = `${base64url({ alg: 'HS256', kid: 'one' })}.${base64url(claims)}`;
    const shared = `${start}.${createHmac('sha256', JSON.stringify(key.publicJwk)).update(start).digest('base64url')}`;
    for (const token of [unsigned, shared]) {
      expect(await identityOfToken(token, DOMAIN, portsWith([inline(key)]), T0)).toBeUndefined();
    }
  });

  it('a token with an algorithm that the tenant does not allow', async () => {
    const ports = portsWith([{ ...inline(key), algorithms: ['RS256'] }]);
    expect(await identityOfToken(await signToken(key, TOKEN), DOMAIN, ports, T0)).toBeUndefined();
  });

  it.each(['', 'x', 'a.b.c', `${'x'.repeat(9_000)}`, '..', 'eyJ9.eyJ9.'])('what is no token: %s', async (token) => {
    expect(await identityOfToken(token, DOMAIN, portsWith([inline(key)]), T0)).toBeUndefined();
  });

  it('a token at another tenant, or at one that does not exist', async () => {
    const token = await signToken(key, TOKEN);
    for (const domain of ['acme.example', 'no.example']) {
      expect(await identityOfToken(token, domain, portsWith([inline(key)]), T0)).toBeUndefined();
    }
  });

  it('a token whose key is nonsense in the key set', async () => {
    const broken = { ...inline(key), jwks: { keys: [{ kty: 'EC', kid: 'one', alg: 'ES256', crv: 'P-256', x: 'AA' }] } };
    expect(await identityOfToken(await signToken(key, TOKEN), DOMAIN, portsWith([broken]), T0)).toBeUndefined();
  });
});

describe('keys behind a URI', () => {
  it('are asked for once more when a token names one that is not among them: the issuer changed its key', async () => {
    const ports = portsWith([remote], [[other], [other, key]]);
    expect(await identityOfToken(await signToken(key, TOKEN), DOMAIN, ports, T0)).toMatchObject({ user: '1001' });
    expect(ports.asked).toEqual([`known ${JWKS_URI}`, `renewal ${JWKS_URI}`]);
  });

  it('are asked for no further', async () => {
    const ports = portsWith([remote], [[other], [other]]);
    expect(await identityOfToken(await signToken(key, TOKEN), DOMAIN, ports, T0)).toBeUndefined();
    expect(ports.asked).toHaveLength(2);
  });

  it('that cannot be had are an outage for these tokens, not for others', async () => {
    const ports = portsWith([remote, { ...inline(other), issuer: 'https://other.example/' }]);
    await expect(identityOfToken(await signToken(key, TOKEN), DOMAIN, ports, T0)).rejects.toThrow(
      DependencyUnavailable,
    );
    const fine = await signToken(other, { ...TOKEN, issuer: 'https://other.example/' });
    expect(await identityOfToken(fine, DOMAIN, ports, T0)).toMatchObject({ user: '1001' });
  });
});

describe('a token of ours', () => {
  const facts = { generation: 0, id: 'jti-1', nowMs: T0, expiresSeconds: 60 };
  const issue = (user: string, domain = DOMAIN) => issueToken({ domain, user }, TEST_VAULT, facts);

  it('proves its user, to the second', async () => {
    const token = await issue('1001');
    const proof = { way: 'token', tokenId: 'jti-1', issuedAtMs: T0 };
    const identity = { domain: DOMAIN, user: '1001', role: 'user', expiresAtMs: T0 + 60_000, proof };
    expect(await identityOfToken(token, DOMAIN, portsWith([]), T0)).toEqual(identity);
    expect(await identityOfToken(token, DOMAIN, portsWith([]), T0 + 60_000)).toBeUndefined();
  });

  it('proves nothing at another tenant, nor for a user who is gone or a publisher', async () => {
    expect(await identityOfToken(await issue('1001', 'acme.example'), DOMAIN, portsWith([]), T0)).toBeUndefined();
    for (const user of ['9999', 'pbx']) {
      expect(await identityOfToken(await issue(user), DOMAIN, portsWith([]), T0)).toBeUndefined();
    }
  });

  it('ends when the tenant begins a new generation', async () => {
    const ports = portsWith([]);
    const later = {
      ...ports,
      loadSignInSecrets: async (domain: string) => ({
        domain,
        shared: [],
        revoked: [],
        tokenGeneration: 1,
        version: 1,
      }),
    };
    expect(await identityOfToken(await issue('1001'), DOMAIN, later, T0)).toBeUndefined();
  });

  it('cannot be made from the keys of an issuer', async () => {
    const forged = await signToken(key, {
      ...TOKEN,
      issuer: 'lampfield',
      audience: DOMAIN,
      claims: { sub: 'sip:1001@demo.example', generation: 0 },
    });
    expect(await identityOfToken(forged, DOMAIN, portsWith([inline(key)]), T0)).toBeUndefined();
  });
});
