import { createHmac } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Identity } from '#contract/schemas.ts';
import { DependencyUnavailable, SipRejection } from '#core/error.ts';
import { FREE_FOR_USER } from '#core/sign-in-guard.ts';
import { type AuthenticatorPorts, authenticate } from '#roles/authenticator.ts';
import { signIn } from '#roles/sign-in-desk.ts';
import { openFailureBook } from '#table/failure-book.ts';
import { storedCredentials } from '#table/seed-items.ts';
import { sealShared } from '#table/sign-in-secrets-item.ts';
import { completeTenant, type Tenant } from '#table/tenant-item.ts';
import { sealHa1, type User } from '#table/user-item.ts';
import { authorizationOf, type DigestAnswer, envelopeOf, T0, type TestRequest } from '#test/support/envelope.ts';
import { makeKey, signToken, type TestKey } from '#test/support/issuer.ts';
import { openMemoryTable } from '#test/support/memory-table.ts';
import { TEST_SECRETS, TEST_VAULT } from '#test/support/secrets.ts';

const DOMAIN = 'demo.example';
/** Of a token that does not say when it was issued. */
const PROOF = { way: 'issuer', by: 'https://login.example/' } as const;
const ISSUER = 'https://login.example/';
const SECRETS = ['first-portal-secret-of-32-letters', 'second-portal-secret-of-32-chars'];
const HOUR_MS = 3_600_000;

const account = (user: string, role: User['role']): User => {
  const ha1 = storedCredentials(user, DOMAIN, `demo-${user}`);
  return { domain: DOMAIN, user, role, sealedHa1: sealHa1(TEST_VAULT, { domain: DOMAIN, user }, ha1) };
};
const USERS = [account('1001', 'user'), account('1002', 'user'), account('pbx', 'publisher')];

let key: TestKey;
beforeAll(async () => {
  key = await makeKey('one');
});

function makePorts(): AuthenticatorPorts {
  const jwks = { keys: [key.publicJwk] } as never;
  const tenants: Readonly<Record<string, Tenant>> = {
    [DOMAIN]: completeTenant(DOMAIN, { signIn: { issuers: [{ issuer: ISSUER, audience: 'us', jwks }] } }),
    'acme.example': completeTenant('acme.example', {}),
  };
  const shared = SECRETS.map((secret, index) => {
    const id = `portal-${index}`;
    return { id, createdAtMs: T0, sealed: sealShared(TEST_VAULT, DOMAIN, id, secret) };
  });
  return {
    ...TEST_SECRETS,
    loadTenant: async (domain) => tenants[domain],
    loadUser: async (domain, user) => USERS.find((each) => each.domain === domain && each.user === user),
    loadSignInSecrets: async (domain) => ({
      ...{ domain, tokenGeneration: 0, revoked: [], version: 1 },
      shared: domain === DOMAIN ? shared : [],
    }),
    failures: openFailureBook(openMemoryTable()),
  };
}

async function rejectionOf(work: Promise<unknown>): Promise<SipRejection> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof SipRejection) return error;
  throw new Error('a rejection was expected', { cause: error });
}

async function digestRequest(
  answer: Partial<DigestAnswer>,
  request: Partial<TestRequest> & { readonly address?: string } = {},
  nowMs = T0,
) {
  const asked = envelopeOf({ method: 'REGISTER', ...request });
  const { headers } = await rejectionOf(authenticate(asked, makePorts(), nowMs));
  const nonce = /nonce="([^"]+)"/.exec(headers[0]?.[1] ?? '')?.[1] ?? '';
  const realm = /sip:[^@]+@(.+)/.exec(request.from ?? 'sip:1001@demo.example')?.[1] ?? '';
  const full = { username: '1001', password: 'demo-1001', realm, method: 'REGISTER', uri: 'sip:demo.example', nonce };
  const authorization = authorizationOf({ ...full, ...answer });
  const envelope = envelopeOf({ method: 'REGISTER', ...request, headers: [['Authorization', authorization]] });
  return { ...envelope, sourceAddress: request.address ?? '192.0.2.7' };
}

const passwordOf = (secret: string, username: string): string =>
  createHmac('sha256', secret).update(username).digest('base64');

describe('credentials for a while, of a portal', () => {
  const temporary = (expiresAtMs: number, secret = SECRETS[0] ?? '', user = '1001', suffix = '') => {
    const username = `${expiresAtMs / 1_000}:${user}`;
    return { username: username + suffix, password: passwordOf(secret, username) };
  };

  it.each(['SHA-256', 'MD5'] as const)('prove their user until they end, with %s', async (algorithm) => {
    const envelope = await digestRequest({ ...temporary(T0 + HOUR_MS), algorithm });
    const proof = { way: 'sharedSecret', by: 'portal-0', issuedAtMs: T0 } as const;
    const identity: Identity = { domain: DOMAIN, user: '1001', role: 'user', expiresAtMs: T0 + HOUR_MS, proof };
    expect(await authenticate(envelope, makePorts(), T0)).toEqual(identity);
  });

  it('may be of any of the secrets, and name the domain', async () => {
    for (const answer of [
      temporary(T0 + HOUR_MS, SECRETS[1]),
      temporary(T0 + HOUR_MS, SECRETS[0], '1001', `@${DOMAIN}`),
    ]) {
      expect(await authenticate(await digestRequest(answer), makePorts(), T0)).toMatchObject({ user: '1001' });
    }
  });

  it.each([
    ['are over', temporary(T0 - 1_000)],
    ['would last for years', temporary(T0 + 25 * HOUR_MS)],
    ['are of a secret that is not shared', temporary(T0 + HOUR_MS, 'another')],
    ['have an end that was changed', { ...temporary(T0 + HOUR_MS), username: `${T0 / 1_000 + 7_200}:1001` }],
  ])('prove nobody when they %s', async (_what, answer) => {
    expect(await rejectionOf(authenticate(await digestRequest(answer), makePorts(), T0))).toMatchObject({
      status: 401,
    });
  });

  it('are for people who exist, not for publishers', async () => {
    for (const user of ['pbx', '9999']) {
      const answer = temporary(T0 + HOUR_MS, SECRETS[0], user);
      const envelope = await digestRequest(answer, { from: `sip:${user}@demo.example` });
      expect((await rejectionOf(authenticate(envelope, makePorts(), T0))).status).toBe(401);
    }
  });

  it('are for From only', async () => {
    const answer = temporary(T0 + HOUR_MS, SECRETS[0], '1002');
    expect((await rejectionOf(authenticate(await digestRequest(answer), makePorts(), T0))).status).toBe(403);
  });

  it('are worth nothing at a tenant that shares none', async () => {
    const request = { from: 'sip:1001@acme.example', requestUri: 'sip:demo.example' };
    const envelope = await digestRequest(temporary(T0 + HOUR_MS), request);
    expect((await rejectionOf(authenticate(envelope, makePorts(), T0))).status).toBe(401);
  });
});

describe('what a flow has proven for a while', () => {
  const identity: Identity = { domain: DOMAIN, user: '1001', role: 'user', expiresAtMs: T0 + 1_000 };

  it('counts until then, and is challenged after', async () => {
    const envelope = envelopeOf({ method: 'REGISTER', identity });
    expect(await authenticate(envelope, makePorts(), T0)).toEqual(identity);
    expect(await rejectionOf(authenticate(envelope, makePorts(), T0 + 1_000))).toMatchObject({ status: 401 });
  });
});

describe('bearer tokens in SIP (RFC 8898)', () => {
  const bearer = async (sub: string, request: Partial<TestRequest> = {}, name = 'Authorization') => {
    const token = await signToken(key, { issuer: ISSUER, audience: 'us', claims: { sub }, expiresAtMs: T0 + HOUR_MS });
    return envelopeOf({ method: 'REGISTER', ...request, headers: [[name, `Bearer ${token}`]] });
  };
  const headersOf = async (envelope: ReturnType<typeof envelopeOf>, challenger: 'server' | 'proxy' = 'server') =>
    (await rejectionOf(authenticate(envelope, makePorts(), T0, challenger))).headers;

  it('prove the user that From names, with the end of the token', async () => {
    const expected = { domain: DOMAIN, user: '1001', role: 'user', expiresAtMs: T0 + HOUR_MS + 60_000, proof: PROOF };
    expect(await authenticate(await bearer('1001'), makePorts(), T0)).toEqual(expected);
    const invite = await bearer('1001', { method: 'INVITE' }, 'Proxy-Authorization');
    expect(await authenticate(invite, makePorts(), T0, 'proxy')).toEqual(expected);
  });

  it('of somebody else than From are refused with 403', async () => {
    expect((await rejectionOf(authenticate(await bearer('1002'), makePorts(), T0))).status).toBe(403);
  });

  it('are asked for beside digest, where the tenant trusts an issuer', async () => {
    const headers = await headersOf(envelopeOf({ method: 'REGISTER' }));
    expect(headers.map(([, value]) => value.split(' ')[0])).toEqual(['Digest', 'Digest', 'Bearer']);
    expect(headers[2]).toEqual(['WWW-Authenticate', `Bearer realm="demo.example", authz_server="${ISSUER}"`]);
    const asProxy = await headersOf(envelopeOf({ method: 'INVITE' }), 'proxy');
    expect(asProxy[2]?.[0]).toBe('Proxy-Authenticate');
  });

  it('that prove nobody are named as the reason', async () => {
    const headers = await headersOf(await bearer('9999'));
    expect(headers[2]?.[1]).toBe(`Bearer realm="demo.example", authz_server="${ISSUER}", error="invalid_token"`);
  });

  it('a tenant without issuers answers like none at all', async () => {
    const answers = await Promise.all(
      ['acme.example', 'no.example'].map(async (domain) => {
        const requests = [envelopeOf({ method: 'REGISTER', from: `sip:1001@${domain}` })];
        requests.push(await bearer('1001', { from: `sip:1001@${domain}` }));
        const texts = await Promise.all(requests.map(async (each) => JSON.stringify(await headersOf(each))));
        return texts.map((text) => text.replaceAll(domain, 'D').replaceAll(/nonce=\\"[^"]+"/g, 'N'));
      }),
    );
    expect(answers[0]).toEqual(answers[1]);
  });

  it('whose issuer is dead are an outage', async () => {
    const issuers = [{ issuer: ISSUER, audience: 'us', jwksUri: `${ISSUER}jwks` }];
    const ports: AuthenticatorPorts = {
      ...makePorts(),
      loadTenant: async (domain) => completeTenant(domain, { signIn: { issuers } }),
      loadKeySet: () => Promise.reject(new DependencyUnavailable('dead')),
    };
    await expect(authenticate(await bearer('1001'), ports, T0)).rejects.toThrow(DependencyUnavailable);
    expect(await authenticate(await digestRequest({}), ports, T0)).toMatchObject({ user: '1001' });
    const identity: Identity = { domain: DOMAIN, user: '1001', role: 'user', expiresAtMs: T0 + 1_000 };
    const proven = { ...(await bearer('1001')), identity };
    expect(await authenticate(proven, ports, T0)).toEqual(identity);
    await expect(authenticate(proven, ports, T0 + 1_000)).rejects.toThrow(DependencyUnavailable);
    const request = { contractVersion: 1, gatewayId: 'g', sourceAddress: '192.0.2.7', domain: DOMAIN } as const;
    const token = await signToken(key, {
      issuer: ISSUER,
      audience: 'us',
      claims: { sub: '1001' },
      expiresAtMs: T0 + 1,
    });
    expect(await signIn({ ...request, token } as never, ports, T0)).toEqual({ kind: 'later', retryAfterSeconds: 5 });
  });
});

describe.each([
  ['that is being removed', { ...completeTenant(DOMAIN, {}), removal: { sinceMs: T0, items: 0 } }],
  ['that is gone', undefined],
])('at a tenant %s', (_, tenant) => {
  const portsOf = (): AuthenticatorPorts => ({ ...makePorts(), loadTenant: async () => tenant });

  it('nobody signs in', async () => {
    expect((await rejectionOf(authenticate(await digestRequest({}), portsOf(), T0))).status).toBe(401);
  });

  it('who has signed in is nobody any more', async () => {
    const proven = envelopeOf({
      ...{ method: 'SUBSCRIBE', from: 'sip:1001@demo.example' },
      identity: { domain: DOMAIN, user: '1001', role: 'user' },
    });
    expect(await authenticate(proven, makePorts(), T0)).toMatchObject({ user: '1001' });
    expect((await rejectionOf(authenticate(proven, portsOf(), T0))).status).toBe(401);
  });
});

describe('guessing', () => {
  const wrong = (address: string, user = '1001') =>
    digestRequest({ username: user, password: 'wrong' }, { address, from: `sip:${user}@demo.example` });
  async function guess(ports: AuthenticatorPorts, count: number, address = '192.0.2.7', user = '1001') {
    const envelope = await wrong(address, user);
    const seen: SipRejection[] = [];
    for (let n = 0; n < count; n++) seen.push(await rejectionOf(authenticate(envelope, ports, T0)));
    return seen;
  }

  it('is told to come again later, the password unread, while the user signs in from elsewhere', async () => {
    const ports = makePorts();
    const seen = await guess(ports, FREE_FOR_USER + 1);
    expect(seen.slice(0, FREE_FOR_USER).every(({ status }) => status === 401)).toBe(true);
    expect(seen.at(-1)).toMatchObject({
      ...{ status: 503, reason: 'Too Many Failed Attempts', headers: [['Retry-After', '1']] },
    });
    const right = await digestRequest({}, { address: '192.0.2.7' });
    expect((await rejectionOf(authenticate(right, ports, T0))).status).toBe(503);
    expect(await authenticate({ ...right, sourceAddress: '192.0.2.8' }, ports, T0)).toMatchObject({ user: '1001' });
    expect(await authenticate(right, ports, T0 + 1_000)).toMatchObject({ user: '1001' });
  });

  it('is forgiven once the right password comes, to the user and to the address', async () => {
    const ports = makePorts();
    const right = await digestRequest({}, { address: '192.0.2.7' });
    for (let round = 0; round < 3; round++) {
      const seen = await guess(ports, FREE_FOR_USER - 1);
      expect(seen.every(({ status }) => status === 401)).toBe(true);
      expect(await authenticate(right, ports, T0)).toMatchObject({ user: '1001' });
    }
    for (let n = 0; n < 200; n++)
      await ports.failures.record({ domain: DOMAIN, user: `u${n}`, sourceAddress: '192.0.2.7' }, T0);
    // 200 of others are free as well: none of the user's own are left.
    expect((await rejectionOf(authenticate(await wrong('192.0.2.7'), ports, T0 + 1_000))).status).toBe(401);
  });

  it('waits twice as long each time, a minute at most', async () => {
    const ports = makePorts();
    await guess(ports, FREE_FOR_USER);
    const waits: number[] = [];
    let nowMs = T0;
    for (let n = 0; n < 8; n++) {
      const envelope = await wrong('192.0.2.7');
      const refused = await rejectionOf(authenticate(envelope, ports, nowMs));
      const seconds = Number(refused.headers[0]?.[1]);
      waits.push(seconds);
      nowMs += seconds * 1_000;
      expect((await rejectionOf(authenticate(envelope, ports, nowMs))).status).toBe(401);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
  });

  it('looks the same for a name that nobody has, byte for byte, also when it must wait', async () => {
    const texts = await Promise.all(
      ['1001', '9999'].map(async (user) => {
        const seen = await guess(makePorts(), FREE_FOR_USER + 1, '192.0.2.7', user);
        return seen.map(({ status, reason, headers }) => JSON.stringify({ status, reason, headers }));
      }),
    );
    expect(texts[0]).toEqual(texts[1]);
  });

  it('of many names from one address waits too; one device that repeats itself stops nobody else there', async () => {
    const ports = makePorts();
    await guess(ports, FREE_FOR_USER);
    const other = await digestRequest({ username: '1002', password: 'demo-1002' }, { from: 'sip:1002@demo.example' });
    let nowMs = T0;
    for (let n = 0; n < 60; n++) {
      nowMs += 60_000 / 60;
      await authenticate(await wrong('192.0.2.7'), ports, nowMs).catch(() => undefined);
    }
    expect(await authenticate(other, ports, nowMs)).toMatchObject({ user: '1002' });
    for (let n = 0; n < 200; n++)
      await ports.failures.record({ domain: DOMAIN, user: `u${n}`, sourceAddress: '192.0.2.7' }, nowMs);
    expect((await rejectionOf(authenticate(other, ports, nowMs))).status).toBe(503);
    const elsewhere = await authenticate({ ...other, sourceAddress: '192.0.2.9' }, ports, nowMs);
    expect(elsewhere).toMatchObject({ user: '1002' });
  });

  it('with one token again and again waits as well, at the handshake too', async () => {
    const ports = makePorts();
    const request = { contractVersion: 1, gatewayId: 'g', sourceAddress: '192.0.2.7', domain: DOMAIN } as never;
    const sent = (token: string) => signIn({ ...(request as object), token } as never, ports, T0);
    for (let n = 0; n < FREE_FOR_USER; n++) expect(await sent('a.b.c')).toEqual({ kind: 'refused' });
    expect(await sent('a.b.c')).toEqual({ kind: 'later', retryAfterSeconds: 1 });
    // Another token is another attempt.
    expect(await sent('a.b.d')).toEqual({ kind: 'refused' });
  });
});

describe('a token at the handshake', () => {
  const ask = async (sub: string, domain?: string) => {
    const token = await signToken(key, { issuer: ISSUER, audience: 'us', claims: { sub }, expiresAtMs: T0 + HOUR_MS });
    return signIn(
      { contractVersion: 1, gatewayId: 'g', token, domain, sourceAddress: '192.0.2.7' } as never,
      makePorts(),
      T0,
    );
  };

  it('names its tenant itself, or the client does', async () => {
    const identity = { domain: DOMAIN, user: '1001', role: 'user', expiresAtMs: T0 + HOUR_MS + 60_000, proof: PROOF };
    expect(await ask('sip:1001@demo.example')).toEqual({ kind: 'proven', identity });
    expect(await ask('1001', 'DEMO.example')).toEqual({ kind: 'proven', identity });
  });

  it.each([['1001'], ['1001', 'acme.example'], ['sip:1001@acme.example', DOMAIN], ['9999', DOMAIN], ['1001', '']])(
    'is refused otherwise: %s %s',
    async (sub, domain?) => {
      expect(await ask(sub, domain)).toEqual({ kind: 'refused' });
    },
  );
});
