import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { tenantItem } from '#table/tenant-item.ts';
import { type ApiRig, openApiRig } from '#test/support/api-rig.ts';
import { openRouteTable } from '../../../lambdas/handlers/http/route-table.ts';
import { ROUTES } from '../../../lambdas/handlers/http/routes.ts';

const NAMES = ['a', 'b2', '10.01', "o'neil", 'x~y', 'me(2)', '*99', 'A&B'];
let rig: ApiRig;

beforeAll(async () => {
  rig = openApiRig();
  for (const domain of ['a.example', 'b.example']) {
    await rig.table.put(tenantItem(domain, {}));
    for (const name of NAMES) {
      await rig.ask('PUT', `/v1/tenants/${domain}/users/${encodeURIComponent(name)}`, { body: {} });
      await rig.ask('PUT', `/v1/tenants/${domain}/lists/${encodeURIComponent(name)}`, { body: { members: [] } });
    }
    await rig.ask('PUT', `/v1/tenants/${domain}/publishers/pbx`, { body: {} });
  }
});

describe('any request', () => {
  const segment = fc.oneof(
    fc.constantFrom(
      'tenants',
      'a.example',
      'users',
      'lists',
      'keys',
      'calls',
      'audit',
      'openapi.json',
      '..',
      '%2e%2e',
      '%00',
      '%',
      '__proto__',
      'constructor',
    ),
    fc.string({ maxLength: 20 }).map((text) => encodeURIComponent(text.toWellFormed())),
  );
  const path = fc.array(segment, { maxLength: 6 }).map((parts) => `/v1/${parts.join('/')}`);
  const query = fc.webQueryParameters();
  const body = fc.oneof(fc.constant(undefined), fc.json(), fc.string());
  const method = fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS', 'TRACE');

  it('is answered by something that is no defect, as JSON or as a problem', async () => {
    await fc.assert(
      fc.asyncProperty(method, path, query, body, async (verb, url, search, content) => {
        const answer = await rig.ask(verb, search === '' ? url : `${url}?${search}`, { body: content });
        expect(answer.status).toBeLessThan(500);
        if (answer.status < 400) return;
        expect(answer.headers['content-type']).toBe('application/problem+json');
        expect(answer.body).toMatchObject({
          status: answer.status,
          title: expect.any(String),
          detail: expect.any(String),
        });
      }),
      { numRuns: 500 },
    );
  });

  it('without a key is told nothing, whatever it asks for', async () => {
    const first = await rig.ask('GET', '/v1/tenants', { key: '' });
    await fc.assert(
      fc.asyncProperty(method, path, body, async (verb, url, content) => {
        const answer = await rig.ask(verb, url, { key: '', body: content });
        const isSaid = url === '/v1/openapi.json' || url === '/v1/openapi.json/';
        if (isSaid || answer.status === 400 || answer.status === 404) {
          // The path itself is none of ours, or cannot be read.
          if (!isSaid) expect(answer.text).toMatch(/paths begin with|percent-encoded/);
        } else expect(answer).toEqual(first);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the table of routes', () => {
  const table = openRouteTable(ROUTES);
  const text = fc.stringMatching(/^[^/]{1,12}$/);

  it('finds each route by its own path, with what stood at the placeholders', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ROUTES), fc.array(text, { minLength: 6, maxLength: 6 }), (route, values) => {
        const names: Record<string, string> = {};
        const path = route.path
          .slice(1)
          .split('/')
          .map((part) => {
            const name = /^\{(\w+)\+?\}$/.exec(part)?.[1];
            if (name === undefined) return part;
            names[name] = `~${values[Object.keys(names).length] ?? ''}`;
            return names[name];
          });
        const found = table.find({ method: route.method, path });
        expect([found.route.name, found.names]).toEqual([route.name, names]);
      }),
    );
  });

  it('has each name once, and each method of a path once', () => {
    expect(new Set(ROUTES.map(({ name }) => name)).size).toBe(ROUTES.length);
    expect(new Set(ROUTES.map(({ method, path }) => `${method} ${path}`)).size).toBe(ROUTES.length);
    expect(() => openRouteTable([...ROUTES, ...ROUTES.slice(0, 1)])).toThrow('twice');
  });
});

describe('pages', () => {
  const lists = ['users', 'lists', 'publishers', 'audit', 'keys', 'users?role=user'];
  const urlOf = (domain: string, list: string, more: string) =>
    `/v1/tenants/${domain}/${list}${list.includes('?') ? '&' : '?'}${more}`;

  it('of any size hold everything once, in the same order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...lists), fc.integer({ min: 1, max: 30 }), async (list, limit) => {
        const whole = (await rig.ask('GET', urlOf('a.example', list, 'limit=200'))).body.items;
        const seen: unknown[] = [];
        for (let cursor: string | undefined = ''; cursor !== undefined; ) {
          const page = await rig.ask('GET', urlOf('a.example', list, `limit=${limit}${cursor && `&cursor=${cursor}`}`));
          expect(page.body.items.length).toBeLessThanOrEqual(limit);
          seen.push(...page.body.items);
          cursor = page.body.next;
        }
        expect(seen).toEqual(whole);
      }),
      { numRuns: 60 },
    );
  });

  it('have cursors that are worthless in another tenant, another list, with other parameters, or changed', async () => {
    const cursorOf = async (domain: string, list: string) =>
      (await rig.ask('GET', urlOf(domain, list, 'limit=1'))).body.next;
    const places = lists
      .filter((list) => list !== 'keys' && list !== 'publishers')
      .flatMap((list) => ['a.example', 'b.example'].map((domain) => [domain, list] as const));
    for (const [domain, list] of places) {
      const cursor = await cursorOf(domain, list);
      expect(cursor, list).toBeDefined();
      for (const [otherDomain, otherList] of places) {
        const { status } = await rig.ask('GET', urlOf(otherDomain, otherList, `cursor=${cursor}`));
        expect(status, `${list} in ${otherDomain} ${otherList}`).toBe(
          domain === otherDomain && list === otherList ? 200 : 400,
        );
      }
    }
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.json().map((json) => Buffer.from(json).toString('base64url')),
        ),
        async (text) => {
          const { status } = await rig.ask(
            'GET',
            urlOf('a.example', 'users', `cursor=${encodeURIComponent(text.toWellFormed())}`),
          );
          expect(status).toBe(400);
        },
      ),
    );
  });
});
