import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiClient, normalizedUrl, path, waitMs } from '#cdk/cli/api-client.ts';
import { collected } from '#cdk/cli/output.ts';

let server: Server;
let api: ApiClient;
let answers: ((request: IncomingMessage, response: ServerResponse) => void)[];
const asked: { method: string | undefined; url: string | undefined; headers: IncomingMessage['headers'] }[] = [];

beforeEach(async () => {
  answers = [];
  asked.length = 0;
  server = createServer((request, response) => {
    asked.push({ method: request.method, url: request.url, headers: request.headers });
    const answer = answers.shift();
    if (answer === undefined) response.writeHead(500).end();
    else answer(request, response);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  api = new ApiClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, key: 'the-key' });
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const json =
  (status: number, body: unknown, headers: Record<string, string> = {}) =>
  (_request: IncomingMessage, response: ServerResponse): void =>
    void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
const problem = (status: number, body: object, headers: Record<string, string> = {}) =>
  json(status, { status, ...body }, { 'content-type': 'application/problem+json', ...headers });

describe('the client of the HTTP API', () => {
  it('sends key, conditions and JSON, and gives the entity-tag', async () => {
    answers = [json(201, { user: '1001' }, { etag: '"7"' })];
    const answer = await api.request('PUT', path`/tenants/${'a b/c'}`, { body: { x: 1 }, ifNoneMatch: '*' });
    expect(answer).toEqual({ status: 201, etag: '"7"', body: { user: '1001' } });
    expect(asked[0]).toMatchObject({ method: 'PUT', url: '/v1/tenants/a%20b%2Fc' });
    expect(asked[0]?.headers).toMatchObject({
      ...{ authorization: 'Bearer the-key', 'content-type': 'application/json', 'if-none-match': '*' },
    });
  });

  it('goes through all pages, with the cursor of the one before', async () => {
    answers = [json(200, { items: [1, 2], next: 'c/2' }), json(200, { items: [3] })];
    expect(await collected(api.items('/things', { role: 'user' }))).toEqual([1, 2, 3]);
    expect(asked.map(({ url }) => url)).toEqual([
      '/v1/things?limit=200&role=user',
      '/v1/things?limit=200&role=user&cursor=c%2F2',
    ]);
  });

  it('waits as long as it is told, and asks again: a POST only after 429', async () => {
    const busy = problem(503, { detail: 'later' }, { 'retry-after': '0' });
    answers = [busy, problem(429, { detail: 'slowly' }, { 'retry-after': '0' }), json(200, { ok: true })];
    expect(await api.get('/x')).toEqual({ ok: true });
    answers = [problem(429, {}, { 'retry-after': '0' }), busy];
    await expect(api.request('POST', '/x', { body: {} })).rejects.toMatchObject({
      details: { status: 503, exitCode: 3 },
    });
    expect(answers).toEqual([]);
  });

  it('gives up after five tries', async () => {
    answers = Array.from({ length: 9 }, () => problem(503, { detail: 'never' }, { 'retry-after': '0' }));
    await expect(api.get('/x')).rejects.toThrow('the API is in trouble (503): never');
    expect(asked).toHaveLength(5);
  });

  it('turns a problem into words, with each member that is wrong', async () => {
    const errors = [{ pointer: '/password', detail: 'is too short' }];
    answers = [problem(400, { title: 'Bad Request', detail: 'The body is not as it should be.', errors })];
    await expect(api.request('PUT', '/x', { body: {} })).rejects.toMatchObject({
      message: 'refused (400): The body is not as it should be.',
      details: { exitCode: 1, status: 400, errors },
    });
  });

  it('knows an answer that is not from the API', async () => {
    answers = [
      (_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Hello</html>'),
    ];
    await expect(api.get('/x')).rejects.toThrow('the answer is not from the API: <html>Hello</html>');
  });

  it('says that nobody is there, and why', async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
    await expect(api.get('/x')).rejects.toMatchObject({
      message: expect.stringMatching(/^cannot reach 127\.0\.0\.1:\d+: nothing listens there \(ECONNREFUSED\)$/),
      details: { exitCode: 3 },
    });
  });
});

it.each([
  ['https://api.example/', 'https://api.example/v1'],
  ['https://api.example/v1/', 'https://api.example/v1'],
  ['http://127.0.0.1:8081/v1', 'http://127.0.0.1:8081/v1'],
  ['https://x.example/stage', 'https://x.example/stage/v1'],
  ['wss://x.example', undefined],
  ['api.example', undefined],
])('takes %s as the address %s', (text, url) => {
  expect(normalizedUrl(text)).toBe(url);
});

it('waits within reason', () => {
  expect([waitMs('2', 1), waitMs('9999', 1), waitMs(null, 1), waitMs('Sat, 21 Nov 2026', 3)]).toEqual([
    2_000, 30_000, 250, 1_000,
  ]);
});
