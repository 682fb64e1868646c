import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import { DependencyUnavailable } from '#core/error.ts';
import { FunctionQueue } from '#gateway/backend.ts';
import { envelopeOf } from '#test/support/envelope.ts';

const ENVELOPE = envelopeOf({ method: 'INVITE' });
const OUTCOME = { response: { status: 200, reason: 'OK', headers: [] } };
const SETTINGS = { deadlineMs: 5_000, maxInFlight: 1, maxBatch: 1, maxWaiting: 3 };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A function that answers when told to, with what each invocation carried. */
function held(settings = SETTINGS) {
  const invocations: { senders: (string | undefined)[]; deadlineMs: number; answer: () => void }[] = [];
  const invoke = (_name: string, payload: unknown, deadlineMs: number) =>
    new Promise((resolve) => {
      const { envelopes } = payload as { envelopes: RequestEnvelope[] };
      const answered = { contractVersion: 1, outcomes: envelopes.map(() => OUTCOME) };
      const senders = envelopes.map(({ identity }) => identity?.domain);
      invocations.push({ senders, deadlineMs, answer: () => resolve(answered) });
    });
  const counts = { invocations: 0, invocationsFailed: 0 } as never;
  return { queue: new FunctionQueue('publish', invoke, settings, counts), invocations };
}

const of = (domain: string): RequestEnvelope =>
  envelopeOf({ method: 'PUBLISH', identity: { domain, user: '1001', role: 'user' } });

describe('a request waits for its function half as long as a call may take, from its arrival', () => {
  const refusalOf = (request: Promise<unknown>) => request.catch((error: unknown) => error);

  it('refused then by the clock, although nothing comes back; who came later is served', async () => {
    const { queue, invocations } = held();
    const first = queue.submit(ENVELOPE);
    let refusal: unknown;
    queue.submit(ENVELOPE).catch((error: unknown) => (refusal = error));
    await vi.advanceTimersByTimeAsync(2_000);
    const inTime = queue.submit(ENVELOPE);
    expect([refusal, queue.waiting]).toEqual([undefined, 2]);
    await vi.advanceTimersByTimeAsync(700);
    expect(refusal).toBeInstanceOf(DependencyUnavailable);
    expect(refusal).toMatchObject({ message: 'waited too long', retryAfterSeconds: 5 });
    invocations[0]?.answer();
    expect((await first).response.status).toBe(200);
    await vi.advanceTimersByTimeAsync(0);
    invocations[1]?.answer();
    expect((await inTime).response.status).toBe(200);
    expect([queue.waiting, vi.getTimerCount()]).toEqual([0, 1]);
    await vi.advanceTimersByTimeAsync(100);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('refused in time also when it has waited for its turn before, behind others that have not', async () => {
    const { queue } = held();
    void queue.submit(ENVELOPE);
    void queue.submit(ENVELOPE);
    let refusal: unknown;
    queue.submit(ENVELOPE, 2_000).catch((error: unknown) => (refusal = error));
    await vi.advanceTimersByTimeAsync(700);
    expect(refusal).toMatchObject({ message: 'waited too long' });
    expect(queue.waiting).toBe(1);
  });

  it('refused at once when it comes too late from its turn', async () => {
    const { queue, invocations } = held();
    const refusal = await refusalOf(queue.submit(ENVELOPE, 2_500));
    expect(refusal).toMatchObject({ message: 'waited too long', retryAfterSeconds: 5 });
    void queue.submit(ENVELOPE, 2_499);
    expect(invocations.map(({ deadlineMs }) => deadlineMs)).toEqual([5_000]);
  });
});

it('keeps a quarter of the invocations for who has none under way', async () => {
  const { queue, invocations } = held({ ...SETTINGS, maxInFlight: 8, maxWaiting: 100 });
  for (let i = 0; i < 20; i++) void queue.submit(of('a.example'));
  expect(invocations).toHaveLength(6);
  void queue.submit(of('b.example'));
  void queue.submit(of('c.example'));
  expect(invocations.slice(6).map(({ senders }) => senders)).toEqual([['b.example'], ['c.example']]);
  void queue.submit(of('b.example'));
  expect(invocations).toHaveLength(8);
  expect(queue.waiting).toBe(15);
});

it('serves who has nothing under way first, and without those who have', async () => {
  const { queue, invocations } = held({ ...SETTINGS, maxInFlight: 1, maxBatch: 4, maxWaiting: 100 });
  for (let i = 0; i < 10; i++) void queue.submit(of('a.example'));
  void queue.submit(of('b.example'));
  invocations[0]?.answer();
  await vi.advanceTimersByTimeAsync(0);
  expect(invocations[1]?.senders).toEqual(['a.example', 'b.example', 'a.example', 'a.example']);
  invocations[1]?.answer();
  await vi.advanceTimersByTimeAsync(0);
  expect(invocations[2]?.senders).toEqual(['a.example', 'a.example', 'a.example', 'a.example']);
});

it('lets less wait in a function that grows slow with it, and serves newcomers at once all the same', async () => {
  const settings = { deadlineMs: 60_000, maxInFlight: 8, maxBatch: 32, maxWaiting: 10_000 };
  const { queue, invocations } = held(settings);
  const underWay = (): number => invocations.reduce((sum, { senders }) => sum + senders.length, 0);
  const answerAllAfter = async (ms: number): Promise<void> => {
    const open = invocations.splice(0);
    await vi.advanceTimersByTimeAsync(ms);
    for (const { answer } of open) answer();
    await vi.advanceTimersByTimeAsync(0);
  };
  void queue.submit(of('a.example'));
  await answerAllAfter(10);
  for (let i = 0; i < 4_000; i++) void queue.submit(of('a.example'));
  await answerAllAfter(20);
  expect(underWay()).toBeGreaterThan(60);
  for (let round = 0; round < 60; round++) await answerAllAfter(200);
  expect(underWay()).toBe(4);
  expect(invocations.every(({ senders }) => senders.length >= 4)).toBe(true);
  expect(queue.waiting).toBeGreaterThan(1_000);
  void queue.submit(of('b.example'));
  expect(invocations.at(-1)?.senders).toEqual(['b.example']);
});

it('a tenant that fills its share of the places is refused, others are not', async () => {
  const { queue } = held({ ...SETTINGS, maxWaiting: 10 });
  const refusals: unknown[] = [];
  for (let i = 0; i < 10; i++) queue.submit(of('a.example')).catch((error: unknown) => refusals.push(error));
  await vi.advanceTimersByTimeAsync(0);
  expect(queue.waiting).toBe(5);
  expect(refusals).toHaveLength(4);
  expect(refusals[0]).toBeInstanceOf(DependencyUnavailable);
  void queue.submit(of('b.example'));
  expect(queue.waiting).toBe(6);
});

it('hands on what tenants may use, before the outcomes', async () => {
  const quotas = {
    flows: 1,
    subscriptions: 2,
    calls: 3,
    requestsPerSecond: 4,
    publicationsPerSecond: 5,
    messagesPerSecond: 6,
  };
  const invoke = async () => ({ contractVersion: 1, outcomes: [OUTCOME], quotas: { 'a.example': quotas } });
  const heard: unknown[] = [];
  const counts = { invocations: 0, invocationsFailed: 0 } as never;
  const queue = new FunctionQueue('publish', invoke, SETTINGS, counts, (...said) => heard.push(said));
  await queue.submit(of('a.example'));
  expect(heard).toEqual([['a.example', quotas]]);
});
