import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import { DependencyUnavailable } from '#core/error.ts';
import { FunctionQueue } from '#gateway/backend.ts';

const ENVELOPE = {} as RequestEnvelope;
const OUTCOME = { response: { status: 200, reason: 'OK', headers: [] } };
const SETTINGS = { deadlineMs: 5_000, maxInFlight: 1, maxBatch: 1, maxWaiting: 3 };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('refuses who has waited for an invocation as long as one may take, and serves who came later', async () => {
  const answers: (() => void)[] = [];
  const answered = { contractVersion: 1, outcomes: [OUTCOME] };
  const invoke = () => new Promise((resolve) => answers.push(() => resolve(answered)));
  const counts = { invocations: 0, invocationsFailed: 0 } as never;
  const queue = new FunctionQueue('call', invoke, SETTINGS, counts);
  const first = queue.submit(ENVELOPE);
  const late = queue.submit(ENVELOPE).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(4_000);
  const inTime = queue.submit(ENVELOPE);
  await vi.advanceTimersByTimeAsync(1_500);
  answers[0]?.();
  expect((await first).response.status).toBe(200);
  const refusal = await late;
  expect(refusal).toBeInstanceOf(DependencyUnavailable);
  expect(refusal).toMatchObject({ retryAfterSeconds: 5 });
  await vi.advanceTimersByTimeAsync(0);
  answers[1]?.();
  expect((await inTime).response.status).toBe(200);
  expect(queue.waiting).toBe(0);
});
