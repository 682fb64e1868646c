import { describe, expect, it } from 'vitest';
import { batchLength, dropAged, judgeBatch, type MappingPolicy, readReport } from '#cdk/local/streams/batch-rules.ts';

const T0 = 1_700_000_000_000;
const POLICY: MappingPolicy = {
  batchSize: 3,
  maximumRetryAttempts: 2,
  maximumRecordAgeSeconds: 60,
  bisectBatchOnFunctionError: true,
  reportBatchItemFailures: true,
};
const record = (sequenceNumber: string, createdAtMs = T0) => ({ sequenceNumber, createdAtMs, bytes: 100 });
const [a, b, c, d] = [record('1'), record('2'), record('3'), record('4')];

describe('a batch', () => {
  it('is bounded by the batch size', () => {
    expect(batchLength([a, b, c, d], 3)).toBe(3);
    expect(batchLength([a], 3)).toBe(1);
    expect(batchLength([], 3)).toBe(0);
  });

  it("is bounded by Lambda's payload, but never empty", () => {
    const large = { ...a, bytes: 3_000_000 };
    expect(batchLength([large, large, large], 100)).toBe(1);
    expect(batchLength([{ ...a, bytes: 9_000_000 }], 100)).toBe(1);
  });

  it('loses the records that are over the greatest age', () => {
    const old = record('1', T0 - 60_001);
    const young = record('2', T0 - 60_000);
    expect(dropAged({ records: [old, young], failures: 1 }, POLICY, T0)).toEqual({
      batch: { records: [young], failures: 1 },
      aged: [old],
    });
    expect(dropAged({ records: [old], failures: 1 }, POLICY, T0)).toEqual({ batch: undefined, aged: [old] });
  });
});

describe('the verdict over a batch', () => {
  it('is done when the function succeeded', () => {
    const verdict = judgeBatch({ records: [a, b], failures: 1 }, { kind: 'succeeded' }, POLICY);
    expect(verdict).toEqual({ done: [a, b], givenUp: [], next: [], retryAfterMs: 0 });
  });

  it('bisects a failed batch in order, without counting a retry', () => {
    const verdict = judgeBatch({ records: [a, b, c], failures: 1 }, { kind: 'failed' }, POLICY);
    expect(verdict).toMatchObject({ done: [], givenUp: [] });
    expect(verdict.next).toEqual([
      { records: [a, b], failures: 1 },
      { records: [c], failures: 1 },
    ]);
  });

  it('repeats a failed batch whole when bisection is off', () => {
    const policy = { ...POLICY, bisectBatchOnFunctionError: false };
    const verdict = judgeBatch({ records: [a, b], failures: 0 }, { kind: 'failed' }, policy);
    expect(verdict.next).toEqual([{ records: [a, b], failures: 1 }]);
  });

  it('waits longer with each failure', () => {
    const waits = [0, 1, 8].map(
      (failures) =>
        judgeBatch({ records: [a], failures }, { kind: 'failed' }, { ...POLICY, maximumRetryAttempts: 10 })
          .retryAfterMs,
    );
    expect(waits).toEqual([100, 200, 2_000]);
  });

  it('gives a record up after its retries', () => {
    const verdict = judgeBatch({ records: [a], failures: 2 }, { kind: 'failed' }, POLICY);
    expect(verdict).toEqual({ done: [], givenUp: [a], next: [], retryAfterMs: 0 });
  });

  it('takes the lowest failed item as the checkpoint and repeats from there', () => {
    const report = { kind: 'partly', failedSequenceNumbers: ['3', '2'] } as const;
    const verdict = judgeBatch({ records: [a, b, c], failures: 0 }, report, POLICY);
    expect(verdict).toMatchObject({ done: [a], givenUp: [] });
    expect(verdict.next).toEqual([
      { records: [b], failures: 1 },
      { records: [c], failures: 0 },
    ]);
  });

  it('gives up only the failed item, never what stands behind it', () => {
    const report = { kind: 'partly', failedSequenceNumbers: ['1'] } as const;
    const verdict = judgeBatch({ records: [a, b], failures: 2 }, report, POLICY);
    expect(verdict).toEqual({ done: [], givenUp: [a], next: [{ records: [b], failures: 0 }], retryAfterMs: 0 });
  });

  it.each([['9'], [''], [undefined]])('takes all as failed when the identifier %s was never sent', (id) => {
    const verdict = judgeBatch(
      { records: [a, b], failures: 0 },
      { kind: 'partly', failedSequenceNumbers: [id] },
      POLICY,
    );
    expect(verdict.done).toEqual([]);
    expect(verdict.next.flatMap((batch) => batch.records)).toEqual([a, b]);
  });

  it('ignores item failures unless the mapping asked for them', () => {
    const policy = { ...POLICY, reportBatchItemFailures: false };
    const verdict = judgeBatch({ records: [a], failures: 0 }, { kind: 'partly', failedSequenceNumbers: ['1'] }, policy);
    expect(verdict.done).toEqual([a]);
  });

  it('costs no attempt when the function was not reached', () => {
    const verdict = judgeBatch({ records: [a, b], failures: 2 }, { kind: 'unreached' }, POLICY);
    expect(verdict.next).toEqual([{ records: [a, b], failures: 2 }]);
  });
});

describe("a function's response", () => {
  it.each([
    [null, { kind: 'succeeded' }],
    ['text', { kind: 'succeeded' }],
    [{}, { kind: 'succeeded' }],
    [{ batchItemFailures: null }, { kind: 'succeeded' }],
    [{ batchItemFailures: [{ itemIdentifier: '7' }] }, { kind: 'partly', failedSequenceNumbers: ['7'] }],
    [{ batchItemFailures: [null] }, { kind: 'partly', failedSequenceNumbers: [undefined] }],
    [{ batchItemFailures: '7' }, { kind: 'failed' }],
  ])('%j is read as Lambda does', (response, report) => {
    expect(readReport(response)).toEqual(report);
  });
});
