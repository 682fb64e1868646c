import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ForwardInstruction } from '#contract/instruction.ts';
import { parseMessage } from '#core/sip/message.ts';
import { Flow, FlowTable } from '#gateway/flow-table.ts';
import { FORWARD_BRANCH_PREFIX, ForwardPath } from '#gateway/forward-path.ts';
import { createTelemetry, type Telemetry } from '#gateway/telemetry.ts';

let flows: FlowTable;
let flow: Flow;
let sent: string[];
let telemetry: Telemetry;
let path: ForwardPath;

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  flows = new FlowTable();
  flow = openFlow();
  telemetry = createTelemetry('silent', 'g');
  const outbox = { send: (_owner: unknown, text: string) => sent.push(text) };
  path = new ForwardPath({ gatewayHost: 'g.invalid', flows, outbox: outbox as never, ...telemetry });
});
afterEach(() => {
  vi.useRealTimers();
});

function openFlow(): Flow {
  const opened = new Flow({} as never, new PassThrough(), 'WSS', '192.0.2.7', 5061, 0);
  flows.add(opened);
  return opened;
}

const instructionOf = (id: string, more: Partial<ForwardInstruction> = {}): ForwardInstruction => ({
  ...{ kind: 'forward', id, flowId: flow.id, answerWithinMs: 3_000 },
  request: { method: 'MESSAGE', requestUri: 'sip:x@client.invalid', headers: [['Call-ID', 'c1']], body: 'hé' },
  ...more,
});

function answer(id: string, status: number, from = flow, fields = 'Server: phone\r\n'): void {
  const via = `Via: SIP/2.0/WSS g.invalid;branch=${FORWARD_BRANCH_PREFIX}${id}\r\n`;
  const head = `SIP/2.0 ${status} Word\r\n${via}From: <sip:a@b>;tag=1\r\nTo: <sip:c@b>\r\nCall-ID: c1\r\nCSeq: 1 MESSAGE\r\n`;
  const response = parseMessage(`${head}${fields}Content-Length: 0\r\n\r\n`);
  if (response.kind === 'response') path.takeAnswer(from, `${FORWARD_BRANCH_PREFIX}${id}`, response);
}

describe('a request of a function on a flow', () => {
  it('goes out under our Via and comes back with the peer’s answer, hop fields left out', async () => {
    const result = path.forward(instructionOf('m1'));
    expect(sent).toEqual([
      'MESSAGE sip:x@client.invalid SIP/2.0\r\nVia: SIP/2.0/WSS g.invalid;branch=z9hG4bKf.m1\r\nCall-ID: c1\r\nContent-Length: 3\r\n\r\nhé',
    ]);
    expect(path.underWay).toBe(1);
    answer('m1', 100);
    answer('m1', 200);
    expect(await result).toEqual({
      kind: 'answered',
      response: { status: 200, reason: 'Word', headers: [['Server', 'phone']] },
    });
    expect(path.underWay).toBe(0);
  });

  it('is not believed to be answered by another flow', async () => {
    const result = path.forward(instructionOf('m1'));
    answer('m1', 200, openFlow());
    vi.advanceTimersByTime(3_000);
    expect(await result).toEqual({ kind: 'unanswered' });
    expect(telemetry.counts.forwardsTimedOut).toBe(1);
  });

  it('is sent once when the instruction comes twice', async () => {
    const results = [path.forward(instructionOf('m1')), path.forward(instructionOf('m1'))];
    answer('m1', 486);
    expect(sent).toHaveLength(1);
    expect((await Promise.all(results)).map(({ kind }) => kind)).toEqual(['answered', 'answered']);
  });

  it('ends with its flow, and is not sent on one that is unknown', async () => {
    const result = path.forward(instructionOf('m1'));
    flow.closed = true;
    path.flowClosed(flow);
    expect(await result).toEqual({ kind: 'noFlow' });
    expect(await path.forward(instructionOf('m2'))).toEqual({ kind: 'noFlow' });
    expect(sent).toHaveLength(1);
  });

  it('waits alone on a flow that left one unanswered, until that flow answers again', async () => {
    const first = path.forward(instructionOf('m1'));
    vi.advanceTimersByTime(3_000);
    expect(await first).toEqual({ kind: 'unanswered' });
    const probe = path.forward(instructionOf('m2'));
    expect(await path.forward(instructionOf('m3'))).toEqual({ kind: 'unanswered' });
    answer('m2', 200);
    await probe;
    for (let i = 0; i < 64; i++) void path.forward(instructionOf(`n${i}`));
    expect(sent).toHaveLength(66);
    expect(await path.forward(instructionOf('one-too-many'))).toEqual({ kind: 'unanswered' });
  });
});
