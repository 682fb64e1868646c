import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { OutcomeInput } from '#contract/outcome.ts';
import type { Identity } from '#contract/schemas.ts';
import { SipRejection } from '#core/error.ts';
import { createVault } from '#core/sealed-text.ts';
import { register } from '#roles/registrar.ts';
import type { RequestPorts } from '#roles/request-ports.ts';
import { loadRegistration } from '#table/binding-item.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { bindingKey } from '#table/keys.ts';
import { seedItems } from '#table/seed-items.ts';
import { loadTenant } from '#table/tenant-item.ts';
import { loadUser, openHa1 } from '#table/user-item.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { authorizationOf, envelopeOf, T0, type TestRequest } from '#test/support/envelope.ts';
import { TEST_SECRETS, TEST_VAULT, VAULT_KEY } from '#test/support/secrets.ts';

const INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"';
const POLICY = { minExpiresSeconds: 3 };

let local: TestTable;
let table: DynamoDbTable;
let ports: RequestPorts;
/** A user of its own for each test. */
let user = 1000;
let alice: Identity;

beforeAll(async () => {
  local = await startTable();
  table = openDynamoDbTable(local);
  ports = {
    table,
    ...TEST_SECRETS,
    loadUser: () => Promise.reject(new Error('the registrar reads the user with the bindings')),
    loadTenant: (domain) => loadTenant(table, domain),
  };
  const tenants = [
    seedItems(
      { domain: 'demo.example', passwordPrefix: 'demo', users: 40, publishers: ['pbx'], policy: POLICY },
      TEST_VAULT,
    ),
    seedItems(
      { domain: 'acme.example', passwordPrefix: 'acme', users: 2, publishers: ['pbx'], policy: POLICY },
      TEST_VAULT,
    ),
  ];
  for (const item of tenants.flat()) await table.put(item);
});
afterAll(async () => {
  table.close();
  await local.stop();
});
beforeEach(() => {
  user += 1;
  alice = { domain: 'demo.example', user: String(user), role: 'user' };
});

const aor = () => `sip:${alice.user}@demo.example`;

/** REGISTER on an identified flow. */
function send(
  request: Partial<TestRequest> & { contact?: string; expires?: string },
  nowMs = T0,
): Promise<OutcomeInput> {
  const { contact, expires, headers = [], ...rest } = request;
  const all: [string, string][] = headers.map(([name, value]) => [name, value]);
  if (contact !== undefined) all.push(['Contact', contact]);
  if (expires !== undefined) all.push(['Expires', expires]);
  return register(
    envelopeOf({ method: 'REGISTER', from: aor(), identity: alice, ...rest, headers: all }),
    ports,
    nowMs,
  );
}

const contactsOf = ({ response }: OutcomeInput) =>
  response.headers.filter(([name]) => name === 'Contact').map(([, value]) => value);

const stored = async (nowMs = T0) => (await loadRegistration(table, alice, nowMs)).bindings;

describe('REGISTER with credentials', () => {
  it('authenticates, binds and names the identity, with one Query and one PutItem', async () => {
    const request = { method: 'REGISTER', from: aor() };
    const challenge = await register(envelopeOf(request), ports, T0).catch((error: unknown) => error);
    if (!(challenge instanceof SipRejection)) throw new Error('a challenge was expected');
    const nonce = /nonce="([^"]+)"/.exec(challenge.headers[0]?.[1] ?? '')?.[1] ?? '';
    const authorization = authorizationOf({
      username: alice.user,
      password: `demo-${alice.user}`,
      realm: 'demo.example',
      nonce,
      method: 'REGISTER',
      uri: 'sip:demo.example',
    });
    const headers = [
      ['Authorization', authorization],
      ['Contact', '<sip:a@h.invalid;transport=ws>'],
    ] as const;
    const before = { ...table.requestCounts };
    const outcome = await register(envelopeOf({ ...request, headers }), ports, T0);
    expect(outcome).toMatchObject({ response: { status: 200 }, identity: alice, registered: true });
    expect(contactsOf(outcome)).toEqual(['<sip:a@h.invalid;transport=ws>;expires=3600']);
    expect(table.requestCounts.Query - before.Query).toBe(1);
    expect(table.requestCounts.PutItem - before.PutItem).toBe(1);
    // The tenant, twice: is it served, what is its policy; cached in the function.
    expect(table.requestCounts.GetItem - before.GetItem).toBe(2);
  });

  it('is refused the same for a wrong password and an unknown user', async () => {
    const refusal = async (name: string) => {
      const from = `sip:${name}@demo.example`;
      const answer = { username: name, password: 'x', realm: 'demo.example', nonce: 'n', method: 'REGISTER' };
      const authorization = authorizationOf({ ...answer, uri: 'sip:demo.example' });
      const envelope = envelopeOf({ method: 'REGISTER', from, headers: [['Authorization', authorization]] });
      const before = { ...table.requestCounts };
      const error = await register(envelope, ports, T0).catch((thrown: unknown) => thrown);
      return { error, queries: table.requestCounts.Query - before.Query };
    };
    const known = await refusal(alice.user);
    expect(known.error).toMatchObject({ status: 401 });
    expect(await refusal('9999')).toEqual(known);
  });
});

describe('REGISTER', () => {
  it('adds, refreshes, lists and removes bindings', async () => {
    const added = await send({ contact: '<sip:a@h>, <sip:b@h>;expires=60', expires: '600' });
    expect(contactsOf(added)).toEqual(['<sip:a@h>;expires=600', '<sip:b@h>;expires=60']);
    expect(added.response.headers).toContainEqual(['Date', 'Tue, 02 Oct 2096 07:06:40 GMT']);

    const later = T0 + 30_000;
    const refreshed = await send({ cseq: 2, contact: '<sip:b@h>;expires=90' }, later);
    expect(contactsOf(refreshed).sort()).toEqual(['<sip:a@h>;expires=570', '<sip:b@h>;expires=90']);

    const queried = await send({ cseq: 3 }, later);
    expect(contactsOf(queried).sort()).toEqual(['<sip:a@h>;expires=570', '<sip:b@h>;expires=90']);
    expect(queried.registered).toBeUndefined();

    const removed = await send({ cseq: 4, contact: '<sip:a@h>;expires=0' }, later);
    expect(contactsOf(removed)).toEqual(['<sip:b@h>;expires=90']);
    expect(removed.registered).toBe(true);

    const emptied = await send({ cseq: 5, contact: '*', expires: '0' }, later);
    expect([contactsOf(emptied), emptied.registered]).toEqual([[], false]);
    expect(await stored(later)).toEqual([]);
  });

  it('marks as news for the stream what is new, has moved or comes again, not what is refreshed', async () => {
    const news: unknown[] = [];
    const contact = (uri: string) => `<${uri}>;+sip.instance="<urn:uuid:1>";reg-id=1`;
    const steps: [uri: string, nowMs: number][] = [
      ['sip:a@h', T0],
      ['sip:a@h', T0 + 1_000],
      ['sip:b@h', T0 + 2_000],
      ['sip:b@h', T0 + 62_000],
    ];
    for (const [at, [uri, nowMs]] of steps.entries()) {
      await send({ cseq: at + 1, contact: contact(uri), expires: '60' }, nowMs);
      const [binding] = await stored(nowMs);
      const item = await table.get(bindingKey('demo.example', alice.user, binding?.id ?? ''));
      news.push([item?.contactUri, item?.news, item?.dueAtMs]);
    }
    expect(news).toEqual([
      ['sip:a@h', true, T0 + 60_000],
      ['sip:a@h', undefined, T0 + 61_000],
      ['sip:b@h', true, T0 + 62_000],
      ['sip:b@h', true, T0 + 122_000],
    ]);
  });

  it('does not list what has expired', async () => {
    await send({ contact: '<sip:a@h>;expires=60' });
    expect(contactsOf(await send({ cseq: 2 }, T0 + 60_000))).toEqual([]);
  });

  it('removing what is not there is no change', async () => {
    const outcome = await send({ contact: '<sip:a@h>;expires=0' });
    expect([outcome.response.status, contactsOf(outcome), outcome.registered]).toEqual([200, [], undefined]);
  });

  it('refuses an older CSeq of the same Call-ID with 500 and changes nothing', async () => {
    await send({ cseq: 5, contact: '<sip:a@h>', expires: '600' });
    const before = await stored();
    expect((await send({ cseq: 5, contact: '<sip:a@h>', expires: '0' })).response.status).toBe(500);
    expect((await send({ cseq: 4, contact: '*', expires: '0' })).response.status).toBe(500);
    expect(await stored()).toEqual(before);
    expect((await send({ cseq: 1, callId: 'call-2', contact: '<sip:a@h>' })).response.status).toBe(200);
  });

  it('lets the newer of two win that race, whichever is written first', async () => {
    const race = [6, 2, 4].map((cseq) => send({ cseq, contact: '<sip:a@h>', expires: String(cseq * 100) }));
    const answers = await Promise.all(race);
    expect(answers[0]?.response.status).toBe(200);
    expect(await stored()).toMatchObject([{ cseq: 6, expiresAtMs: T0 + 600_000 }]);
  });

  it('answers 423 with Min-Expires of the tenant, and changes nothing', async () => {
    const { response } = await send({ contact: '<sip:a@h>', expires: '2' });
    expect(response).toMatchObject({ status: 423, headers: [['Min-Expires', '3']] });
    expect(await stored()).toEqual([]);
  });

  it.each([
    ['<sip:a@h', '60'],
    ['*', '60'],
    ['*, <sip:a@h>', '0'],
  ])('answers 400 to Contact %s with Expires %s', async (contact, expires) => {
    const outcome = await send({ contact, expires });
    expect([outcome.response.status, outcome.identity]).toEqual([400, alice]);
  });

  it.each([
    ['another AOR', { to: 'sip:1040@demo.example' }],
    ['an unknown AOR', { to: 'sip:9999@demo.example' }],
    ['an AOR of another tenant', { to: 'sip:1001@acme.example' }],
    ['an unknown AOR of another tenant', { to: 'sip:9999@acme.example' }],
    ['a registrar of another tenant', { requestUri: 'sip:acme.example' }],
    ['a registrar of no tenant', { requestUri: 'sip:no.example' }],
  ])('refuses %s with the same 403', async (_what, request) => {
    const { response } = await send({ ...request, contact: '<sip:a@h>' });
    expect(response).toEqual({ status: 403, reason: 'Forbidden', headers: [] });
  });

  it('refuses a user that no longer exists on a flow that still does', async () => {
    const ghost: Identity = { ...alice, user: 'ghost' };
    const outcome = await send({ from: 'sip:ghost@demo.example', identity: ghost, contact: '<sip:a@h>' });
    expect(outcome.response.status).toBe(403);
  });

  it('moves a UA instance to its new flow and requires outbound (RFC 5626 section 6)', async () => {
    const supported: [string, string][] = [['Supported', 'path, outbound']];
    const contact = `<sip:x1@h.invalid;transport=ws>;${INSTANCE};reg-id=1`;
    const first = await send({ contact, headers: supported });
    expect(contactsOf(first)).toEqual([`${contact};expires=3600`]);
    expect(first.response.headers).toContainEqual(['Require', 'outbound']);
    const moved = `<sip:x2@h.invalid;transport=ws>;${INSTANCE};reg-id=1`;
    const second = await send({ contact: moved, headers: supported, flowId: 'flow-2', callId: 'call-2' });
    expect(contactsOf(second)).toEqual([`${moved};expires=3600`]);
    expect(await stored()).toMatchObject([{ flowId: 'flow-2' }]);
  });

  it('does not require outbound of a client that does not support it', async () => {
    const { response } = await send({ contact: `<sip:x1@h>;${INSTANCE};reg-id=1` });
    expect(response.headers.map(([name]) => name)).toEqual(['Contact', 'Date']);
  });

  it('says whether a binding names this flow', async () => {
    await send({ contact: '<sip:a@h>', flowId: 'flow-1' });
    const other = await send({ contact: '<sip:b@h>', flowId: 'flow-2', callId: 'call-2' });
    expect(other.registered).toBe(true);
    const gone = await send({ contact: '<sip:b@h>;expires=0', flowId: 'flow-2', callId: 'call-2', cseq: 2 });
    expect([gone.registered, contactsOf(gone)]).toEqual([false, ['<sip:a@h>;expires=3600']]);
  });
});

describe('after a change of the vault’s key', () => {
  const changed = createVault(`another-key ${VAULT_KEY}`, randomBytes);
  const stored = async () => {
    const account = await loadUser(table, 'demo.example', String(user));
    if (account === undefined) throw new Error('no account');
    return account;
  };

  it('a REGISTER seals the credentials under the new one, once', async () => {
    const before = await stored();
    let cseq = 0;
    const again = () => send({ contact: `<${aor()};transport=ws>`, cseq: ++cseq });
    await again();
    expect(await stored()).toEqual(before);
    const old = ports;
    ports = { ...ports, vault: async () => changed };
    await again();
    const after = await stored();
    await again();
    ports = old;
    expect(changed.isOutdated(before.sealedHa1)).toBe(true);
    expect(changed.isOutdated(after.sealedHa1)).toBe(false);
    expect(openHa1(changed, after)).toEqual(openHa1(TEST_VAULT, before));
    expect(await stored()).toEqual(after);
  });

  it('a key that is gone keeps nobody from registering who has proven himself otherwise', async () => {
    const before = await stored();
    const old = ports;
    ports = { ...ports, vault: async () => createVault('another-key', randomBytes) };
    const { response } = await send({ contact: `<${aor()};transport=ws>` });
    ports = old;
    expect(response.status).toBe(200);
    expect(await stored()).toEqual(before);
  });
});
