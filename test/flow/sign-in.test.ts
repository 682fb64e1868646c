/** Every way to sign in, over the wire; and none of their secrets in any log. */
import { createHmac } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DynamoDBClient, paginateScan } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { FREE_FOR_USER } from '#core/sign-in-guard.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { seedItems, storedCredentials } from '#table/seed-items.ts';
import { tenantItem } from '#table/tenant-item.ts';
import { makeKey, signToken, startIssuer, type TestIssuer, type TestKey } from '#test/support/issuer.ts';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { TEST_VAULT, VAULT_KEY } from '#test/support/secrets.ts';
import { SipClient } from '#test/support/sip-client.ts';

const ADMIN_KEY = 'an-admin-key-that-no-log-may-have';
const DOMAIN = 'sign.example';
const data = mkdtempSync(path.join(tmpdir(), 'lampfield-sign-in-'));
/** What no log may have. */
const secrets = new Set<string>([ADMIN_KEY, VAULT_KEY]);

let stack: LocalStack;
let issuer: TestIssuer;
let dead: TestIssuer;
let key: TestKey;
let table: DynamoDbTable;
beforeAll(async () => {
  key = await makeKey('first');
  [issuer, dead] = await Promise.all([startIssuer(key), startIssuer(key)]);
  dead.answer = (_request, response) => response.writeHead(500).end();
  const env = { ADMIN_KEY, DATA_DIR: data, LOG_LEVEL: 'debug' };
  stack = await startStack({ gateways: 2, env, trunk: 'sip:account:trunk-s3cret-password@127.0.0.1:9;transport=tcp' });
  secrets.add('trunk-s3cret-password');
  table = openDynamoDbTable({ tableName: 'lampfield', endpoint: stack.dynamoDbEndpoint });
  const tenant = { domain: DOMAIN, passwordPrefix: 'p4ssw0rd', users: 9, publishers: ['pbx'], policy: {} };
  for (const item of seedItems({ ...tenant, policy: { minExpiresSeconds: 3 } }, TEST_VAULT)) await table.put(item);
  const trusted = { audience: 'lampfield', clockSkewSeconds: 0 };
  const issuers = [issuer, dead].map((each) => ({ ...trusted, issuer: each.issuer, jwksUri: each.jwksUri }));
  await table.put(tenantItem(DOMAIN, { minExpiresSeconds: 3 }, { signIn: { issuers } }));
  for (const user of ['1001', '1002', '1003', 'pbx']) {
    secrets.add(`p4ssw0rd-${user}`);
    for (const hash of Object.values(storedCredentials(user, DOMAIN, `p4ssw0rd-${user}`))) secrets.add(hash);
  }
}, 120_000);
afterAll(async () => {
  await stack.stop();
  await Promise.all([issuer.stop(), dead.stop()]);
  table.close();
  rmSync(data, { recursive: true, force: true });
});

async function tokenFor(sub: string, seconds = 600, from: TestIssuer = issuer, signer = key): Promise<string> {
  const facts = { issuer: from.issuer, audience: 'lampfield', expiresAtMs: Date.now() + seconds * 1_000 };
  const token = await signToken(signer, { ...facts, claims: { sub } });
  secrets.add(token).add(token.split('.')[2] ?? '');
  return token;
}
const bearer = (token: string): ClientOptions => ({ headers: { authorization: `Bearer ${token}` } });

type Options = Parameters<typeof SipClient.connect>[4];

/** @param whenFinished of the test's own context where tests run at the same time */
async function connect(user: string, url: string, options: Options = {}, whenFinished = onTestFinished) {
  const client = await SipClient.connect(url, user, DOMAIN, `p4ssw0rd-${user}`, options);
  whenFinished(() => client.close());
  return client;
}

/** Status and header fields of a handshake that is refused. */
function refusalOf(
  url: string,
  options: ClientOptions,
): Promise<{ status: number; header: (name: string) => unknown }> {
  const socket = new WebSocket(url, ['sip'], options);
  socket.on('error', () => undefined);
  return new Promise((resolve, reject) => {
    socket.once('open', () => reject(new Error('the handshake was not refused')));
    socket.once('unexpected-response', (_request, response) => {
      resolve({ status: response.statusCode ?? 0, header: (name) => response.headers[name] });
      response.destroy();
    });
  });
}

async function api(method: string, resource: string, body?: unknown) {
  const headers = { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' };
  const response = await fetch(`${stack.apiUrl}/tenants/${DOMAIN}${resource}`, {
    ...{ method, headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

/** What is read of a connection. */
interface Connection {
  readonly id: string;
  readonly user: string;
  readonly gateway: string;
  readonly signedInBy: string;
  readonly proof?: string;
  readonly registered: boolean;
}

const unasked = { authenticate: false } as const;
const registerOf = (client: SipClient, more: readonly string[] = []) =>
  client.request({
    ...{ method: 'REGISTER', uri: `sip:${DOMAIN}`, to: `<${client.aor}>`, ...unasked },
    headers: [`Contact: ${client.contact}`, 'Expires: 600', ...more],
  });

describe('a token at the handshake', () => {
  it.each([
    ['in Authorization', (token: string) => [`?domain=${DOMAIN}`, bearer(token)] as const],
    [
      'as a subprotocol',
      (token: string) => [`?domain=${DOMAIN}`, { protocols: [`lampfield.token.${token}`] }] as const,
    ],
    ['in the query', (token: string) => [`?domain=${DOMAIN}&access_token=${token}`, {}] as const],
  ])('%s signs the flow in: nothing is challenged any more', async (_what, place) => {
    const [query, options] = place(await tokenFor('1001'));
    const client = await connect('1001', stack.url() + query, options);
    expect((await registerOf(client)).status).toBe(200);
    const subscription = await client.subscribe('1002');
    expect(subscription.answer.status).toBe(200);
    const others = await client.request({
      method: 'REGISTER',
      uri: `sip:${DOMAIN}`,
      from: `<sip:1002@${DOMAIN}>`,
      ...unasked,
    });
    expect(others.status).toBe(403);
  });

  it('names the tenant itself when its user is a whole address', async () => {
    const client = await connect('1001', stack.url(), bearer(await tokenFor(`sip:1001@${DOMAIN}`)));
    expect((await registerOf(client)).status).toBe(200);
  });

  it('that is wrong is answered 401 before there is a connection', async () => {
    const over = await tokenFor('1001', -10);
    const forged = await tokenFor('1001', 600, issuer, { ...(await makeKey('first')) });
    for (const token of [over, forged, await tokenFor('9999'), await tokenFor('pbx'), 'abc']) {
      const refused = await refusalOf(`${stack.url()}?domain=${DOMAIN}`, bearer(token));
      expect([refused.status, refused.header('www-authenticate')]).toEqual([401, 'Bearer error="invalid_token"']);
    }
  });

  it('whose issuer is dead is answered 503, while others go on', async () => {
    const refused = await refusalOf(`${stack.url()}?domain=${DOMAIN}`, bearer(await tokenFor('1001', 600, dead)));
    expect([refused.status, refused.header('retry-after')]).toEqual([503, '5']);
    expect((await registerOf(await connect('1001', stack.url()))).status).toBe(401);
    await connect('1001', `${stack.url()}?domain=${DOMAIN}`, bearer(await tokenFor('1001')));
  });

  it('is good with a key that the issuer has only now', async () => {
    const next = await makeKey('next');
    issuer.keys = [key, next];
    const token = await tokenFor('1001', 600, issuer, next);
    await connect('1001', `${stack.url()}?domain=${DOMAIN}`, bearer(token));
  });
});

describe('a token in SIP (RFC 8898)', () => {
  it('is asked for beside digest, and taken', async () => {
    const client = await connect('1002', stack.url());
    const challenge = await registerOf(client);
    expect(challenge.headers('www-authenticate').at(-1)).toBe(
      `Bearer realm="${DOMAIN}", authz_server="${dead.issuer}"`,
    );
    const wrong = await registerOf(client, ['Authorization: Bearer abc']);
    expect(wrong.status).toBe(401);
    expect(wrong.headers('www-authenticate').at(-1)).toContain('error="invalid_token"');
    expect((await registerOf(client, [`Authorization: Bearer ${await tokenFor('1002')}`])).status).toBe(200);
    expect((await client.subscribe('1001')).answer.status).toBe(200);
  });

  it('goes with a MESSAGE of who is proven: 480, as without it, for nobody is there', async () => {
    const client = await connect('1002', `${stack.url()}?domain=${DOMAIN}`, bearer(await tokenFor('1002')));
    for (const more of [[], [`Authorization: Bearer ${await tokenFor('1002')}`]]) {
      const answer = await client.request({
        ...{ method: 'MESSAGE', uri: `sip:1009@${DOMAIN}`, to: `<sip:1009@${DOMAIN}>`, ...unasked },
        headers: ['Content-Type: text/plain', ...more],
        body: 'hello',
      });
      expect(answer.status).toBe(480);
    }
  });
});

// Each waits for the 32 s that a client has to prove itself again.
describe.concurrent('an identity that ends', () => {
  it('is challenged, and goes on with a new token: its subscription lives', async ({ expect, onTestFinished }) => {
    const options = bearer(await tokenFor('1003', 4));
    const client = await connect('1003', `${stack.url()}?domain=${DOMAIN}`, options, onTestFinished);
    const subscription = await client.subscribe('1001');
    await expect.poll(async () => (await registerOf(client)).status, { timeout: 15_000, interval: 500 }).toBe(401);
    const renewed = await registerOf(client, [`Authorization: Bearer ${await tokenFor('1003')}`]);
    expect(renewed.status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 33_000));
    expect(subscription.notifies().at(-1)?.header('subscription-state')).toMatch(/^active/);
    expect((await registerOf(client)).status).toBe(200);
  }, 90_000);

  it('takes its subscriptions with it, and its bindings', async ({ expect, onTestFinished }) => {
    const options = bearer(await tokenFor('1004', 4));
    const client = await connect('1004', `${stack.url(1)}?domain=${DOMAIN}`, options, onTestFinished);
    const subscription = await client.subscribe('1001');
    expect((await registerOf(client)).status).toBe(200);
    const last = await client.next(
      (message) => subscription.owns(message) && message.header('subscription-state').startsWith('terminated'),
      { timeoutMs: 60_000 },
    );
    expect(last.header('subscription-state')).toBe('terminated;reason=deactivated');
    const bindings = {
      keyCondition: 'PK = :pk AND begins_with(SK, :b)',
      values: { ':pk': `USER#${DOMAIN}#1004`, ':b': 'BINDING#' },
    };
    await expect.poll(() => table.query(bindings), { timeout: 10_000 }).toEqual([]);
  }, 90_000);
});

describe('what the HTTP API hands out', () => {
  it('a token signs in at the handshake and in REGISTER, until all are revoked', async () => {
    const made = await api('POST', '/tokens', { user: '1001', expiresSeconds: 600 });
    expect(made.status).toBe(201);
    const { token } = made.body as { token: string };
    secrets.add(token).add(token.split('.')[2] ?? '');
    const early = await connect('1001', stack.url(1), bearer(token));
    const client = await connect('1001', stack.url());
    expect((await registerOf(client, [`Authorization: Bearer ${token}`])).status).toBe(200);
    const byPassword = await connect('1001', stack.url());
    expect((await byPassword.register()).status).toBe(200);
    const connections = (await api('GET', '/connections')).body as { items: Connection[] };
    const own = connections.items.filter(({ user, proof }) => user === '1001' && proof === made.body.id);
    expect(own.map(({ signedInBy, registered }) => [signedInBy, registered]).toSorted()).toEqual([
      ['token', false],
      ['token', true],
    ]);
    expect(new Set(own.map(({ gateway }) => gateway)).size).toBe(2);
    expect((await api('DELETE', '/tokens')).status).toBe(204);
    const codes = () => [early.closeCode, client.closeCode, byPassword.closeCode];
    await expect.poll(codes, { timeout: 10_000 }).toEqual([4401, 4401, undefined]);
    const refused = async () => {
      const socket = new WebSocket(stack.url(), ['sip'], bearer(token));
      socket.on('error', () => undefined);
      const status = await new Promise<number>((resolve) => {
        socket.once('open', () => resolve(101));
        socket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
      });
      socket.terminate();
      return status;
    };
    await expect.poll(refused, { timeout: 10_000, interval: 500 }).toBe(401);
  });

  it('a shared secret makes credentials for any SIP client', async () => {
    const made = await api('PUT', '/shared-secrets/portal');
    const { secret } = made.body as { secret: string };
    const username = `${Math.floor(Date.now() / 1_000) + 600}:1005`;
    const password = createHmac('sha256', secret).update(username).digest('base64');
    secrets.add(secret).add(password);
    const client = await connect('1005', stack.url());
    const ask = async () => (await client.register(600, [], { user: username, password })).status;
    await expect.poll(ask, { timeout: 10_000, interval: 1_000 }).toBe(200);
    expect((await client.subscribe('1001')).answer.status).toBe(200);
  });
});

describe('what is taken back', () => {
  it('another password ends the connections of the old one, and an operator any', async () => {
    const [old, other] = [await connect('1007', stack.url()), await connect('1008', stack.url(1))];
    for (const client of [old, other]) expect((await client.register()).status).toBe(200);
    secrets.add('another passw0rd of 1007');
    const set = await api('PUT', '/users/1007/credentials', { password: 'another passw0rd of 1007' });
    expect(set.status).toBe(200);
    await expect.poll(() => old.closeCode, { timeout: 10_000 }).toBe(4401);
    const { items } = (await api('GET', '/connections')).body as { items: Connection[] };
    const found = items.find(({ user }) => user === '1008');
    expect(found).toMatchObject({ signedInBy: 'password', registered: true, address: '127.0.0.1' });
    expect((await api('DELETE', `/connections/${found?.id}`)).status).toBe(204);
    await expect.poll(() => other.closeCode, { timeout: 10_000 }).toBe(4403);
  });
});

describe('guessing a password', () => {
  it('must wait, while the user signs in from another address', async () => {
    const guesser = await SipClient.connect(stack.url(), '1006', DOMAIN, 'wrong-guess');
    onTestFinished(() => guesser.close());
    const statuses: number[] = [];
    let last = await guesser.register();
    for (let n = 1; n < FREE_FOR_USER + 10 && last.status === 401; n++) {
      statuses.push(last.status);
      last = await guesser.register();
    }
    expect(last.startLine).toBe('SIP/2.0 503 Too Many Failed Attempts');
    expect(Number(last.header('retry-after'))).toBeGreaterThan(0);
    expect(statuses.length).toBeGreaterThanOrEqual(FREE_FOR_USER);
    const elsewhere = await connect('1006', stack.url(1), { localAddress: '127.0.0.2' });
    expect((await elsewhere.register()).status).toBe(200);
  });
});

describe('the logs', () => {
  it('at debug have nothing that signs in', async () => {
    const pbx = await connect('pbx', stack.url());
    expect((await pbx.publish('1001', undefined, { ifMatch: 'none' })).status).toBe(412);
    expect((await api('PUT', '/users/1001/credentials', { password: 'a brand new passw0rd' })).status).toBe(200);
    secrets.add('a brand new passw0rd');
    const environment = readFileSync(`/proc/${stack.pids.functions}/environ`, 'utf8');
    for (const name of ['NONCE', 'INSTRUCTION'])
      secrets.add(new RegExp(`${name}_SECRET=([^\\0]+)`).exec(environment)?.[1] ?? '');
    const folder = path.join(data, 'logs');
    const logs = readdirSync(folder).map((name) => ({ name, text: readFileSync(path.join(folder, name), 'utf8') }));
    expect(logs.map(({ name }) => name)).toEqual(expect.arrayContaining(['functions.log', 'gateway-1.log', 'api.log']));
    expect(logs.reduce((length, { text }) => length + text.length, 0)).toBeGreaterThan(10_000);
    expect(secrets.size).toBeGreaterThan(30);
    for (const { name, text } of [...logs, { name: 'terminal', text: stack.output() }]) {
      const found = [...secrets].filter((secret) => secret !== '' && text.includes(secret));
      expect({ name, found }).toEqual({ name, found: [] });
      expect(text).not.toMatch(/Digest username=|Bearer ey|access_token=/);
    }
  });
});

describe('a tenant that is removed', () => {
  it('loses its connections, and leaves no item behind', async () => {
    const [first, second] = [await connect('1003', stack.url()), await connect('1002', stack.url(1))];
    for (const client of [first, second]) expect((await client.register()).status).toBe(200);
    expect((await itemsOf(DOMAIN)).length).toBeGreaterThan(10);
    const others = (await itemsOf('demo.example')).length;
    expect((await api('DELETE', '')).status).toBe(202);
    const codes = () => [first.closeCode, second.closeCode];
    await expect.poll(codes, { timeout: 15_000 }).toEqual([1008, 1008]);
    await expect.poll(async () => (await api('GET', '')).status, { timeout: 60_000, interval: 1_000 }).toBe(404);
    expect(await itemsOf(DOMAIN)).toEqual([]);
    expect((await itemsOf('demo.example')).length).toBeGreaterThanOrEqual(others);
    expect((await (await connect('1003', stack.url())).register()).status).toBe(401);
  }, 90_000);
});

/** Keys of everything in the table that is of the tenant. */
async function itemsOf(domain: string): Promise<string[]> {
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = new DynamoDBClient({ region: 'local', endpoint: stack.dynamoDbEndpoint, credentials });
  const found: string[] = [];
  for await (const page of paginateScan({ client }, { TableName: 'lampfield', ConsistentRead: true }))
    for (const { PK, SK } of page.Items ?? []) found.push(`${PK?.S} ${SK?.S}`);
  client.destroy();
  return found.filter((key) => key.split(/[# ]/).includes(domain));
}
