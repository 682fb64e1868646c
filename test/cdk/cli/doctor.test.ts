/** The doctor at a healthy deployment, and at sick ones. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CliHome } from '#test/support/lampfield-cli.ts';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { freePort } from '#test/support/ports.ts';
import { SipClient } from '#test/support/sip-client.ts';

const USER = ['--user', '1001@demo.example'];
let stack: LocalStack;
let home: CliHome;

beforeAll(async () => {
  stack = await startStack({ env: { LOCAL_USERS: '3' } });
  home = new CliHome({ LAMPFIELD_URL: stack.apiUrl, LAMPFIELD_KEY: 'local-admin-key', LAMPFIELD_GATEWAY: stack.url() });
});
afterAll(async () => {
  home?.close();
  await stack?.stop();
});

interface Report {
  readonly ok: boolean;
  readonly checks: readonly { check: string; outcome: string; ms?: number; detail: string; advice?: string }[];
}

async function examine(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { code, out, err } = await home.run(['doctor', '--json', ...args], { env });
  const report: Report = JSON.parse(out);
  const of = (name: string) => report.checks.find(({ check }) => check === name);
  return { code, err: JSON.parse(err || '{}'), report, of };
}
const named = (env: Readonly<Record<string, string>> = {}) =>
  examine(USER, { LAMPFIELD_PASSWORD: 'demo-1001', ...env });

const SIP = [
  'WebSocket',
  'OPTIONS',
  'REGISTER',
  'SUBSCRIBE',
  'first NOTIFY',
  'PUBLISH',
  'NOTIFY of the change',
  'tidying up',
];
const WAY = (part: string): string[] => [`${part} DNS`, `${part} TCP`];

describe('a healthy deployment', () => {
  it('is gone through end to end, each hop with its time, and left as it was', async () => {
    const watcher = await SipClient.connect(stack.url(), '1002');
    await watcher.subscribe('1001');
    const { code, report } = await named();
    expect(report.checks.map(({ check, outcome }) => [check, outcome])).toEqual(
      [...WAY('API'), 'API description', 'API key', 'account', ...WAY('gateway'), ...SIP].map((check) => [check, 'ok']),
    );
    for (const { ms } of report.checks) expect(ms).toBeGreaterThanOrEqual(0);
    expect([code, report.ok]).toEqual([0, true]);
    const over = ({ method, body }: { method: string; body: string }) =>
      method === 'NOTIFY' && body.includes('terminated');
    const seen = watcher.received.filter(({ method }) => method === 'NOTIFY').length;
    expect(seen).toBeGreaterThan(1);
    await watcher.next(over, { since: 1, timeoutMs: 20_000 });
    expect(
      await fetch(`${stack.apiUrl}/tenants/demo.example/users/1001/bindings`, {
        headers: { authorization: 'Bearer local-admin-key' },
      }).then((r) => r.json()),
    ).toMatchObject({ items: [] });
  });

  it('is gone through by an operator in a tenant of its own, which is removed', async () => {
    const { code, report, of } = await examine([]);
    expect(of('account')?.detail).toMatch(/^temporary tenant doctor-[0-9a-f]{12}\.invalid$/);
    expect(report.checks.map(({ check, outcome }) => [check, outcome])).toEqual(
      [...WAY('API'), 'API description', 'API key', 'account', ...WAY('gateway'), ...SIP, 'removing the tenant'].map(
        (check) => [check, 'ok'],
      ),
    );
    expect(code).toBe(0);
    const tenants = async (): Promise<string> => (await home.run(['tenant', 'list', '--json'])).out;
    await vi.waitFor(async () => expect(await tenants()).not.toContain('doctor-'), { timeout: 60_000, interval: 500 });
  });

  it('is told to a person line by line, and needs no key for the way of a user', async () => {
    const env = { LAMPFIELD_PASSWORD: 'demo-1001', LAMPFIELD_KEY: '', LAMPFIELD_URL: '' };
    const { code, out, err } = await home.run(['doctor', ...USER], { env });
    expect(out).toMatch(/^✓ REGISTER +\d+\.\d ms {2}200 OK$/m);
    expect(out).toMatch(/^✓ NOTIFY of the change +\d+\.\d ms/m);
    expect(out).toContain('All is well: 11 checks.');
    expect([code, err]).toEqual([0, expect.stringContaining('The HTTP API is not checked')]);
  });
});

describe('a sick one', () => {
  it('has a wrong key', async () => {
    const { code, of, err } = await examine([], { LAMPFIELD_KEY: 'lf_000000000000_wrong' });
    expect(of('API key')).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('(401)') });
    expect(of('account')).toMatchObject({ outcome: 'skipped' });
    expect(of('gateway TCP')).toMatchObject({ outcome: 'ok' });
    expect([code, err.error.detail]).toEqual([1, expect.stringContaining('1 check failed, first API key')]);
  });

  it('has a wrong password', async () => {
    const { code, of } = await named({ LAMPFIELD_PASSWORD: 'not-this' });
    expect(of('OPTIONS')).toMatchObject({ outcome: 'ok' });
    expect(of('REGISTER')).toMatchObject({
      ...{ outcome: 'failed', detail: '401 Unauthorized' },
      advice: expect.stringContaining('user or password is wrong'),
    });
    expect(of('SUBSCRIBE')).toMatchObject({ outcome: 'skipped', detail: 'not possible without REGISTER' });
    expect(code).toBe(1);
  });

  it('has nothing at the port of the gateway', async () => {
    const port = await freePort();
    const { code, of } = await named({ LAMPFIELD_GATEWAY: `ws://127.0.0.1:${port}/` });
    expect(of('gateway TCP')).toMatchObject({
      ...{ outcome: 'failed', detail: expect.stringContaining('ECONNREFUSED') },
      advice: expect.stringContaining(`port ${port}`),
    });
    expect(of('WebSocket')).toMatchObject({ outcome: 'skipped' });
    expect(code).toBe(3);
  });

  it('has a name that DNS does not know', async () => {
    const { code, of } = await named({ LAMPFIELD_GATEWAY: 'wss://no-such-host.invalid/' });
    expect(of('gateway DNS')).toMatchObject({
      outcome: 'failed',
      advice: expect.stringContaining('no-such-host.invalid'),
    });
    expect(of('gateway TLS')).toMatchObject({ outcome: 'skipped' });
    expect(code).toBe(3);
  });

  it('has something else where the gateway should be', async () => {
    const server = createServer((_request, response) => response.end('Hello'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const { of } = await named({ LAMPFIELD_GATEWAY: `ws://127.0.0.1:${port}/` });
    server.closeAllConnections();
    server.close();
    expect(of('WebSocket')).toMatchObject({ outcome: 'failed', advice: expect.stringContaining('passes Upgrade') });
  });

  it('has functions that do not answer', async () => {
    stack.kill('functions', 'SIGSTOP');
    const { code, of, report } = await named().finally(() => stack.kill('functions', 'SIGCONT'));
    expect(of('WebSocket')).toMatchObject({ outcome: 'ok' });
    expect(of('REGISTER')).toMatchObject({
      outcome: 'failed',
      advice: expect.stringContaining('does not reach its functions'),
    });
    expect(report.checks.at(-1)).toMatchObject({ check: 'tidying up', outcome: 'skipped' });
    expect(code).not.toBe(0);
  });
});
