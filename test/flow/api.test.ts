/** The HTTP API over the real process, functions and table: every route answers as the description of the API says. */

import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { unknownMembers } from '../../lambdas/handlers/http/body.ts';
import type { Route } from '../../lambdas/handlers/http/route.ts';
import { ROUTES } from '../../lambdas/handlers/http/routes.ts';

const KEY = 'the-key-of-this-test';
/** Of routes that none of the explicit calls below is about. */
const NAMES: Readonly<Record<string, string>> = {
  tenant: 'demo.example',
  user: '1001',
  name: 'blf-all',
  id: '0123456789ab',
  webhook: '0123456789ab',
};
const problem = v.strictObject({
  type: v.literal('about:blank'),
  title: v.string(),
  status: v.number(),
  detail: v.string(),
  instance: v.pipe(v.string(), v.startsWith('urn:lampfield:request:')),
  errors: v.optional(v.array(v.strictObject({ pointer: v.pipe(v.string(), v.startsWith('#')), detail: v.string() }))),
});

let stack: LocalStack;

beforeAll(async () => {
  stack = await startStack({ env: { ADMIN_KEY: KEY } });
});
afterAll(() => stack.stop());

interface Asked {
  readonly body?: unknown;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function ask(method: string, path: string, { body, key = KEY, headers = {} }: Asked = {}) {
  const response = await fetch(`${stack.apiUrl}${path}`, {
    method,
    headers: {
      ...(key && { authorization: `Bearer ${key}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const type = response.headers.get('content-type') ?? '';
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    type,
    text,
    body: type.includes('json') && text ? JSON.parse(text.split('\n')[0] ?? '') : undefined,
  };
}
type Answered = Awaited<ReturnType<typeof ask>>;

/** Fails when the answer is none that the route describes. */
function requireDescribed(route: Route, { status, type, body, text }: Answered, what: string): void {
  const schema = route.success[status];
  if (schema === undefined) {
    expect(type, what).toBe('application/problem+json');
    expect(v.safeParse(problem, body).issues, `${what} ${text}`).toBeUndefined();
    expect(body.status, what).toBe(status);
    expect(status, `${what} ${text}`).toBeGreaterThanOrEqual(400);
    expect(status, `${what} ${text}`).toBeLessThan(500);
    return;
  }
  if (schema === null) {
    expect([text, type], what).toEqual(['', '']);
    return;
  }
  if (route.successType !== undefined) return void expect(type, what).toBe(route.successType);
  const result = v.safeParse(schema, body);
  expect(
    result.issues?.map((issue) => `${v.getDotPath(issue)} ${issue.message}`),
    `${what} ${text}`,
  ).toBeUndefined();
  expect(unknownMembers(body, result.output, []), what).toEqual([]);
}

const pathOf = ({ path }: Route): string =>
  path.replace(/\{(\w+)\+?\}/g, (_, name: string) => encodeURIComponent(NAMES[name] ?? 'something'));
const named = ROUTES.map((route): [string, Route] => [`${route.method} ${route.path}`, route]);
const keyed = named.filter(([, { permission }]) => permission !== undefined);

describe('every route', () => {
  it.each(keyed)('%s asks for a key, and says nothing without it', async (what, route) => {
    const none = await ask(route.method, pathOf(route), { key: '' });
    expect([none.status, none.headers.get('www-authenticate')], what).toEqual([401, 'Bearer']);
    requireDescribed(route, none, what);
  });

  it.each(named)('%s refuses another method, naming those that are known (405)', async (what, { path, ...route }) => {
    const answer = await ask('PATCH', pathOf({ path, ...route }));
    const known = ROUTES.filter((each) => each.path === path).flatMap(({ method }) =>
      method === 'GET' ? ['GET', 'HEAD'] : [method],
    );
    expect([answer.status, answer.headers.get('allow')], what).toEqual([405, known.join(', ')]);
  });

  it.each(named)('%s refuses a parameter that it does not know (400)', async (what, route) => {
    const answer = await ask(route.method, `${pathOf(route)}?colour=red`);
    expect([answer.status, answer.type], what).toEqual([400, 'application/problem+json']);
  });

  it.each(named.filter(([, { body }]) => body !== undefined))(
    '%s refuses a body of another kind (415, 400, 413)',
    async (what, route) => {
      const send = (body: string, type: string) =>
        ask(route.method, pathOf(route), { body, headers: { 'content-type': type } });
      expect((await send('a=b', 'application/x-www-form-urlencoded')).status, what).toBe(415);
      for (const body of ['{', '{"unknown":1}', '[]', '"x"', '\u00ff'.repeat(3), '['.repeat(100_000)]) {
        const answer = await send(body, 'application/json');
        expect(answer.status, `${what} ${answer.text}`).toBe(400);
        requireDescribed(route, answer, what);
      }
      expect((await send(JSON.stringify({ x: 'x'.repeat(1024 * 1024) }), 'application/json')).status, what).toBe(413);
    },
  );

  it.each(named.filter(([, { method, path }]) => method !== 'DELETE' || path !== '/tenants/{tenant}'))(
    '%s answers as it is described',
    async (what, route) => {
      requireDescribed(route, await ask(route.method, pathOf(route), route.method === 'GET' ? {} : { body: {} }), what);
    },
  );
});
