import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { InvocationReport, MappingPolicy } from '#cdk/local/streams/batch-rules.ts';
import { Lane } from '#cdk/local/streams/lane.ts';
import { ShardProgress } from '#cdk/local/streams/progress.ts';
import { readableShards } from '#cdk/local/streams/shard-order.ts';
import type { MappedRecord } from '#cdk/local/streams/stream-record.ts';

const record = (index: number): MappedRecord => ({
  sequenceNumber: String(index),
  createdAtMs: Date.now(),
  bytes: 10,
  json: '{}',
  partitionKey: 'key',
});

/** How the function under the mapping behaves towards one record. */
type Temper = 'good' | 'poison' | 'flaky';
const tempers = fc.array(fc.constantFrom<Temper>('good', 'good', 'good', 'poison', 'flaky'), { maxLength: 40 });
const policies = fc.record<MappingPolicy>({
  batchSize: fc.integer({ min: 1, max: 10 }),
  maximumRetryAttempts: fc.integer({ min: 1, max: 4 }),
  maximumRecordAgeSeconds: fc.constant(60),
  bisectBatchOnFunctionError: fc.constant(true),
  reportBatchItemFailures: fc.boolean(),
});

/** Runs a lane to its end against a function that fails on poison always and on flaky records the first time. */
async function runLane(behaviour: readonly Temper[], policy: MappingPolicy, unreachedAt: number) {
  const delivered: number[] = [];
  const finished: number[] = [];
  const givenUp: number[] = [];
  const seenFlaky = new Set<number>();
  let invocations = 0;
  const fails = (index: number) => {
    if (behaviour[index] !== 'flaky') return behaviour[index] === 'poison';
    return !seenFlaky.has(index) && seenFlaky.add(index).has(index);
  };
  const numbers = (records: readonly MappedRecord[]) => records.map((one) => Number(one.sequenceNumber));
  const { promise, resolve } = Promise.withResolvers<void>();
  const ports = {
    async invoke(records: readonly MappedRecord[]): Promise<InvocationReport> {
      invocations += 1;
      if (invocations === unreachedAt) return { kind: 'unreached' };
      const failed = numbers(records).findIndex(fails);
      delivered.push(...numbers(records).slice(0, failed < 0 ? records.length : failed));
      if (failed < 0) return { kind: 'succeeded' };
      if (!policy.reportBatchItemFailures) return { kind: 'failed' };
      return { kind: 'partly', failedSequenceNumbers: [records[failed]?.sequenceNumber] };
    },
    giveUp: (records: readonly MappedRecord[]) => givenUp.push(...numbers(records)),
    finish(records: readonly MappedRecord[]) {
      finished.push(...numbers(records));
      if (finished.length === behaviour.length) resolve();
    },
    wait: () => Promise.resolve(),
  };
  const lane = new Lane(policy, ports, new AbortController().signal);
  behaviour.forEach((_, index) => {
    lane.push(record(index));
  });
  lane.start();
  if (behaviour.length > 0) await promise;
  return { delivered, finished, givenUp };
}

describe('a lane of the event source mapping', () => {
  it('delivers every good record in order, at least once, and gives up the poison only', async () => {
    await fc.assert(
      fc.asyncProperty(tempers, policies, fc.integer({ min: 1, max: 20 }), async (behaviour, policy, unreachedAt) => {
        const { delivered, finished, givenUp } = await runLane(behaviour, policy, unreachedAt);
        const all = behaviour.map((_, index) => index);
        expect(finished).toEqual(all);
        expect(givenUp).toEqual(all.filter((index) => behaviour[index] === 'poison'));
        const firsts = [...new Set(delivered)];
        expect(firsts).toEqual(all.filter((index) => behaviour[index] !== 'poison'));
      }),
    );
  });

  it('never delivers a record after a later one is finished', async () => {
    await fc.assert(
      fc.asyncProperty(tempers, policies, async (behaviour, policy) => {
        const { finished } = await runLane(behaviour, policy, 0);
        expect(finished).toEqual([...finished].sort((one, other) => one - other));
      }),
    );
  });
});

describe('the checkpoint of a shard', () => {
  it('stands before the oldest unfinished record, whatever the order in which they finish', () => {
    const orders = fc.integer({ min: 1, max: 30 }).chain((count) =>
      fc.shuffledSubarray(
        Array.from({ length: count }, (_, index) => index),
        { minLength: count },
      ),
    );
    fc.assert(
      fc.property(orders, (order) => {
        const progress = new ShardProgress();
        for (const index of order.keys()) progress.read(String(index));
        const finished = new Set<number>();
        for (const index of order) {
          progress.finish([String(index)]);
          finished.add(index);
          const oldestOpen = [...order.keys()].find((one) => !finished.has(one)) ?? order.length;
          expect(progress.checkpoint).toBe(oldestOpen === 0 ? undefined : String(oldestOpen - 1));
        }
        expect(progress.openRecords).toBe(0);
      }),
    );
  });
});

describe('the shards of a stream', () => {
  const shards = [
    { ShardId: 'parent', ParentShardId: 'forgotten' },
    { ShardId: 'left', ParentShardId: 'parent' },
    { ShardId: 'right', ParentShardId: 'parent' },
  ];

  it('are read parent first', () => {
    expect(readableShards(shards, new Set(), new Set())).toEqual(['parent']);
    expect(readableShards(shards, new Set(['parent']), new Set())).toEqual([]);
    expect(readableShards(shards, new Set(['parent']), new Set(['parent']))).toEqual(['left', 'right']);
  });
});
