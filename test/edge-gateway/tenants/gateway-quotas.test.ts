/** Quotas at a real gateway with functions that answer as told. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { SIGNATURE_HEADER, SIGNED_AT_HEADER } from '#contract/instruction.ts';
import type { OutcomeInput } from '#contract/outcome.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import { CONTRACT_VERSION, type GatewayQuotas } from '#contract/schemas.ts';
import { signInstructions } from '#core/instruction-signature.ts';
import { readConfig } from '#gateway/config.ts';
import { type RunningGateway, startGateway } from '#gateway/gateway.ts';
import { FakeFunctions } from '#test/support/fake-functions.ts';
import { PATIENCE_MS } from '#test/support/patience.ts';
import { SipClient } from '#test/support/sip-client.ts';

const SECRET = 'a-secret-of-the-tests';
const MANY: GatewayQuotas = {
  ...{ flows: 100, subscriptions: 100, calls: 100 },
  ...{ requestsPerSecond: 100, publicationsPerSecond: 100, messagesPerSecond: 100 },
};

let functions: FakeFunctions;
let gateway: RunningGateway;
let domain: string;
let count = 0;
const clients: SipClient[] = [];

beforeAll(async () => {
  process.env.AWS_REGION = 'local';
  process.env.AWS_ACCESS_KEY_ID = 'local';
  process.env.AWS_SECRET_ACCESS_KEY = 'local';
  functions = await FakeFunctions.start();
  const methods = { REGISTER: 'register', SUBSCRIBE: 'subscribe', PUBLISH: 'publish', MESSAGE: 'message' };
  const config = readConfig({
    ...{
      PORT: '0',
      HOST: '127.0.0.1',
      INSTRUCTION_PORT: '0',
      LOG_LEVEL: 'silent',
      DRAIN_SECONDS: '0',
      LEASE_SECONDS: '3',
    },
    ...{ FUNCTIONS: JSON.stringify({ methods, flowClosed: 'flow-closed', lease: 'lease' }) },
    ...{ LAMBDA_ENDPOINT: functions.endpoint, INSTRUCTION_SECRET: SECRET },
  });
  gateway = await startGateway(config, '127.0.0.1');
});
beforeEach(() => {
  domain = `t${++count}.example`;
  functions.answer = proven;
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  functions.quotas = {};
});
afterAll(async () => {
  await gateway.drain();
  functions.stop();
});

/** What a function decides: the sender is who it says, unless its tenant is full. */
function proven(envelope: RequestEnvelope): OutcomeInput {
  const from = envelope.request.headers.find(([name]) => name === 'From')?.[1] ?? '';
  const [, user = '', of = ''] = /sip:(\w+)@([\w.]+)/.exec(from) ?? [];
  if (envelope.tenantFull !== undefined)
    return { response: { status: 503, reason: envelope.tenantFull, headers: [['Retry-After', '30']] } };
  const identity = { domain: of, user, role: 'user' as const };
  const response = { status: 200, reason: 'OK', headers: [] };
  if (envelope.request.method !== 'SUBSCRIBE') return { response, identity };
  const to = envelope.request.headers.find(([name]) => name === 'To')?.[1] ?? '';
  const id = /;tag=([\w-]+)/.exec(to)?.[1] ?? envelope.toTag;
  const about = { id: id as never, presentity: `sip:1002@${of}`, event: 'dialog', createdAtMs: Date.now() };
  const body: [string, string] = ['<d version="', '"/>'];
  const notification = { presentityVersion: 1, contentType: 'application/dialog-info+xml', body };
  const isEnd = envelope.request.headers.some(([name, value]) => name === 'Expires' && value === '0');
  const subscription = isEnd
    ? ({ kind: 'ended', ...about, reason: 'timeout', notification } as const)
    : ({ kind: 'active', ...about, expiresAtMs: Date.now() + 600_000, notification } as const);
  return { response, identity, subscription };
}

async function connect(of = domain): Promise<SipClient> {
  const client = await SipClient.connect(`ws://127.0.0.1:${gateway.port}/`, '1001', of);
  clients.push(client);
  return client;
}

const ask = (client: SipClient, method: string) =>
  client.request({ method, uri: `sip:1002@${client.domain}`, authenticate: false });

async function signIn(of = domain): Promise<SipClient> {
  const client = await connect(of);
  expect((await ask(client, 'REGISTER')).status).toBe(200);
  return client;
}

async function useOf(tenant: string): Promise<Record<string, { share: number; used: number; refused: number }>> {
  const { gatewayId } = functions.leases[0] as { gatewayId: string };
  const text = JSON.stringify({
    contractVersion: CONTRACT_VERSION,
    gatewayId,
    instructions: [{ kind: 'use', tenant }],
  });
  const at = Date.now();
  const response = await fetch(`http://127.0.0.1:${gateway.instructionPort}/instructions`, {
    method: 'POST',
    headers: { [SIGNATURE_HEADER]: signInstructions(SECRET, at, text), [SIGNED_AT_HEADER]: String(at) },
    body: text,
  });
  const { uses } = (await response.json()) as {
    uses: { limit: string; share: number; used: number; refused: number }[][];
  };
  return Object.fromEntries((uses[0] ?? []).map(({ limit, ...rest }) => [limit, rest]));
}

describe('rates of a tenant', () => {
  test('PUBLISH over the rate: 503 with Retry-After, over all flows; other requests and other tenants go on', async () => {
    functions.quotas = { [domain]: { ...MANY, publicationsPerSecond: 1 }, 'other.example': MANY };
    const [one, two, other] = [await signIn(), await signIn(), await signIn('other.example')];
    const publish = (client: SipClient) => Promise.all(Array.from({ length: 10 }, () => ask(client, 'PUBLISH')));
    const answers = (await Promise.all([publish(one), publish(two)])).flat();
    const refused = answers.filter(({ status }) => status === 503);
    expect(answers.length - refused.length).toBeGreaterThanOrEqual(5);
    expect(answers.length - refused.length).toBeLessThanOrEqual(7);
    expect(refused[0]?.startLine).toBe('SIP/2.0 503 Too Many Requests Of This Tenant');
    for (const answer of refused) {
      expect(Number(answer.header('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(Number(answer.header('retry-after'))).toBeLessThanOrEqual(5);
    }
    expect((await publish(other)).every(({ status }) => status === 200)).toBe(true);
    expect((await ask(one, 'REGISTER')).status).toBe(200);
    expect(functions.invocations.flatMap(({ envelopes }) => envelopes)).not.toHaveLength(0);
    expect((await useOf(domain)).publicationsPerSecond?.refused).toBe(refused.length);
  });

  test('a changed quota acts with the next outcome', async () => {
    functions.quotas = { [domain]: { ...MANY, messagesPerSecond: 0 } };
    const client = await signIn();
    expect((await ask(client, 'MESSAGE')).status).toBe(503);
    functions.quotas = { [domain]: MANY };
    await ask(client, 'REGISTER');
    await vi.waitFor(async () => expect((await ask(client, 'MESSAGE')).status).toBe(200), PATIENCE_MS);
  });

  test('the gateway gives its share when there are others', async () => {
    functions.quotas = { [domain]: { ...MANY, flows: 5 } };
    functions.gateways = 4;
    await signIn();
    await vi.waitFor(async () => expect((await useOf(domain)).messagesPerSecond?.share).toBe(25), PATIENCE_MS);
    expect((await useOf(domain)).flows).toMatchObject({ share: 2, used: 1 });
    functions.gateways = 1;
    await vi.waitFor(async () => expect((await useOf(domain)).flows?.share).toBe(5), PATIENCE_MS);
  });
});

describe('what a tenant holds', () => {
  test('connections: the function refuses the one too many; a closed one makes room', async () => {
    functions.quotas = { [domain]: { ...MANY, flows: 2 } };
    const first = await signIn();
    await signIn();
    const third = await connect();
    expect((await ask(third, 'REGISTER')).startLine).toBe('SIP/2.0 503 flows');
    expect(await useOf(domain)).toMatchObject({ flows: { share: 2, used: 2, refused: 1 } });
    await first.close();
    await vi.waitFor(async () => expect((await useOf(domain)).flows?.used).toBe(1), PATIENCE_MS);
    expect((await ask(third, 'REGISTER')).status).toBe(200);
  });

  test('a flow without identity counts for nobody', async () => {
    functions.quotas = { [domain]: { ...MANY, flows: 1 } };
    functions.answer = () => ({ response: { status: 401, reason: 'Unauthorized', headers: [] } });
    await ask(await connect(), 'REGISTER');
    await ask(await connect(), 'REGISTER');
    functions.answer = proven;
    expect((await ask(await connect(), 'REGISTER')).status).toBe(200);
  });

  test('subscriptions: 503 with Retry-After for the one too many, also when all come at once; refreshes go on', async () => {
    functions.quotas = { [domain]: { ...MANY, subscriptions: 3 } };
    const client = await signIn();
    const opened = await Promise.all(Array.from({ length: 8 }, () => client.subscribe('1002')));
    const active = opened.filter(({ answer }) => answer.status === 200);
    const refused = opened.filter(({ answer }) => answer.status === 503);
    expect([active.length, refused.length]).toEqual([3, 5]);
    expect(refused[0]?.answer.startLine).toBe('SIP/2.0 503 Too Many Subscriptions Of This Tenant');
    expect(Number(refused[0]?.answer.header('retry-after'))).toBeGreaterThanOrEqual(30);
    const subscription = active[0];
    if (subscription === undefined) throw new Error('nothing is active');
    expect((await subscription.refresh(600)).status).toBe(200);
    expect((await useOf(domain)).subscriptions).toMatchObject({ share: 3, used: 3, refused: 5 });
    expect((await subscription.refresh(0)).status).toBe(200);
    expect((await client.subscribe('1002')).answer.status).toBe(200);
  });

  test('a subscription counts while it is parked', async () => {
    functions.quotas = { [domain]: { ...MANY, subscriptions: 1 } };
    const client = await signIn();
    await client.subscribe('1002');
    await client.close();
    const again = await signIn();
    expect((await again.subscribe('1002')).answer.status).toBe(503);
    expect((await useOf(domain)).subscriptions?.used).toBe(1);
  });
});

test('a tenant that is not here uses nothing', async () => {
  expect(await useOf('nobody.example')).toEqual({});
});
