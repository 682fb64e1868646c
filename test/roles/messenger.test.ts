import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ForwardInstruction, ForwardResult } from '#contract/instruction.ts';
import type { Binding } from '#core/binding.ts';
import { type MessengerPorts, message } from '#roles/messenger.ts';
import { createGatewayClient } from '#runtime/gateway-client.ts';
import { loadBindings, saveBinding } from '#table/binding-item.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { openLeaseBook } from '#table/lease-book.ts';
import { saveLease } from '#table/lease-item.ts';
import { DEFAULT_POLICY } from '#table/tenant-item.ts';
import { userItem } from '#table/user-item.ts';
import { ALICE, BOB } from '#test/support/dialogs.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { envelopeOf, type TestRequest } from '#test/support/envelope.ts';
import { type FakeGateway, INSTRUCTION_SECRET, startFakeGateway } from '#test/support/fake-gateway.ts';

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
  client = createGatewayClient(async () => INSTRUCTION_SECRET);
});
afterAll(async () => {
  client.close();
  table.close();
  await started.stop();
});
beforeEach(async () => {
  user = `50${++count}`;
  const ha1 = { md5: 'a', sha256: 'b', md5WithDomain: 'c', sha256WithDomain: 'd' };
  await table.put(userItem({ ...recipient(), role: 'user', ha1 }));
  [one, two] = await Promise.all([startFakeGateway(), startFakeGateway()]);
  await Promise.all([lease('gateway-1', one.address), lease('gateway-2', two.address)]);
  ports = {
    table,
    nonceSecret: async () => 's3cret',
    loadUser: async () => undefined,
    loadTenant: async () => undefined,
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
    one.behaviour.forward = () => new Promise((resolve) => setTimeout(() => resolve({ kind: 'unanswered' }), 1_500));
    two.behaviour.forward = () => answered(202);
    const startedAt = performance.now();
    expect((await send()).response.status).toBe(202);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
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
    const policy = { ...DEFAULT_POLICY, maxMessageBytes: 2_000 };
    ports = { ...ports, loadTenant: async (domain) => ({ domain, policy }) };
    expect((await send({ body: 'a'.repeat(1_301) })).response.status).toBe(200);
  });
});
