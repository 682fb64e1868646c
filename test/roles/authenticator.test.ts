import { describe, expect, it, vi } from 'vitest';
import type { Identity } from '#contract/schemas.ts';
import { SipRejection } from '#core/error.ts';
import { NONCE_LIFETIME_MS } from '#core/nonce.ts';
import { asAuthenticated, authenticate } from '#roles/authenticator.ts';
import { storedCredentials } from '#table/seed-items.ts';
import { completeTenant } from '#table/tenant-item.ts';
import { sealHa1, type User } from '#table/user-item.ts';
import { authorizationOf, type DigestAnswer, envelopeOf, T0, type TestRequest } from '#test/support/envelope.ts';
import { TEST_SECRETS, TEST_VAULT } from '#test/support/secrets.ts';

const ALICE: Identity = { domain: 'demo.example', user: '1001', role: 'user', proof: { way: 'password' } };
const sealedFor = (user: string): string => {
  const ha1 = storedCredentials(user, 'demo.example', `demo-${user}`);
  return sealHa1(TEST_VAULT, { domain: 'demo.example', user }, ha1);
};
const USERS: readonly User[] = [
  { ...ALICE, sealedHa1: sealedFor('1001') },
  { domain: 'demo.example', user: 'pbx', role: 'publisher', sealedHa1: sealedFor('pbx') },
];

function portsWith(users: readonly User[]) {
  const loads: string[] = [];
  return {
    loads,
    ...TEST_SECRETS,
    loadTenant: async (domain: string) => completeTenant(domain, {}),
    loadUser: async (domain: string, user: string) => {
      loads.push(`${user}@${domain}`);
      return users.find((each) => each.domain === domain && each.user === user);
    },
  };
}

const PORTS = portsWith(USERS);
const REGISTER: TestRequest = { method: 'REGISTER' };
const ANSWER = {
  username: '1001',
  password: 'demo-1001',
  realm: 'demo.example',
  method: 'REGISTER',
  uri: 'sip:demo.example',
};

async function rejectionOf(work: Promise<unknown>): Promise<SipRejection> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof SipRejection) return error;
  throw new Error('a rejection was expected', { cause: error });
}

/** A nonce of the given flow, as a client gets it with a challenge. */
async function nonceFor(request: TestRequest, nowMs = T0): Promise<string> {
  const { headers } = await rejectionOf(authenticate(envelopeOf({ ...request, headers: [] }), PORTS, nowMs));
  return /nonce="([^"]+)"/.exec(headers[0]?.[1] ?? '')?.[1] ?? '';
}

async function answering(answer: Partial<DigestAnswer> = {}, request: Partial<TestRequest> = {}) {
  const nonce = answer.nonce ?? (await nonceFor({ method: 'REGISTER', from: request.from }));
  const authorization = authorizationOf({ ...ANSWER, ...answer, nonce });
  return envelopeOf({ ...REGISTER, ...request, headers: [['Authorization', authorization]] });
}

describe('a request without credentials', () => {
  it('is challenged with SHA-256 and MD5, realm of From (RFC 8760), without any read', async () => {
    const ports = portsWith(USERS);
    const { status, headers } = await rejectionOf(authenticate(envelopeOf(REGISTER), ports, T0));
    expect(status).toBe(401);
    expect(headers.map(([name]) => name)).toEqual(['WWW-Authenticate', 'WWW-Authenticate']);
    expect(headers[0]?.[1]).toMatch(/^Digest realm="demo.example", nonce="[\w-]{32}", algorithm=SHA-256, qop="auth"$/);
    expect(ports.loads).toEqual([]);
  });

  it('is what its flow has proven', async () => {
    expect(await authenticate(envelopeOf({ ...REGISTER, identity: ALICE }), PORTS, T0)).toEqual(ALICE);
  });

  it.each(['sip:1002@demo.example', 'sip:1001@acme.example', 'sip:nobody@nowhere.example'])(
    'is refused with 403 when From is %s, not what the flow has proven',
    async (from) => {
      const envelope = envelopeOf({ ...REGISTER, identity: ALICE, from });
      expect(await rejectionOf(authenticate(envelope, PORTS, T0))).toMatchObject({ status: 403, headers: [] });
    },
  );
});

describe('a request with credentials', () => {
  it.each(['SHA-256', 'MD5'] as const)('proves its identity with %s', async (algorithm) => {
    expect(await authenticate(await answering({ algorithm }), PORTS, T0)).toEqual(ALICE);
  });

  it.each(['SHA-256', 'MD5'] as const)('may name its user as user@domain with %s', async (algorithm) => {
    const envelope = await answering({ algorithm, username: '1001@demo.example' });
    expect(await authenticate(envelope, PORTS, T0)).toEqual(ALICE);
  });

  it('proves a publisher', async () => {
    const from = 'sip:pbx@demo.example';
    const envelope = await answering({ username: 'pbx', password: 'demo-pbx' }, { from });
    expect(await authenticate(envelope, PORTS, T0)).toMatchObject({ user: 'pbx', role: 'publisher' });
  });

  it('finds ours among the credentials of several realms', async () => {
    const nonce = await nonceFor(REGISTER);
    const envelope = envelopeOf({
      ...REGISTER,
      headers: [
        ['Authorization', authorizationOf({ ...ANSWER, nonce: 'other', realm: 'other.example' })],
        ['Authorization', authorizationOf({ ...ANSWER, nonce })],
      ],
    });
    expect(await authenticate(envelope, PORTS, T0)).toEqual(ALICE);
  });

  it('is verified on an identified flow too', async () => {
    const wrong = await answering({ password: 'wrong' }, { identity: ALICE });
    expect((await rejectionOf(authenticate(wrong, PORTS, T0))).status).toBe(401);
  });

  const refused: [string, Partial<DigestAnswer>, Partial<TestRequest>][] = [
    ['a wrong password', { password: 'wrong' }, {}],
    ['an unknown user', { username: '9999', password: 'demo-9999' }, { from: 'sip:9999@demo.example' }],
    ['an unknown tenant', { realm: 'no.example' }, { from: 'sip:1001@no.example' }],
    ['another realm', { realm: 'other.example' }, {}],
    ['the digest of another method', { method: 'SUBSCRIBE' }, {}],
    ['a name that is too long', { username: 'x'.repeat(300) }, { from: `sip:${'x'.repeat(300)}@demo.example` }],
  ];
  it.each(refused)('is challenged again, not stale, with %s', async (_what, answer, request) => {
    const { status, reason, headers } = await rejectionOf(authenticate(await answering(answer, request), PORTS, T0));
    expect([status, reason, headers.length]).toEqual([401, 'Unauthorized', 2]);
    expect(JSON.stringify(headers)).not.toContain('stale');
  });

  it('looks the same for a wrong password and an unknown user, and reads as much', async () => {
    const seen = async (user: string) => {
      const ports = portsWith(USERS);
      const envelope = await answering({ username: user, password: 'wrong' }, { from: `sip:${user}@demo.example` });
      const { status, reason, headers } = await rejectionOf(authenticate(envelope, ports, T0));
      return { status, reason, headers, loads: ports.loads.length };
    };
    expect(await seen('1001')).toEqual(await seen('9999'));
  });

  it.each([
    ['of another flow', { flowId: 'flow-2' }, T0],
    ['that is too old', {}, T0 + NONCE_LIFETIME_MS + 1],
    ['that was used already', { nonceReplayed: true }, T0],
  ])('is challenged with stale=true for a nonce %s, when the password is right', async (_what, request, nowMs) => {
    const { status, headers } = await rejectionOf(authenticate(await answering({}, request), PORTS, nowMs));
    expect(status).toBe(401);
    expect(headers.every(([, value]) => value.endsWith(', stale=true'))).toBe(true);
    const wrong = await rejectionOf(authenticate(await answering({ password: 'wrong' }, request), PORTS, nowMs));
    expect(JSON.stringify(wrong.headers)).not.toContain('stale');
  });

  it('is challenged with stale=true for a nonce that is not ours (RFC 7616 section 3.3)', async () => {
    const { status, headers } = await rejectionOf(authenticate(await answering({ nonce: 'abc' }), PORTS, T0));
    expect([status, headers[0]?.[1]]).toEqual([401, expect.stringContaining(', stale=true')]);
  });

  it('recovers from a stale nonce with the one of the challenge', async () => {
    const nowMs = T0 + NONCE_LIFETIME_MS + 1;
    const { headers } = await rejectionOf(authenticate(await answering(), PORTS, nowMs));
    const nonce = /nonce="([^"]+)"/.exec(headers[0]?.[1] ?? '')?.[1] ?? '';
    expect(await authenticate(await answering({ nonce }), PORTS, nowMs)).toEqual(ALICE);
  });

  it('is refused with 403 when the credentials are of another user than From', async () => {
    const envelope = await answering({ username: 'pbx', password: 'demo-pbx' });
    expect((await rejectionOf(authenticate(envelope, PORTS, T0))).status).toBe(403);
  });

  it('is refused with 400 when the digest is for another URI', async () => {
    const envelope = await answering({ uri: 'sip:acme.example' });
    expect(await rejectionOf(authenticate(envelope, PORTS, T0))).toMatchObject({ status: 400 });
  });

  it('may spell the URI of its digest otherwise', async () => {
    expect(await authenticate(await answering({ uri: 'sip:DEMO.example' }), PORTS, T0)).toEqual(ALICE);
  });

  it.each([
    ['Digest', 400],
    ['Digest realm="demo.example"', 400],
    ['Digest username="1001", realm="demo.example', 400],
    ['', 400],
    ['Basic MTAwMTpkZW1v', 401],
    ['Bearer abc', 401],
  ])('is refused when Authorization is "%s": %i', async (value, status) => {
    const envelope = envelopeOf({ ...REGISTER, headers: [['Authorization', value]] });
    expect((await rejectionOf(authenticate(envelope, PORTS, T0))).status).toBe(status);
  });
});

describe('asAuthenticated', () => {
  it('adds the identity to the outcome', async () => {
    const outcome = await asAuthenticated(await answering(), PORTS, T0, async (identity) => {
      return { response: { status: 200, reason: identity.user, headers: [] } };
    });
    expect(outcome).toEqual({ response: { status: 200, reason: '1001', headers: [] }, identity: ALICE });
  });

  it('keeps what was proven when the request is refused later', async () => {
    const outcome = await asAuthenticated(await answering(), PORTS, T0, () => {
      return Promise.reject(new SipRejection(489, 'Bad Event', [['Allow-Events', 'dialog']]));
    });
    expect(outcome).toEqual({
      response: { status: 489, reason: 'Bad Event', headers: [['Allow-Events', 'dialog']] },
      identity: ALICE,
    });
  });

  it('lets other errors through', async () => {
    const failing = asAuthenticated(await answering(), PORTS, T0, () => Promise.reject(new TypeError('defect')));
    await expect(failing).rejects.toThrow(TypeError);
  });

  it.each([
    ['flows', 'Too Many Connections Of This Tenant'],
    ['subscriptions', 'Too Many Subscriptions Of This Tenant'],
  ] as const)(
    'refuses who would be one of too many %s, without identity, before anything is done',
    async (tenantFull, reason) => {
      const envelope = { ...(await answering()), tenantFull };
      const decide = vi.fn();
      const rejection = await rejectionOf(asAuthenticated(envelope, PORTS, T0, decide));
      expect(rejection).toMatchObject({ status: 503, reason, headers: [['Retry-After', '30']] });
      expect(decide).not.toHaveBeenCalled();
    },
  );

  it('tells nobody that a tenant is full who has not proven to be of it', async () => {
    const decide = vi.fn();
    const wrong = { ...(await answering({ password: 'guess' })), tenantFull: 'flows' as const };
    const [full, usual] = await Promise.all(
      [wrong, { ...wrong, tenantFull: undefined }].map((each) => rejectionOf(asAuthenticated(each, PORTS, T0, decide))),
    );
    expect(full).toMatchObject({ status: 401, headers: usual?.headers });
    expect(decide).not.toHaveBeenCalled();
  });
});
