/** What time does to calls and their transactions, on a clock that is set; and that nothing of them is left behind. */
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { CallRoute, CallSnapshot } from '#contract/call.ts';
import { gatewayIdOf } from '#contract/ids.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import { parseMessage } from '#core/sip/message.ts';
import { FunctionQueue } from '#gateway/backend.ts';
import { assembleCalls, type CallParts } from '#gateway/calls/assemble-calls.ts';
import { readConfig } from '#gateway/config.ts';
import { Flow, FlowTable } from '#gateway/flow-table.ts';
import { createTelemetry } from '#gateway/telemetry.ts';
import { TenantLedger } from '#gateway/tenants/tenant-ledger.ts';
import { type ReceivedMessage, readMessage } from '#test/support/sip-client.ts';

const GATEWAY = gatewayIdOf('gateway-0123456789ab');
let parts: CallParts;
let flows: FlowTable;
let sent: Map<Flow, ReceivedMessage[]>;
let snapshots: CallSnapshot[];
let alice: Flow;
let bob: Flow;
let route: Partial<CallRoute>;

beforeEach(() => {
  vi.useFakeTimers();
  sent = new Map();
  snapshots = [];
  flows = new FlowTable();
  [alice, bob] = [openFlow('1001'), openFlow('1002')];
  route = {};
  const telemetry = createTelemetry('silent', 'g');
  const invoke = async (name: string, payload: unknown): Promise<unknown> => {
    if (name === 'call-report') {
      snapshots.push(...(payload as { snapshots: CallSnapshot[] }).snapshots);
      return {};
    }
    const outcomes = (payload as { envelopes: RequestEnvelope[] }).envelopes.map(decide);
    return { contractVersion: 1, outcomes };
  };
  const limits = { deadlineMs: 5_000, maxInFlight: 8, maxBatch: 32, maxWaiting: 100 };
  const config = readConfig({
    FUNCTIONS: JSON.stringify({ methods: {}, flowClosed: 'f', lease: 'l', callReport: 'call-report' }),
    INSTRUCTION_SECRET: 'a-secret-of-the-tests',
  });
  const outbox = {
    send: (flow: Flow, text: string) => sent.get(flow)?.push(readMessage(text)),
    flush: () => undefined,
  };
  parts = assembleCalls(config, {
    ...{ gatewayId: GATEWAY, gatewayHost: 'g.invalid', transport: 'WS', address: () => 'http://127.0.0.1:1', flows },
    ...{ outbox: outbox as never, invoke, telemetry, nowMs: Date.now, identities: { prove: () => undefined } },
    secrets: () => ['a-secret-of-the-tests'],
    tenants: new TenantLedger({ ...telemetry, nowMs: Date.now, chance: () => 0 }),
    queue: new FunctionQueue('call', invoke, limits, telemetry.counts),
  });
});
afterEach(() => vi.useRealTimers());

function openFlow(user: string): Flow {
  const flow = new Flow({} as never, new PassThrough(), 'WS', '192.0.2.7', 5061, 0);
  flow.identity = { domain: 'demo.example', user, role: 'user' };
  flows.add(flow);
  sent.set(flow, []);
  return flow;
}

function decide({ party }: RequestEnvelope) {
  const response = { status: 480, reason: 'x', headers: [] };
  if (party !== undefined) return { response };
  const target = {
    ...{ kind: 'flow', flow: { gatewayId: GATEWAY, address: 'http://127.0.0.1:1', flowId: bob.id } },
    ...{ contactUri: 'sip:bob@b.invalid', q: 1 },
  };
  return {
    response,
    route: {
      ...{ domain: 'demo.example', callKey: 'key', caller: 'sip:1001@demo.example', callee: 'sip:1002@demo.example' },
      ...{
        targets: [target],
        headers: [],
        noAnswerMs: 600_000,
        noAnswerStatus: 480,
        maxDurationMs: 43_200_000,
        ...route,
      },
    },
  };
}

const settle = (milliseconds = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(milliseconds);
const last = (flow: Flow): ReceivedMessage | undefined => sent.get(flow)?.at(-1);
const requestsAt = (flow: Flow): string[] => (sent.get(flow) ?? []).map(({ method }) => method).filter(Boolean);
const statusesAt = (flow: Flow): number[] => (sent.get(flow) ?? []).map(({ status }) => status).filter(Boolean);

function receive(flow: Flow, text: string): void {
  const message = parseMessage(text);
  const limits = { refusal: undefined, isDraining: false, isUtf8: true };
  if (message.kind === 'request') parts.callPath.receive(flow, message, limits);
  else if (message.kind === 'response')
    parts.callPath.receiveResponse(flow, /branch=([^;\r]+)/.exec(text)?.[1] ?? '', message);
  else throw new Error(`${message.kind} ${text}`);
}

const request = (
  method: string,
  cseq: number,
  tags: [string, string?] = ['a', 'b'],
  branch = `z9hG4bK${method}${cseq}`,
): string =>
  [
    `${method} sip:1002@demo.example SIP/2.0`,
    `Via: SIP/2.0/WS a.invalid;branch=${branch}`,
    `From: <sip:1001@demo.example>;tag=${tags[0]}`,
    `To: <sip:1002@demo.example>${tags[1] === undefined ? '' : `;tag=${tags[1]}`}`,
    ...['Call-ID: c1', `CSeq: ${cseq} ${method}`, 'Contact: <sip:alice@a.invalid>', 'Content-Length: 0', '', ''],
  ].join('\r\n');

function answer(flow: Flow, to: ReceivedMessage | undefined, status: number): void {
  if (to === undefined) throw new Error('nothing to answer');
  const echoed = ['Via', 'From', 'Call-ID', 'CSeq'].flatMap((name) =>
    to.headers(name).map((value) => `${name}: ${value}`),
  );
  const tag = to.header('to').includes('tag=') ? '' : ';tag=b';
  receive(
    flow,
    [
      `SIP/2.0 ${status} Answer`,
      ...echoed,
      `To: ${to.header('to')}${tag}`,
      'Contact: <sip:bob@b.invalid>',
      'Content-Length: 0',
      '',
      '',
    ].join('\r\n'),
  );
}

async function converse(): Promise<void> {
  receive(alice, request('INVITE', 1, ['a']));
  await settle();
  answer(bob, last(bob), 200);
  receive(alice, request('ACK', 1));
  await settle();
  expect(snapshots.at(-1)?.state).toBe('confirmed');
}

/** Long after the end of everything: nothing is kept. */
async function expectNothingLeft(): Promise<void> {
  await settle(200_000);
  expect([parts.calls.live, [...parts.calls.values()].length, parts.transactions.size]).toEqual([0, 0, 0]);
}

describe('transactions end (RFC 3261 section 17)', () => {
  test('a device that says nothing at all is given up after 32 s', async () => {
    receive(alice, request('INVITE', 1, ['a']));
    await settle(31_900);
    expect(statusesAt(alice)).toEqual([100]);
    await settle(200);
    expect(statusesAt(alice)).toEqual([100, 408]);
    expect(snapshots.at(-1)).toMatchObject({ state: 'terminated', cause: 'noAnswer', status: 408 });
    await expectNothingLeft();
  });

  test('a request in the dialog that nobody answers is given up silently after 32 s (RFC 4320)', async () => {
    await converse();
    receive(alice, request('INFO', 2));
    await settle();
    expect(last(bob)?.method).toBe('INFO');
    await settle(33_000);
    expect(statusesAt(alice)).toEqual([100, 200]);
    // Its sender may try anew.
    receive(alice, request('INFO', 2));
    await settle();
    expect(requestsAt(bob).filter((method) => method === 'INFO')).toHaveLength(2);
    receive(alice, request('BYE', 3));
    await settle();
    await expectNothingLeft();
  });

  test('a re-INVITE that is never answered finally: CANCEL and 408 after timer C', async () => {
    await converse();
    receive(alice, request('INVITE', 2));
    await settle();
    answer(bob, last(bob), 180);
    await settle(184_000);
    expect(requestsAt(bob)).not.toContain('CANCEL');
    await settle(2_000);
    expect(requestsAt(bob).at(-1)).toBe('CANCEL');
    expect(statusesAt(alice).at(-1)).toBe(408);
    receive(alice, request('BYE', 3));
    await settle();
    answer(bob, last(bob), 200);
    await expectNothingLeft();
  });

  test('a whole call leaves nothing behind', async () => {
    await converse();
    receive(alice, request('BYE', 2));
    await settle();
    answer(bob, last(bob), 200);
    expect(statusesAt(alice)).toEqual([100, 200, 200]);
    expect(parts.calls.live).toBe(0);
    await expectNothingLeft();
  });

  test('a refused call leaves nothing behind, and neither does what fits no call', async () => {
    receive(alice, request('INVITE', 1, ['a']));
    await settle();
    answer(bob, last(bob), 486);
    receive(alice, request('BYE', 7, ['x', 'y']));
    receive(alice, request('CANCEL', 8, ['x']));
    await settle();
    expect(statusesAt(alice)).toEqual([100, 486, 481, 481]);
    await expectNothingLeft();
  });
});

describe('a call ends by the clock', () => {
  test('after the longest time that its route allows, also beyond what one timer can hold', async () => {
    route = { maxDurationMs: 30 * 86_400_000 };
    await converse();
    await settle(29 * 86_400_000);
    expect(snapshots.at(-1)?.state).toBe('confirmed');
    await settle(1 * 86_400_000);
    expect(snapshots.at(-1)).toMatchObject({ state: 'terminated', cause: 'tooLong' });
    expect([last(alice)?.method, last(bob)?.method]).toEqual(['BYE', 'BYE']);
    await expectNothingLeft();
  });

  test('32 s after the loss of a flow, not before', async () => {
    await converse();
    bob.closed = true;
    flows.remove(bob);
    parts.callPath.flowClosed(bob);
    await settle(20_000);
    parts.callPath.flowClosed(bob); // said twice: the grace is not longer
    await settle(11_900);
    expect(requestsAt(alice)).toEqual([]);
    await settle(200);
    expect(requestsAt(alice)).toEqual(['BYE']);
    expect(snapshots.at(-1)).toMatchObject({ state: 'terminated', cause: 'flowLost' });
    await expectNothingLeft();
  });

  test('a request for a lost party waits while the grace lasts, then the call is over: 481', async () => {
    await converse();
    bob.closed = true;
    flows.remove(bob);
    parts.callPath.flowClosed(bob);
    receive(alice, request('INFO', 2));
    await settle(25_000);
    expect(statusesAt(alice)).toEqual([100, 200]);
    await settle(9_000);
    expect(statusesAt(alice).slice(2)).toEqual([481]);
    await expectNothingLeft();
  });
});
