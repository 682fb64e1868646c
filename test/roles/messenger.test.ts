import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { gatewayIdOf } from '#contract/ids.ts';
import type { ForwardInstruction, ForwardResult } from '#contract/instruction.ts';
import type { Binding } from '#core/binding.ts';
import { DependencyUnavailable } from '#core/error.ts';
import { closeFlows } from '#roles/flow-closer.ts';
import { type MessengerPorts, message } from '#roles/messenger.ts';
import { register } from '#roles/registrar.ts';
import { createGatewayClient } from '#runtime/gateway-client.ts';
import { loadBindings, saveBinding } from '#table/binding-item.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { openLeaseBook } from '#table/lease-book.ts';
import { saveLease } from '#table/lease-item.ts';
import { loadMessages, MAILBOX_PLACES } from '#table/message-item.ts';
import { completeTenant } from '#table/tenant-item.ts';
import { userItem } from '#table/user-item.ts';
import { ALICE, BOB } from '#test/support/dialogs.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { envelopeOf, type TestRequest } from '#test/support/envelope.ts';
import { type FakeGateway, INSTRUCTION_SECRET, startFakeGateway } from '#test/support/fake-gateway.ts';
import { TEST_SECRETS } from '#test/support/secrets.ts';
import { token } from '#test/support/sip-client.ts';

let started: TestTable;
let table: DynamoDbTable;
let ports: MessengerPorts;
let client: ReturnType<typeof createGatewayClient>;
let one: FakeGateway;
let two: FakeGateway;
let count = 0;
/** A recipient of its own for each test. */
let user: string;
const recipient = () => ({ domain: 'demo.example', user });

beforeAll(async () => {
  started = await startTable();
  table = openDynamoDbTable(started);
  client = createGatewayClient(async () => [INSTRUCTION_SECRET]);
});
afterAll(async () => {
  client.close();
  table.close();
  await started.stop();
});
beforeEach(async () => {
  user = `50${++count}`;
  await table.put(userItem({ ...recipient(), role: 'user', sealedHa1: 'of no use here' }));
  [one, two] = await Promise.all([startFakeGateway(), startFakeGateway()]);
  await Promise.all([lease('gateway-1', one.address), lease('gateway-2', two.address)]);
  ports = {
    table,
    ...TEST_SECRETS,
    loadUser: async () => undefined,
    loadTenant: async (domain) => completeTenant(domain, {}),
    leases: openLeaseBook(table),
    gateways: client,
    telemetry: { log: () => undefined },
  };
});
afterEach(async () => {
  await Promise.all([one.stop(), two.stop()]);
});

const lease = (gatewayId: string, address: string) =>
  saveLease(table, {
    ...{ gatewayId, address, leaseEndsAtMs: Date.now() + 60_000, grantedAtMs: Date.now() },
    ...{ flows: 1, subscriptions: 1, draining: false },
  });
const bind = (id: string, gatewayId = 'gateway-1', more: Partial<Binding> = {}) =>
  saveBinding(table, recipient(), {
    ...{ id, contactUri: `sip:${id}@client.invalid;transport=ws`, params: [], gatewayId, flowId: `flow-${id}` },
    ...{ callId: `call-${id}`, cseq: 1, updatedAtMs: Date.now(), expiresAtMs: Date.now() + 60_000, ...more },
  });
const send = (more: Partial<TestRequest> = {}) => {
  const to = `sip:${user}@demo.example`;
  const headers: [string, string][] = [['Content-Type', 'text/plain;charset=utf-8']];
  const request = { method: 'MESSAGE', requestUri: to, to, headers, body: 'grüße', identity: ALICE, ...more };
  return message(envelopeOf(request), ports, Date.now());
};
const answered = (status: number, headers: [string, string][] = []): ForwardResult => ({
  kind: 'answered',
  response: { status, reason: `Status ${status}`, headers },
});
const forwards = (gateway: FakeGateway) =>
  gateway.batches.flatMap(({ instructions }) => instructions.filter((each) => each.kind === 'forward'));
const forwardedTo = (gateway: FakeGateway) =>
  forwards(gateway)
    .map(({ request }) => request.requestUri)
    .sort();

describe('MESSAGE (RFC 3428)', () => {
  it('goes to every contact, wherever it is connected, after one Query', async () => {
    await Promise.all([bind('a'), bind('b'), bind('c', 'gateway-2')]);
    one.behaviour.forward = two.behaviour.forward = () => answered(200, [['Server', 'phone']]);
    const before = { ...table.requestCounts };
    const { response } = await send();
    expect(response).toEqual({ status: 200, reason: 'Status 200', headers: [['Server', 'phone']] });
    expect(table.requestCounts.Query).toBe(before.Query + 1);
    await expect.poll(() => forwardedTo(one).length + forwardedTo(two).length).toBe(3);
    expect(forwardedTo(one)).toEqual(['sip:a@client.invalid;transport=ws', 'sip:b@client.invalid;transport=ws']);
    const [copy] = forwards(two);
    expect(copy).toMatchObject({ flowId: 'flow-c', request: { method: 'MESSAGE', body: 'grüße' } });
    expect(copy?.request.headers).toContainEqual(['Max-Forwards', '69']);
    expect(copy?.request.headers).toContainEqual(['From', '<sip:1001@demo.example>;tag=from-1']);
  });

  it('is answered by the first 2xx, without waiting for a contact that is silent', async () => {
    await Promise.all([bind('a'), bind('b', 'gateway-2')]);
    one.behaviour.forward = () => new Promise((resolve) => setTimeout(() => resolve({ kind: 'unanswered' }), 4_000));
    two.behaviour.forward = () => answered(202);
    const startedAt = performance.now();
    expect((await send()).response.status).toBe(202);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });

  it('is answered by the best refusal when no contact takes it', async () => {
    await Promise.all([bind('a'), bind('b')]);
    one.behaviour.forward = ({ request }: ForwardInstruction) =>
      answered(request.requestUri.includes('a@') ? 486 : 415);
    expect((await send()).response.status).toBe(415);
  });

  it('finds an unknown user (404), and one without contacts (480)', async () => {
    expect((await send({ requestUri: 'sip:nobody@demo.example' })).response.status).toBe(404);
    expect((await send()).response.status).toBe(480);
  });

  it('removes a contact whose flow is gone, but not one that was refreshed meanwhile', async () => {
    await Promise.all([bind('a'), bind('b')]);
    one.behaviour.forward = async ({ flowId }) => {
      if (flowId === 'flow-b') await bind('b', 'gateway-1', { flowId: 'flow-new', cseq: 2 });
      return { kind: 'noFlow' };
    };
    expect((await send()).response.status).toBe(480);
    expect((await loadBindings(table, recipient())).map(({ flowId }) => flowId)).toEqual(['flow-new']);
  });

  it('answers 480 when the gateway is dead or has no lease', async () => {
    await Promise.all([bind('a', 'gateway-2'), bind('b', 'gateway-unknown')]);
    await two.stop();
    expect((await send()).response.status).toBe(480);
  });

  it('never leaves the tenant, and says nothing about who is there', async () => {
    const elsewhere = { requestUri: 'sip:1001@acme.example', to: 'sip:1001@acme.example' };
    expect((await send(elsewhere)).response).toEqual({ status: 403, reason: 'Forbidden', headers: [] });
    await expect(send({ identity: BOB })).rejects.toMatchObject({ status: 403 });
    await expect(send({ identity: undefined })).rejects.toMatchObject({ status: 401 });
  });

  it('is refused over 1300 bytes, or over what the tenant set (413)', async () => {
    await bind('a');
    one.behaviour.forward = () => answered(200);
    expect((await send({ body: 'a'.repeat(1_301) })).response.status).toBe(413);
    expect(forwards(one)).toEqual([]);
    const policy = { maxMessageBytes: 2_000 };
    ports = { ...ports, loadTenant: async (domain) => completeTenant(domain, { policy }) };
    expect((await send({ body: 'a'.repeat(1_301) })).response.status).toBe(200);
  });
});

describe('MESSAGE to another tenant', () => {
  const side = (domain: string, federation: string[]) => completeTenant(domain, { watch: { federation } });
  const STRANGER = { domain: 'acme.example', user: '7', role: 'user' as const };
  const fromStranger = () => send({ from: 'sip:7@acme.example', identity: STRANGER });
  const withTenants = (...tenants: ReturnType<typeof side>[]) => {
    ports = { ...ports, loadTenant: async (domain) => tenants.find((tenant) => tenant.domain === domain) };
  };

  it('goes through when both have agreed', async () => {
    withTenants(side('demo.example', ['acme.example']), side('acme.example', ['demo.example']));
    await bind('a');
    one.behaviour.forward = () => answered(200);
    expect((await fromStranger()).response.status).toBe(200);
    expect(forwardedTo(one)).toEqual(['sip:a@client.invalid;transport=ws']);
  });

  it('is refused when one of both has not, whether there is such a user or not', async () => {
    await bind('a');
    withTenants(side('demo.example', []), side('acme.example', ['demo.example']));
    const there = await fromStranger();
    user = 'none';
    const notThere = await fromStranger();
    withTenants(side('demo.example', ['acme.example']), side('acme.example', []));
    const otherSide = await fromStranger();
    withTenants(side('acme.example', ['demo.example']));
    const noTenant = await fromStranger();
    expect(there.response).toEqual({ status: 403, reason: 'Forbidden', headers: [] });
    for (const { response } of [notThere, otherSide, noTenant]) expect(response).toEqual(there.response);
    expect(forwards(one)).toEqual([]);
  });
});

describe('store and forward', () => {
  const KEEP = { storeAndForward: true };
  const SEVEN_DAYS_MS = 7 * 24 * 3_600_000;
  beforeEach(() => {
    ports = { ...ports, loadTenant: async (domain) => completeTenant(domain, { policy: KEEP }) };
  });
  const waiting = (nowMs = Date.now()) => loadMessages(table, recipient(), nowMs);
  const registerNow = (nowMs = Date.now()) => {
    const headers: [string, string][] = [
      ['Contact', '<sip:dev@client.invalid>'],
      ['Expires', '60'],
    ];
    const aor = `sip:${user}@demo.example`;
    const identity = { ...recipient(), role: 'user' as const };
    return register(envelopeOf({ method: 'REGISTER', from: aor, identity, headers, callId: `${nowMs}` }), ports, nowMs);
  };

  it('keeps a message for who is away (202), seven days, and hands it over at registration in order', async () => {
    for (const body of ['one', 'two', 'three']) expect((await send({ body, toTag: body })).response.status).toBe(202);
    expect((await waiting(Date.now() + SEVEN_DAYS_MS - 5_000)).map(({ body }) => body)).toEqual([
      'one',
      'two',
      'three',
    ]);
    expect(await waiting(Date.now() + SEVEN_DAYS_MS + 5_000)).toEqual([]);
    const { instructions = [] } = await registerNow();
    expect(instructions.map((each) => each.kind === 'forward' && each.request.body)).toEqual(['one', 'two', 'three']);
    expect(instructions[0]).toMatchObject({ flowId: 'flow-1', request: { requestUri: 'sip:dev@client.invalid' } });
    const headers = instructions[0]?.kind === 'forward' ? instructions[0].request.headers.map(([name]) => name) : [];
    expect(headers).toEqual(expect.arrayContaining(['From', 'To', 'Call-ID', 'CSeq', 'Date', 'Content-Type']));
    expect(headers).not.toContain('Via');
  });

  it('removes what the gateway reports as taken, nothing else', async () => {
    for (const toTag of ['a', 'b']) await send({ toTag });
    const [first] = await waiting();
    const messages = [{ recipient: { ...recipient(), role: 'user' as const }, id: first?.id ?? '' }];
    const report = { contractVersion: 1 as const, gatewayId: gatewayIdOf('g'), flows: [], subscriptions: [], messages };
    for (let i = 0; i < 2; i++) await closeFlows(report, table, Date.now());
    expect((await waiting()).map(({ id }) => id.split('.')[1])).toEqual(['b']);
  });

  it('is bounded for each user, also when many write at once: then 480', async () => {
    // On a busy machine a write may be answered too late: that sender is told 503, and its message may be kept.
    const statusOf = (toTag: string) =>
      send({ toTag }).then(
        ({ response }) => response.status,
        (error: unknown) => (error instanceof DependencyUnavailable ? 503 : Promise.reject(error)),
      );
    const statuses = await Promise.all(Array.from({ length: MAILBOX_PLACES + 10 }, (_, i) => statusOf(`m${i}`)));
    const kept = (await waiting()).length;
    const accepted = statuses.filter((status) => status === 202).length;
    const late = statuses.filter((status) => status === 503).length;
    expect(kept).toBeLessThanOrEqual(MAILBOX_PLACES);
    expect(kept).toBeGreaterThanOrEqual(accepted);
    expect(kept).toBeLessThanOrEqual(accepted + late);
    while ((await statusOf(`n${Math.random()}`)) !== 480);
    expect(await waiting()).toHaveLength(MAILBOX_PLACES);
  });

  it('keeps nothing that is worth nothing later, or only as long as the sender says', async () => {
    const typed = (type: string, more: [string, string][] = []) =>
      send({ toTag: token(), headers: [['Content-Type', type], ...more] });
    expect((await typed('application/im-iscomposing+xml')).response.status).toBe(480);
    expect((await typed('text/plain', [['Expires', '0']])).response.status).toBe(480);
    expect((await typed('text/plain', [['Expires', '60']])).response.status).toBe(202);
    expect(await waiting(Date.now() + 61_000)).toEqual([]);
  });

  it('delivers at once to a device that registers while the message is being kept', async () => {
    one.behaviour.forward = () => answered(200);
    const put: typeof table.put = async (item, condition) => {
      const result = await table.put(item, condition);
      await bind('late');
      return result;
    };
    ports = { ...ports, table: { ...table, put } };
    expect((await send()).response.status).toBe(200);
    expect(await waiting()).toEqual([]);
  });
});
