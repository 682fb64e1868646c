/** The doctor at a healthy deployment, and at sick ones. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { METRICS } from '#core/metric.ts';
import { CliHome } from '#test/support/lampfield-cli.ts';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { freePort } from '#test/support/ports.ts';
import { dialogInfo, SipClient } from '#test/support/sip-client.ts';

const USER = ['--user', '1001@demo.example'];
let stack: LocalStack;
let home: CliHome;

beforeAll(async () => {
  const told = { LOG_LEVEL: 'info', METRICS_STAGE: 'lampfield-local' };
  stack = await startStack({ env: { LOCAL_USERS: '3', ...told }, args: ['--canary'] });
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

describe('what a running system tells of itself', () => {
  const linesOf = (name: string): Record<string, unknown>[] =>
    stack
      .logOf(name)
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line));
  const SOON = { timeout: 30_000, interval: 250 };

  it('one Call-ID leads through all logs from the PUBLISH to the NOTIFY', async () => {
    const watcher = await SipClient.connect(stack.url(), '1002');
    const subscription = await watcher.subscribe('1003');
    const pbx = await SipClient.connect(stack.url(), 'pbx');
    const since = watcher.received.length;
    const body = dialogInfo('sip:1003@demo.example', { id: 'd', callId: 'not-this', state: 'confirmed' });
    const published = await pbx.publish('1003', body);
    await subscription.nextNotify('>confirmed</state>', { since });
    const callId = published.header('call-id');
    const hops = (process: string, hop: string) =>
      linesOf(process).filter((line) => line.callId === callId && line.hop === hop);
    const presentity = 'sip:1003@demo.example';
    await vi.waitFor(() => {
      expect(hops('gateway-1', 'answer').at(-1)).toMatchObject({ method: 'PUBLISH', status: 200 });
      expect(hops('functions', 'publish').at(-1)).toMatchObject({ tenant: 'demo.example', outcome: 200 });
      const delivered = { tenant: 'demo.example', presentity: '1003', outcome: 'delivered', subscriptions: 1 };
      expect(hops('functions', 'notify')).toMatchObject([delivered]);
      expect(hops('gateway-1', 'notify')).toMatchObject([{ presentity, subscriptions: 1, unknown: 0 }]);
    }, SOON);
    const [told] = hops('gateway-1', 'notify');
    expect(told?.lampMs).toBeGreaterThanOrEqual(0);
    expect(told?.lampMs).toBeLessThan(3_000);
    await Promise.all([watcher.close(), pbx.close()]);
  });

  it('the canary goes its way, in a tenant that it makes for itself', async () => {
    await vi.waitFor(() => {
      const runs = linesOf('functions').filter(({ hop }) => hop === 'canary');
      expect(runs.at(-1)).toMatchObject({ outcome: 'well', lampMs: expect.any(Number) });
    }, SOON);
    const { out } = await home.run(['tenant', 'list', '--json']);
    expect(out).toContain('canary.demo.example');
  });

  it('every metric that dashboard and alarms look at is told', async () => {
    const before = stack.restarted('gateway-1');
    stack.kill('gateway-1', 'SIGTERM');
    await before;
    const lines = ['gateway-1', 'functions'].flatMap(linesOf).filter((line) => line._aws !== undefined);
    const told = lines.flatMap((line) => {
      expect(line.Stage).toBe('lampfield-local');
      const [directive] = v.parse(embedded, line._aws).CloudWatchMetrics;
      expect(directive.Namespace).toBe('Lampfield');
      for (const dimension of directive.Dimensions.flat()) expect(line[dimension]).toEqual(expect.any(String));
      return directive.Metrics.map(({ Name, Unit }) => {
        for (const value of [line[Name]].flat()) expect(value, Name).toEqual(expect.any(Number));
        return `${line.Service} ${Name} ${Unit}`;
      });
    });
    const listed = Object.entries(METRICS).map(([name, { service, unit }]) => `${service} ${name} ${unit}`);
    expect([...new Set(told)].toSorted()).toEqual(listed.toSorted());
    await vi.waitFor(async () => expect((await fetch(new URL('readyz', stack.httpUrl()))).status).toBe(200), SOON);
  });
});

/** CloudWatch's embedded metric format, as far as we use it. */
const embedded = v.object({
  Timestamp: v.number(),
  CloudWatchMetrics: v.strictTuple([
    v.object({
      Namespace: v.string(),
      Dimensions: v.array(v.array(v.string())),
      Metrics: v.array(v.object({ Name: v.string(), Unit: v.string() })),
    }),
  ]),
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
