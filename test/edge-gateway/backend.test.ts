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
function held(settings = SETTINGS, status = 200) {
  const invocations: { senders: (string | undefined)[]; deadlineMs: number; answer: () => void; fail: () => void }[] =
    [];
  const invoke = (_name: string, payload: unknown, deadlineMs: number) =>
    new Promise((resolve, reject) => {
      const { envelopes } = payload as { envelopes: RequestEnvelope[] };
      const outcome = { response: { ...OUTCOME.response, status } };
      const answered = { contractVersion: 1, outcomes: envelopes.map(() => outcome) };
      const senders = envelopes.map(({ identity }) => identity?.domain);
      const fail = () => reject(new DependencyUnavailable('gone'));
      invocations.push({ senders, deadlineMs, answer: () => resolve(answered), fail });
    });
  const counts = { invocations: 0, invocationsFailed: 0 } as never;
  return { queue: new FunctionQueue('publish', invoke, settings, counts), invocations };
}

const of = (domain: string): RequestEnvelope =>
  envelopeOf({ method: 'PUBLISH', identity: { domain, user: '1001', role: 'user' } });

/** Requests that are answered after 10 ms each: the queue learns that the function is fast, and uses all its places. */
async function warmed(settings: typeof SETTINGS, requests: number, status = 200): Promise<ReturnType<typeof held>> {
  const { queue, invocations } = held(settings, status);
  for (let i = 0; i < requests; i++) void queue.submit(of('warm.example'));
  while (invocations.length > 0) {
    const open = invocations.splice(0);
    await vi.advanceTimersByTimeAsync(10);
    for (const { answer } of open) answer();
    await vi.advanceTimersByTimeAsync(0);
  }
  return { queue, invocations };
}

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
  const { queue, invocations } = await warmed({ ...SETTINGS, maxInFlight: 8, maxWaiting: 100 }, 40);
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
  const { queue, invocations } = await warmed({ ...SETTINGS, maxInFlight: 1, maxBatch: 4, maxWaiting: 100 }, 40);
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
  const { queue, invocations } = await warmed(settings, 1_000);
  const underWay = (): number => invocations.reduce((sum, { senders }) => sum + senders.length, 0);
  const answerAllAfter = async (ms: number): Promise<void> => {
    const open = invocations.splice(0);
    await vi.advanceTimersByTimeAsync(ms);
    for (const { answer } of open) answer();
    await vi.advanceTimersByTimeAsync(0);
  };
  for (let i = 0; i < 4_000; i++) void queue.submit(of('a.example'));
  await answerAllAfter(20);
  expect(underWay()).toBeGreaterThan(50);
  for (let round = 0; round < 100; round++) await answerAllAfter(200);
  expect(underWay()).toBe(2);
  expect(queue.waiting).toBeGreaterThan(1_000);
  void queue.submit(of('b.example'));
  expect(invocations.at(-1)?.senders).toEqual(['b.example']);
});

it('begins with few, and takes challenges for no sign of how fast the function is', async () => {
  const settings = { ...SETTINGS, maxInFlight: 8, maxWaiting: 100 };
  const [{ queue, invocations }, works] = [await warmed(settings, 40, 401), await warmed(settings, 40)];
  for (let i = 0; i < 10; i++) void queue.submit(of('a.example'));
  for (let i = 0; i < 10; i++) void works.queue.submit(of('a.example'));
  expect([invocations.length, works.invocations.length]).toEqual([2, 6]);
});

it('takes a failure for slow, however soon it comes, and what the function can do for the same as before it', async () => {
  const { queue, invocations } = await warmed({ ...SETTINGS, maxInFlight: 32, maxWaiting: 1_000 }, 200);
  const openAfter = async (rounds: number, end: 'answer' | 'fail'): Promise<number> => {
    for (let round = 0; round < rounds; round++) {
      await vi.advanceTimersByTimeAsync(end === 'fail' ? 1 : 10);
      for (const invocation of invocations.splice(0)) invocation[end]();
      await vi.advanceTimersByTimeAsync(0);
    }
    return invocations.length;
  };
  for (let i = 0; i < 450; i++) queue.submit(of('a.example')).catch(() => {});
  expect(invocations).toHaveLength(24);
  expect(await openAfter(15, 'fail')).toBe(2);
  expect(await openAfter(8, 'answer')).toBeGreaterThan(8);
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
