import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newBucket, returnToken, secondsToToken, takeToken } from '#core/token-bucket.ts';

const T0 = 1_700_000_000_000;

describe('token bucket', () => {
  it('is full at first, then gives as many as its rate', () => {
    const bucket = newBucket(T0);
    const rate = { perSecond: 2, burst: 3 };
    const take = (atMs: number): boolean => takeToken(bucket, rate, T0 + atMs);
    expect([take(0), take(0), take(0), take(0)]).toEqual([true, true, true, false]);
    expect([take(499), take(500), take(500)]).toEqual([false, true, false]);
    expect([take(60_000), take(60_000), take(60_000), take(60_000)]).toEqual([true, true, true, false]);
  });

  it('says when there is a token again', () => {
    const bucket = newBucket(T0);
    const rate = { perSecond: 0.2, burst: 1 };
    takeToken(bucket, rate, T0);
    expect(takeToken(bucket, rate, T0 + 1_000)).toBe(false);
    expect(secondsToToken(bucket, rate)).toBe(4);
    expect(takeToken(bucket, rate, T0 + 5_000)).toBe(true);
  });

  it('takes back a token, never more than it can hold', () => {
    const bucket = newBucket(T0);
    const rate = { perSecond: 1, burst: 2 };
    takeToken(bucket, rate, T0);
    for (let i = 0; i < 5; i++) returnToken(bucket, rate);
    expect([0, 0, 0].map(() => takeToken(bucket, rate, T0))).toEqual([true, true, false]);
  });

  it('gives at most rate * t + burst in every stretch of time, and all of that to who asks often enough', () => {
    const steps = fc.array(
      fc.record({ afterMs: fc.integer({ min: 0, max: 3_000 }), asks: fc.integer({ min: 1, max: 20 }) }),
      {
        minLength: 1,
        maxLength: 40,
      },
    );
    fc.assert(
      fc.property(
        steps,
        fc.double({ min: 0.1, max: 50, noNaN: true }),
        fc.integer({ min: 1, max: 30 }),
        (all, perSecond, burst) => {
          const bucket = newBucket(T0);
          const given: number[] = [];
          let now = T0;
          let refusedAtMs: number | undefined;
          for (const { afterMs, asks } of all) {
            now += afterMs;
            for (let i = 0; i < asks; i++) {
              if (takeToken(bucket, { perSecond, burst }, now)) given.push(now);
              else refusedAtMs = now;
            }
          }
          // The k-th token after another one needs k tokens' time, less the burst.
          const tooMany = given.some((fromMs, from) =>
            given.some((toMs, to) => to > from && to - from + 1 > (perSecond * (toMs - fromMs)) / 1000 + burst + 1e-6),
          );
          expect(tooMany).toBe(false);
          // Whoever was refused had been given the whole burst at least.
          if (refusedAtMs !== undefined) expect(given.length).toBeGreaterThanOrEqual(burst);
        },
      ),
      { numRuns: 200 },
    );
  });
});
