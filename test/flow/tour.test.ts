/** The tour of the README, from an empty table to an empty table: once by the HTTP API, once by the command line. */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { launchBrowser, openPanel, type Panel } from '#test/e2e/browser.ts';
import { CliHome } from '#test/support/lampfield-cli.ts';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';

const ADMIN_KEY = 'the-admin-key-of-the-tour';
const PEOPLE = 200;
const FIRST = 1001;
const AT_ONCE = 8;
let stack: LocalStack;
let browser: Browser;
let home: CliHome;

beforeAll(async () => {
  [stack, browser] = await Promise.all([startStack({ env: { ADMIN_KEY, LOCAL_TENANTS: '0' } }), launchBrowser()]);
  home = new CliHome();
});
afterAll(async () => {
  home?.close();
  await browser?.close();
  await stack?.stop();
});

/** What is read of the history of a lamp. */
interface History {
  readonly presentity: { readonly lamp: string };
  readonly items: readonly {
    from: string;
    to: string;
    sources: readonly { cause: string; publisher?: string; entityTag?: string }[];
  }[];
  readonly subscriptions: readonly {
    watcher: string;
    notifies: readonly { cseq: number; presentityVersion: number; answer?: number }[];
  }[];
}

/** One way to run a provider's business. */
interface Way {
  tenants(): Promise<string[]>;
  createTenant(tenant: string): Promise<void>;
  importPeople(tenant: string): Promise<void>;
  people(tenant: string): Promise<string[]>;
  token(tenant: string, user: string): Promise<string>;
  key(tenant: string): Promise<string>;
  why(tenant: string, user: string): Promise<History>;
  revoke(tenant: string, key: string): Promise<void>;
  exportLines(tenant: string): Promise<string[]>;
  deleteTenant(tenant: string): Promise<void>;
}

const names = Array.from({ length: PEOPLE }, (_, n) => String(FIRST + n));
const eventually = <T>(check: () => T | Promise<T>, timeout = 30_000) => vi.waitFor(check, { timeout, interval: 200 });
/** Everything of 200 people goes in the background. */
const DELETION_MS = 120_000;

/** A deployment that is busy says when to come again. */
async function ask(method: string, where: string, body?: object, key = ADMIN_KEY) {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const send = () => fetch(`${stack.apiUrl}${where}`, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  let response = await send();
  while (response.status === 503) {
    await response.body?.cancel();
    await sleep(Number(response.headers.get('retry-after') ?? 1) * 1_000);
    response = await send();
  }
  const text = await response.text();
  const isJson = /json\b/.test(response.headers.get('content-type') ?? '');
  return { status: response.status, body: isJson ? JSON.parse(text) : text };
}

/** A request that must succeed. */
async function api(method: string, where: string, body?: object) {
  const answer = await ask(method, where, body);
  expect(answer.status, `${method} ${where}: ${JSON.stringify(answer.body)}`).toBeLessThan(300);
  return answer.body;
}

const byApi: Way = {
  tenants: async () => (await api('GET', '/tenants')).items.map(({ domain }: { domain: string }) => domain),
  createTenant: (tenant) => api('PUT', `/tenants/${tenant}`, { policy: { minExpiresSeconds: 3 } }),
  async importPeople(tenant) {
    const queue = names.values();
    const work = async (): Promise<void> => {
      for (const user of queue) await api('PUT', `/tenants/${tenant}/users/${user}`, { displayName: `Person ${user}` });
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  },
  people: async (tenant) =>
    (await api('GET', `/tenants/${tenant}/users?limit=200`)).items.map(({ user }: { user: string }) => user),
  token: async (tenant, user) =>
    (await api('POST', `/tenants/${tenant}/tokens`, { user, expiresSeconds: 28_800 })).token,
  key: async (tenant) => (await api('POST', `/tenants/${tenant}/keys`, { name: 'pbx', permission: 'ingest' })).key,
  why: (tenant, user) => api('GET', `/tenants/${tenant}/presentities/${user}/history`),
  revoke: (tenant, key) => api('DELETE', `/tenants/${tenant}/keys/${key.slice(3, 15)}`),
  exportLines: async (tenant) => (await api('GET', `/tenants/${tenant}/export?limit=200`)).trim().split('\n'),
  async deleteTenant(tenant) {
    await api('DELETE', `/tenants/${tenant}`);
    await eventually(async () => expect((await ask('GET', `/tenants/${tenant}`)).status).toBe(404), DELETION_MS);
  },
};

/** @returns what the command wrote */
async function lampfield(...args: string[]): Promise<string> {
  const env = { LAMPFIELD_URL: stack.apiUrl, LAMPFIELD_KEY: ADMIN_KEY };
  const { code, out, err } = await home.run(args, { env });
  expect(code, `${args.join(' ')}: ${err}`).toBe(0);
  return out.trim();
}

const byCli: Way = {
  tenants: async () =>
    JSON.parse(await lampfield('tenant', 'list', '--json')).items.map(({ domain }: { domain: string }) => domain),
  createTenant: async (tenant) =>
    void (await lampfield('tenant', 'create', tenant, '--set', 'policy.minExpiresSeconds=3')),
  async importPeople(tenant) {
    const file = home.file('people.csv');
    writeFileSync(file, ['user,displayName', ...names.map((user) => `${user},Person ${user}`), ''].join('\n'));
    const passwords = home.file('passwords.csv');
    expect(await lampfield('user', 'import', file, '--tenant', tenant, '--passwords-out', passwords)).toContain(
      '200 created',
    );
    expect(readFileSync(passwords, 'utf8').trim().split('\n')).toHaveLength(PEOPLE + 1);
  },
  people: async (tenant) =>
    JSON.parse(await lampfield('user', 'list', '--tenant', tenant, '--json')).items.map(
      ({ user }: { user: string }) => user,
    ),
  token: (tenant, user) => lampfield('token', 'create', `${user}@${tenant}`, '--expires', '8h'),
  key: (tenant) => lampfield('key', 'create', 'pbx', '--permission', 'ingest', '--tenant', tenant),
  why: async (tenant, user) => {
    expect(await lampfield('why', `${user}@${tenant}`)).toMatch(/told by HTTP, by source:api, .*entity-tag/);
    return JSON.parse(await lampfield('why', `${user}@${tenant}`, '--json'));
  },
  revoke: async (tenant, key) => void (await lampfield('key', 'revoke', key.slice(0, 15), '--tenant', tenant, '--yes')),
  exportLines: async (tenant) => (await lampfield('export', tenant)).split('\n'),
  deleteTenant: async (tenant) => void (await lampfield('tenant', 'delete', tenant, '--yes', '--wait')),
};

it('begins with an empty table', async () => {
  expect(await byApi.tenants()).toEqual([]);
});

describe.each([
  ['the HTTP API', 'api.example', byApi],
  ['the command line', 'cli.example', byCli],
] as const)('the tour by %s', (_name, tenant, way) => {
  let key: string;
  let panel: Panel;
  let sequence = 0;
  const ingest = async (user: string, state: string): Promise<number> => {
    const said = { state, direction: 'recipient', remote: { uri: 'sip:+4989123@pstn.example' } };
    const where = `/tenants/${tenant}/presentities/${user}/dialogs/line-1`;
    return (await ask('PUT', where, { ...said, sequence: ++sequence, leaseSeconds: 300 }, key)).status;
  };

  it('creates a tenant and imports its people', async () => {
    expect(await way.tenants()).not.toContain(tenant);
    await way.createTenant(tenant);
    const startMs = performance.now();
    await way.importPeople(tenant);
    console.info(`${PEOPLE} people: ${((performance.now() - startMs) / 1_000).toFixed(1)} s`);
    expect(await way.people(tenant)).toEqual(names);
  });

  it('hands out a token that signs a browser in', async () => {
    const token = await way.token(tenant, '1001');
    panel = await openPanel(browser, `${stack.httpUrl()}#access_token=${token}&user=1001&domain=${tenant}`);
    await panel.lamp('1002', 'idle', 30_000);
    expect(await panel.page.locator('#account-name').innerText()).toBe(`1001@${tenant}`);
  });

  it('drives lamps by what a PBX says over HTTP', async () => {
    key = await way.key(tenant);
    expect(await ingest('1002', 'early')).toBe(200);
    await panel.lamp('1002', 'ringing', 20_000);
    expect(await ingest('1002', 'confirmed')).toBe(200);
    await panel.lamp('1002', 'busy', 20_000);
  });

  it('says why the lamp is red, and who was told', async () => {
    const { presentity, items, subscriptions } = await eventually(async () => {
      const history = await way.why(tenant, '1002');
      expect(history.items[0]).toMatchObject({ from: 'ringing', to: 'busy' });
      expect(history.subscriptions[0]?.notifies[0]).toMatchObject({ answer: 200 });
      return history;
    });
    expect(presentity.lamp).toBe('busy');
    expect(items[0]?.sources).toEqual([
      expect.objectContaining({ cause: 'source', publisher: 'source:api', entityTag: expect.any(String) }),
    ]);
    expect(subscriptions).toEqual([expect.objectContaining({ watcher: `sip:1001@${tenant}` })]);
    const cseqs = subscriptions[0]?.notifies.map(({ cseq }) => cseq) ?? [];
    expect(cseqs).toEqual(cseqs.toSorted((a, b) => b - a));
  });

  it('revokes the key within seconds', async () => {
    await way.revoke(tenant, key);
    const startMs = performance.now();
    await eventually(async () => expect(await ingest('1002', 'terminated')).toBe(401));
    expect(performance.now() - startMs).toBeLessThan(10_000);
  });

  it('exports everything, without a secret', async () => {
    const lines = await way.exportLines(tenant);
    const kinds = Map.groupBy(
      lines.map((line) => JSON.parse(line)),
      ({ kind }) => kind,
    );
    expect(kinds.size).toBeGreaterThan(2);
    expect(lines.join('\n')).not.toMatch(new RegExp(`${key}|"(ha1|hash|sealed\\w*|password)"`, 'i'));
  });

  it(
    'deletes the tenant: the browser is signed out, and nothing is left',
    async () => {
      await way.deleteTenant(tenant);
      expect(await way.tenants()).not.toContain(tenant);
      await panel.page.waitForFunction(() => document.querySelector('.tile[data-lamp="busy"]') === null, undefined, {
        timeout: 30_000,
      });
      expect((await ask('GET', `/tenants/${tenant}/presentities/1002`)).status).toBe(404);
      await panel.close();
      await way.createTenant(tenant);
      expect(await way.people(tenant)).toEqual([]);
    },
    2 * DELETION_MS,
  );
});
