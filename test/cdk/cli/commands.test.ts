/** The command line against a whole local stack that begins with an empty table. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { CliHome, type CliOptions, type CliResult } from '#test/support/lampfield-cli.ts';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { freePort } from '#test/support/ports.ts';
import { SipClient } from '#test/support/sip-client.ts';
import { isGoodSignature, startReceiver } from '#test/support/webhook-receiver.ts';

const ADMIN_KEY = 'the-admin-key-of-this-test';
const TENANT = 'acme.example';
const PEOPLE = 200;
let stack: LocalStack;
let home: CliHome;

beforeAll(async () => {
  stack = await startStack({ env: { ADMIN_KEY, LOCAL_TENANTS: '0' } });
  home = new CliHome();
  const login = ['login', '--url', stack.apiUrl, '--gateway', stack.url()];
  expect(await home.run(login, { input: `${ADMIN_KEY}\n` })).toMatchObject({ code: 0 });
  await done('tenant', 'create', TENANT, '--set', 'policy.minExpiresSeconds=3');
});
afterAll(async () => {
  home?.close();
  await stack?.stop();
});

const run = (args: readonly string[], options?: CliOptions) => home.run(args, options);
const start = (args: readonly string[], options?: CliOptions) => home.start(args, options);
/** Runs a command that must succeed. @returns what it wrote */
async function done(...args: string[]): Promise<string> {
  const result: CliResult = await run(args);
  expect(result, `${args.join(' ')}: ${result.err}`).toMatchObject({ code: 0 });
  return result.out.trim();
}
const json = async (...args: string[]) => JSON.parse(await done(...args, '--json'));
const modeOf = (file: string): string => (statSync(file).mode & 0o777).toString(8);
const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { timeout: 20_000, interval: 100 });

async function ingest(key: string, user: string, state: string, sequence: number): Promise<number> {
  const url = `${stack.apiUrl}/tenants/${TENANT}/presentities/${user}/dialogs/line-1`;
  const remote = { uri: 'sip:+49891234@pstn.example' };
  const body = JSON.stringify({ state, direction: 'recipient', remote, sequence, leaseSeconds: 600 });
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'PUT', headers, body });
  await response.body?.cancel();
  return response.status;
}

describe('login and profiles', () => {
  it('keeps the key in a file for its owner alone, and shows it nowhere', async () => {
    const file = home.file('config/lampfield/config.json');
    expect(modeOf(file)).toBe('600');
    expect(readFileSync(file, 'utf8')).toContain(ADMIN_KEY);
    for (const args of [
      ['profile', 'list'],
      ['profile', 'show'],
      ['profile', 'list', '--json'],
    ]) {
      const { code, out, err } = await run(args);
      expect(code).toBe(0);
      expect(out).toContain(stack.apiUrl);
      expect(out + err).not.toContain(ADMIN_KEY);
    }
  });

  it('does not keep a key that is refused', async () => {
    const { code, err } = await run(['login', '--profile', 'other', '--url', stack.apiUrl], { input: 'wrong-key\n' });
    expect(code).toBe(1);
    expect(err).toMatch(/refused \(401\).*\n.*lampfield login/);
    expect((await json('profile', 'list')).items).toHaveLength(1);
  });

  it('takes a key at the terminal without showing it', async () => {
    const typing = start(['login', '--profile', 'typed', '--url', stack.apiUrl], { terminal: true });
    await eventually(() => expect(typing.out()).toContain('Key: '));
    typing.child.stdin?.write(`${ADMIN_KEY}\r`);
    const { code, out } = await typing.ended;
    expect(out).toContain('Logged in to');
    expect(out).not.toContain(ADMIN_KEY);
    expect(code).toBe(0);
    await done('profile', 'use', 'default');
    await done('profile', 'remove', 'typed');
  });

  it('sends the key of a profile to no other address', async () => {
    const { code, err } = await run(['tenant', 'list', '--url', 'http://127.0.0.1:9/v1']);
    expect(code).toBe(2);
    expect(err).toContain('the profile default is for');
  });
});

describe('what a command says when it fails', () => {
  it.each([
    [['nonsense'], 2, "unknown command 'nonsense'"],
    [['tenant', 'lst'], 2, 'Did you mean list?'],
    [['key', 'create', 'x', '--permission', 'all'], 2, 'Allowed choices are admin, ingest, read'],
    [['token', 'create', '1001', '--expires', 'soon'], 2, 'Write it as 90s'],
    [['tenant', 'show', 'nobody.example'], 1, 'There is no tenant nobody.example'],
    [['tenant', 'list', '--profile', 'nobody'], 2, 'There are default.'],
  ])('%j ends with %i', async (args, code, words) => {
    const result = await run(args);
    expect(result).toMatchObject({ code, out: '' });
    expect(result.err).toContain(words);
    expect(result.err).not.toMatch(/^\s+at /m);
  });

  it('says that nobody is there, in words and in JSON', async () => {
    const host = `127.0.0.1:${await freePort()}`;
    const env = { LAMPFIELD_URL: `http://${host}`, LAMPFIELD_KEY: 'x' };
    const { code, err } = await run(['tenant', 'list'], { env });
    expect([code, err]).toEqual([3, expect.stringContaining(`cannot reach ${host}: nothing listens there`)]);
    const inJson = await run(['tenant', 'list', '--json'], { env });
    expect(JSON.parse(inJson.err)).toMatchObject({ error: { exitCode: 3, advice: expect.any(String) } });
  });

  it('points to each member that is wrong', async () => {
    const { code, err } = await run(['tenant', 'update', TENANT, '--set', 'policy.minExpiresSeconds=soon']);
    expect(code).toBe(1);
    expect(err).toContain('/policy/minExpiresSeconds: ');
  });
});

describe('tenants and users', () => {
  it('creates a tenant once, and changes only what is named', async () => {
    expect(await run(['tenant', 'create', TENANT])).toMatchObject({
      code: 1,
      err: expect.stringContaining(`there is a tenant ${TENANT} already`),
    });
    await done('tenant', 'update', TENANT, '--display-name', 'Acme Ltd');
    expect(await json('tenant', 'show', TENANT)).toEqual({
      ...{ domain: TENANT, displayName: 'Acme Ltd', policy: { minExpiresSeconds: 3 } },
    });
    expect(await done('tenant', 'list')).toMatch(/^TENANT +NAME +STATE\nacme\.example +Acme Ltd/);
  });

  it('adds a user whose password is shown once, and which signs in', async () => {
    const { password, ...about } = await json('user', 'add', 'ada', '--display-name', 'Ada', '--groups', 'sales,board');
    expect(about).toEqual({ user: 'ada', role: 'user', displayName: 'Ada', groups: ['sales', 'board'] });
    const ada = await SipClient.connect(stack.url(), 'ada', TENANT, password);
    expect((await ada.register()).status).toBe(200);
    expect(await json('user', 'add', 'ada', '--display-name', 'Countess')).toEqual({
      ...about,
      displayName: 'Countess',
    });
    expect(await done('user', 'show', `ada@${TENANT}`)).not.toContain(password);
  });

  it('sets a password from standard input, and deletes after a word', async () => {
    await done('user', 'add', 'bob', '--no-password');
    const { code } = await run(['user', 'password', 'bob', '--password-stdin'], { input: 'long-enough-for-bob\n' });
    expect(code).toBe(0);
    const bob = await SipClient.connect(stack.url(), 'bob', TENANT, 'long-enough-for-bob');
    expect((await bob.register()).status).toBe(200);
    expect(await run(['user', 'delete', 'bob'])).toMatchObject({ code: 2, err: expect.stringContaining('Add --yes') });
    await done('user', 'delete', 'bob', '--yes');
    expect(await run(['user', 'show', 'bob'])).toMatchObject({ code: 1 });
  });

  it('keeps lists and publishers', async () => {
    await done('list', 'create', 'team', 'ada', 'sip:bob@acme.example');
    expect(await json('list', 'show', 'team')).toEqual({
      name: 'team',
      members: [{ uri: 'sip:ada@acme.example' }, { uri: 'sip:bob@acme.example' }],
    });
    await done('list', 'delete', 'team', '--yes');
    expect((await json('list', 'list')).items).toEqual([]);
    await done('publisher', 'add', 'pbx');
    expect((await json('publisher', 'list')).items).toEqual([{ user: 'pbx', role: 'publisher' }]);
  });
});

describe('import', () => {
  const csv = (): string => home.file('people.csv');
  const passwords = (): string => home.file('passwords.csv');

  it('goes on where it was stopped, shows how far it is, and loses no password', async () => {
    const lines = Array.from({ length: PEOPLE }, (_, n) => `${1001 + n},"Person, ${n}",sales;floor ${n % 3}`);
    writeFileSync(csv(), ['user,displayName,groups', ...lines, ''].join('\n'));
    const args = ['user', 'import', csv(), '--passwords-out', passwords()];
    const stopped = start([...args, '--concurrency', '2'], { terminal: true });
    await eventually(() => expect(stopped.out()).toMatch(/█░.* [1-9]\d* of 200.* left/));
    stopped.child.stdin?.write('\u0003');
    const { code, out } = await stopped.ended;
    expect(out).toMatch(/\d+ created, 0 changed, 0 as they were, \d+ not tried/);
    expect([code, out]).toEqual([1, expect.stringContaining('The same command goes on.')]);

    const first = Number(/(\d+) created/.exec(out)?.[1]);
    const { ms, ...rest } = await run([...args, '--json']);
    expect(rest.code, rest.err).toBe(0);
    expect(JSON.parse(rest.out)).toEqual({
      created: PEOPLE - first,
      updated: 0,
      unchanged: first,
      left: 0,
      failures: [],
    });
    console.info(`import of ${PEOPLE - first} users, ${first} there already: ${(ms / 1_000).toFixed(1)} s`);
    expect(
      (await json('user', 'list')).items.filter(({ user }: { user: string }) => /^1\d{3}$/.test(user)),
    ).toHaveLength(PEOPLE);
  });

  it('keeps generated passwords for the owner alone; they are good', async () => {
    expect(modeOf(passwords())).toBe('600');
    const [titles, ...lines] = readFileSync(passwords(), 'utf8').trim().split('\n');
    expect(titles).toBe('user,tenant,password');
    expect(new Set(lines.map((line) => line.split(',')[0])).size).toBe(PEOPLE);
    const [user = '', , password = ''] = lines.at(-1)?.split(',') ?? [];
    const someone = await SipClient.connect(stack.url(), user, TENANT, password);
    expect((await someone.register()).status).toBe(200);
  });

  it('changes nothing when it is repeated', async () => {
    const before = readFileSync(passwords(), 'utf8');
    const report = await json('user', 'import', csv(), '--passwords-out', passwords());
    expect(report).toMatchObject({ created: 0, updated: 0, unchanged: PEOPLE });
    expect(readFileSync(passwords(), 'utf8')).toBe(before);
  });

  it('reports each line that fails, and imports the others', async () => {
    const text = 'user,displayName,password\n2001,Ok,\n2002,Weak,short\n,Nobody,\n1001,Other name,\n';
    const { code, out, err } = await run(['user', 'import', '-'], { input: text });
    expect(code).toBe(1);
    expect(out).toMatch(
      /^1 created, 1 changed, 0 as they were\.\n {2}line 3 \(2002\): .*password.*\n {2}line 4: has no user\n$/,
    );
    expect(err).toContain('2 lines could not be imported');
    expect(await json('user', 'show', '1001')).toMatchObject({
      displayName: 'Other name',
      groups: ['sales', 'floor 0'],
    });
  });

  it('stops at once when the tenant is not there', async () => {
    const { code, err } = await run(['user', 'import', csv(), '--tenant', 'nobody.example']);
    expect([code, err]).toEqual([1, expect.stringContaining('There is no tenant nobody.example')]);
  });
});

describe('keys', () => {
  it('gives a key that may do its part and no more, until it is revoked', async () => {
    const made = await run(['key', 'create', 'pbx', '--permission', 'ingest', '--expires', '1d']);
    const key = made.out.trim();
    expect(key).toMatch(/^lf_[0-9a-f]{12}_[\w-]{43}$/);
    const env = { LAMPFIELD_KEY: key };
    expect(await ingest(key, '1001', 'early', 1)).toBe(200);
    expect(await run(['user', 'list'], { env })).toMatchObject({ code: 1, err: expect.stringContaining('(403)') });
    const id = key.slice(0, 15);
    expect((await json('key', 'list')).items).toEqual([
      expect.objectContaining({ prefix: id, name: 'pbx', permission: 'ingest', expiresAt: expect.any(String) }),
    ]);
    const rotated = (await run(['key', 'rotate', id])).out.trim();
    expect(rotated).not.toBe(key);
    await eventually(async () => expect(await ingest(key, '1001', 'early', 2)).toBe(401));
    expect(await ingest(rotated, '1001', 'early', 3)).toBe(200);
    await done('key', 'revoke', id, '--yes');
    await eventually(async () => expect(await ingest(rotated, '1001', 'early', 4)).toBe(401));
    expect((await json('key', 'list')).items).toEqual([]);
  });

  it("sees one tenant with that tenant's key, without being told which", async () => {
    const key = (await run(['key', 'create', 'reader', '--permission', 'read'])).out.trim();
    await done('tenant', 'create', 'second.example');
    const env = { LAMPFIELD_KEY: key };
    expect((await run(['user', 'show', 'ada'], { env })).out).toContain('Countess');
    expect(await run(['tenant', 'show', 'second.example'], { env })).toMatchObject({ code: 1 });
    expect(await run(['user', 'list'])).toMatchObject({ code: 2, err: expect.stringContaining('which tenant?') });
    await done('profile', 'tenant', TENANT);
    await done('user', 'list');
  });
});

describe('how people sign in', () => {
  const codeOf = async (client: SipClient): Promise<number | undefined> => client.closeCode;

  it('shows who is connected and how, ends a connection, and revokes a token with what it has opened', async () => {
    const made = await json('token', 'create', 'ada', '--expires', '1h');
    const options = { headers: { authorization: `Bearer ${made.token}` } };
    const [first, second] = [
      await SipClient.connect(stack.url(), 'ada', TENANT, '', options),
      await SipClient.connect(stack.url(), 'ada', TENANT, '', options),
    ];
    const own = async () => {
      const { items } = await json('connections', '--user', 'ada');
      return items.filter(({ proof }: { proof?: string }) => proof === made.id);
    };
    const [connection, ...others] = await own();
    expect(others).toHaveLength(1);
    expect(connection).toMatchObject({ user: 'ada', signedInBy: 'token', address: '127.0.0.1', transport: 'WS' });
    expect(await done('connections')).toMatch(/^USER +WITH +FROM +SINCE .*\n(.*\n)*ada +\S+ +127\.0\.0\.1 WS/);
    expect(await done('connections', 'end', connection.id, '--yes')).toBe(`Closed ${connection.id}.`);
    await eventually(async () => expect(await own()).toHaveLength(1));
    expect(await run(['token', 'revoke', '--yes'])).toMatchObject({ code: 2, err: expect.stringContaining('which') });
    await done('token', 'revoke', made.id, '--yes');
    const codes = async () => [await codeOf(first), await codeOf(second)].toSorted();
    await eventually(async () => expect(await codes()).toEqual([4401, 4403]));
    await done('token', 'revoke', '--user', 'ada', '--yes');
    await done('token', 'revoke', '--all', '--yes');
  });

  it('keeps shared secrets and issuers', async () => {
    expect(await done('secret', 'set', 'portal')).toMatch(/^[\w-]{43}$/);
    const given = { input: 'a-secret-of-32-characters-or-more\n' };
    expect(await run(['secret', 'set', 'portal', '--secret-stdin'], given)).toMatchObject({
      ...{ code: 0, out: 'Set the secret portal.\n' },
    });
    expect((await json('secret', 'list')).items).toEqual([{ id: 'portal', createdAt: expect.any(String) }]);
    await done('secret', 'delete', 'portal', '--yes');
    expect(await done('secret', 'list')).toContain('No shared secret yet');

    const issuer = 'https://login.acme.example/';
    const options = ['--audience', 'blf', '--jwks-uri', `${issuer}keys`, '--clock-skew', '30s'];
    await done('issuer', 'set', issuer, ...options, '--algorithms', 'ES256,EdDSA');
    await done('issuer', 'set', issuer, ...options, '--user-claim', 'ext');
    expect((await json('issuer', 'list')).items).toEqual([
      { issuer, audience: 'blf', jwksUri: `${issuer}keys`, clockSkewSeconds: 30, userClaim: 'ext' },
    ]);
    expect(await json('tenant', 'show', TENANT)).toMatchObject({ policy: { minExpiresSeconds: 3 } });
    expect(await run(['issuer', 'set', issuer, '--audience', 'blf'])).toMatchObject({ code: 2 });
    await done('issuer', 'remove', issuer, '--yes');
    expect(await run(['issuer', 'remove', issuer, '--yes'])).toMatchObject({ code: 1 });
  });

  it('sets a trunk, changes some of it, and removes it', async () => {
    const set = ['--set', 'transport=TLS', '--set', 'host=sip.provider.example', '--set', 'addresses=["192.0.2.7"]'];
    const account = ['--set', 'account.username=acme', '--password-stdin'];
    expect(await run(['trunk', 'set', ...set, ...account], { input: 'a-passw0rd-there\n' })).toMatchObject({ code: 0 });
    await done('trunk', 'set', '--set', 'port=5061');
    expect(await json('trunk', 'show')).toEqual({
      ...{ transport: 'TLS', host: 'sip.provider.example', port: 5061, addresses: ['192.0.2.7'], callerId: {} },
      account: { username: 'acme', realm: 'sip.provider.example' },
    });
    await done('trunk', 'delete', '--yes');
    expect(await run(['trunk', 'show'])).toMatchObject({ code: 1 });
  });
});

describe('lamps', () => {
  let key: string;
  beforeAll(async () => {
    key = (await run(['key', 'create', 'lamps', '--permission', 'ingest'])).out.trim();
  });

  it('shows changes as lines of JSON, and goes on when the API was away', async () => {
    const watching = start(['watch', '1005', '--json']);
    const told = () =>
      watching
        .out()
        .split('\n')
        .flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
    await ingest(key, '1005', 'early', 10);
    await eventually(() => expect(told()).toEqual([expect.objectContaining({ user: '1005', to: 'ringing' })]));
    const again = stack.restarted('api');
    stack.kill('api');
    await again;
    await eventually(async () => expect(await ingest(key, '1005', 'confirmed', 11)).toBe(200));
    await eventually(() =>
      expect(told().at(-1)).toMatchObject({ from: 'ringing', to: 'busy', remote: 'sip:+49891234@pstn.example' }),
    );
    watching.child.kill('SIGINT');
    expect(await watching.ended).toMatchObject({ code: 0, err: expect.stringContaining('trying again') });
  });

  it('streams what a user may see', async () => {
    const watching = start(['watch', '1007', '1008', '--as', 'ada', '--json']);
    const told = () =>
      watching
        .out()
        .split('\n')
        .flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
    const lamps = () => Object.fromEntries(told().map(({ user, to }) => [user, to]));
    await eventually(() => expect(lamps()).toEqual({ 1007: 'idle', 1008: 'idle' }));
    watching.child.kill('SIGINT');
    expect(await watching.ended).toMatchObject({ code: 0 });
  });

  it('draws a board on a terminal, leaves it as it was, and has no colours when none are wanted', async () => {
    const board = start(['watch'], { terminal: true });
    await eventually(() => expect(board.out()).toContain('■ 1005 busy'));
    expect(board.out()).toContain('\u001b[31m');
    board.child.stdin?.write('q');
    const { code, out } = await board.ended;
    expect(code).toBe(0);
    expect(out.endsWith('\u001b[?25h\u001b[?1049l')).toBe(true);
    const plain = start(['watch'], { terminal: true, env: { NO_COLOR: '1' } });
    await eventually(() => expect(plain.out()).toContain('■ 1005 busy'));
    plain.child.stdin?.write('q');
    expect((await plain.ended).out).not.toContain('\u001b[31m');
  });

  it('says why a lamp is red, with source, publisher, entity-tag and each NOTIFY', async () => {
    const { password } = await json('user', 'add', 'watcher');
    const watcher = await SipClient.connect(stack.url(), 'watcher', TENANT, password);
    const { answer } = await watcher.subscribe('1006');
    expect(answer.status).toBe(200);
    await ingest(key, '1006', 'confirmed', 12);
    await watcher.next(({ method, body }) => method === 'NOTIFY' && body.includes('confirmed'), {
      since: 0,
      timeoutMs: 20_000,
    });
    await eventually(async () => expect(await done('why', '1006')).toMatch(/(unknown|idle) → busy/));
    const text = await done('why', '1006');
    expect(text).toMatch(/^1006 is busy, last changed/);
    expect(text).toMatch(/told by HTTP, by source:api, event dialog, publication \S+, entity-tag \S+/);
    expect(text).toMatch(/sip:watcher@acme\.example watches \(dialog\)/);
    expect(text).toMatch(/NOTIFY, CSeq \d+, document version 1, version \d+: answered 200 after \d+ ms/);
    const { subscriptions } = await json('why', '1006');
    const cseqs = watcher.received
      .filter(({ method }) => method === 'NOTIFY')
      .map((each) => Number.parseInt(each.header('cseq'), 10));
    expect(subscriptions[0].notifies.map(({ cseq }: { cseq: number }) => cseq)).toEqual(cseqs.toReversed());
  });

  it('resets a lamp that is stuck', async () => {
    expect(await done('reset', '1006', '--yes')).toBe('Took back 1 publication of 1006@acme.example.');
    await eventually(async () =>
      expect((await json('watch', '1006', '--once')).items[0]).toMatchObject({ lamp: 'idle' }),
    );
    await eventually(async () => expect(await done('why', '1006')).toMatch(/busy → idle\n {4}reset, .*with key admin/));
  });

  it('has no calls to show, and an audit trail of all this', async () => {
    expect(await done('calls')).toBe('Nobody is in a call.');
    expect(await run(['calls', 'end', 'no-such-call', '--yes'])).toMatchObject({ code: 1 });
    const { items } = await json('audit', '--limit', '300', '--since', '1h');
    expect(items.map(({ action }: { action: string }) => action)).toEqual(
      expect.arrayContaining(['reset', 'create', 'update']),
    );
    expect(await done('audit', '--limit', '1')).toMatch(/^WHEN +KEY +DID +TO\n.*\/v1\/tenants\/acme\.example\//);
  });
});

describe('limits', () => {
  it('shows what a tenant uses', async () => {
    const { items } = await json('limits');
    expect(items).toEqual(
      expect.arrayContaining([expect.objectContaining({ name: 'users', use: expect.any(Number) })]),
    );
    expect(await done('limits')).toMatch(/^LIMIT +USE +OF .*\n(.*\n)*users +\d+ +\d+ +[█░]{20} \d+ %/);
  });
});

describe('in a shell', () => {
  it('completes commands, options and choices', async () => {
    expect(await done('complete', 'bash')).toContain('lampfield');
    expect(await done('complete', '--', 'user', 'im')).toMatch(/^import\t.*\n:4$/);
    expect(await done('complete', '--', 'key', 'create', '--permission', '')).toMatch(
      /^admin\t\ningest\t\nread\t\n:4$/,
    );
    expect(await done('complete', '--', 'user', 'import', '--pass')).toMatch(/^--passwords-out\t/);
  });

  it('ends quietly when its reader has seen enough', async () => {
    const running = start(['user', 'list']);
    running.child.stdout?.destroy();
    expect(await running.ended).toMatchObject({ code: 0, err: '' });
  });
});

describe('webhook', () => {
  it('is made with a secret, tested, rotated, switched off and on, and removed', async () => {
    const receiver = await startReceiver();
    onTestFinished(() => receiver.stop());
    expect(await done('webhook', 'list')).toBe('No webhook yet: lampfield webhook add <url>.');
    const made = await json('webhook', 'add', receiver.url, '--event', 'lamp', '--event', 'presence', '--user', '1001');
    expect(made).toMatchObject({
      events: ['lamp', 'presence'],
      users: ['1001'],
      secret: expect.stringMatching(/^whsec_/),
    });
    const { id } = made;
    expect(await done('webhook', 'test', id)).toBe('The test was delivered.');
    const [got] = receiver.received;
    expect(isGoodSignature(made.secret, got?.headers ?? {}, got?.text ?? '', Date.now())).toBe(true);
    receiver.answer = 500;
    expect(await run(['webhook', 'test', id])).toMatchObject({
      ...{ code: 1, err: expect.stringContaining('The test was not taken: answered 500.') },
    });
    const secret = await done('webhook', 'rotate', id, '--grace', '1h');
    expect(secret).toMatch(/^whsec_/);
    expect(await done('webhook', 'show', id)).toMatch(/old secret ends +in (?:1 h|59 min)/);
    expect(await done('webhook', 'disable', id)).toBe(`${id} is switched off.`);
    expect(await done('webhook', 'list')).toMatch(/disabled/);
    expect(await done('webhook', 'enable', id)).toBe(`${id} is switched on.`);
    expect(await run(['webhook', 'add', 'http://10.0.0.1/'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('/url'),
    });
    expect(await done('webhook', 'remove', id, '--yes')).toBe(`Removed the webhook ${id}.`);
    expect((await run(['webhook', 'show', id])).code).toBe(1);
  });
});
