import { describe, expect, it } from 'vitest';
import { Pace } from '#gateway/tenants/pace.ts';

const T0 = 1_700_000_000_000;
const MOST = 256;

/** A function with so many workers: a request takes as long as those before it let it. */
const served = (underWay: number, workers: number): number => 10 * Math.max(1, underWay / workers);

/** As many as may be under way are, until so many invocations have landed. @returns the longest time of the last ones */
function storm(pace: Pace, workers: number, invocations: number, sinceMs = T0): number {
  let longestMs = 0;
  for (let n = 0; n < invocations; n++) {
    const durationMs = served(pace.limit, workers);
    pace.landed(durationMs, pace.limit, sinceMs + n * 5);
    if (n > invocations - 50) longestMs = Math.max(longestMs, durationMs);
  }
  return longestMs;
}

/** One request alone: what the function takes when it has nothing else to do. */
const lone = (pace: Pace, nowMs = T0): void => pace.landed(served(1, 8), 1, nowMs);

describe('pace', () => {
  it('goes up to the most while the function grows no slower', () => {
    const pace = new Pace(MOST);
    expect(pace.limit).toBe(2);
    storm(pace, MOST, 400);
    expect(pace.limit).toBe(MOST);
  });

  it('does not grow before the first eight have shown what is fast', () => {
    const pace = new Pace(MOST);
    storm(pace, 8, 8);
    expect(pace.limit).toBe(2);
    storm(pace, 8, 1);
    expect(pace.limit).toBe(3);
  });

  it('settles where invocations take little longer than a lone one', () => {
    const pace = new Pace(MOST);
    lone(pace);
    expect(storm(pace, 8, 1_000)).toBeLessThan(70);
    expect(pace.limit).toBeGreaterThan(16);
    expect(pace.limit).toBeLessThan(64);
  });

  it('keeps the least for a function that is always slow', () => {
    const pace = new Pace(MOST);
    lone(pace);
    for (let n = 0; n < 200; n++) pace.landed(400, pace.limit, T0 + n * 100);
    expect(pace.limit).toBe(2);
  });

  it('is not led by a few slow ones among fast ones', () => {
    const pace = new Pace(MOST);
    lone(pace);
    for (let n = 0; n < 200; n++) pace.landed(n % 4 === 2 ? 2_000 : 10, pace.limit, T0 + n);
    expect(pace.limit).toBeGreaterThan(140);
  });

  it('takes a function that is slower for good for what it is, within a minute', () => {
    const pace = new Pace(MOST);
    lone(pace);
    for (let n = 0; n < 100; n++) pace.landed(300, pace.limit, T0 + n * 100);
    expect(pace.limit).toBe(2);
    for (let n = 0; n < 400; n++) pace.landed(300, pace.limit, T0 + 61_000 + n * 100);
    expect(pace.limit).toBeGreaterThan(100);
  });

  it('does not take what a storm makes of a function for what it is, however long the storm lasts', () => {
    const pace = new Pace(MOST);
    lone(pace);
    // Five minutes.
    for (let n = 0; n < 60_000; n++) pace.landed(served(pace.limit, 8), pace.limit, T0 + n * 5);
    expect(pace.limit).toBeLessThan(64);
  });

  it('learns nothing from a gateway that has little to do', () => {
    const pace = new Pace(MOST);
    for (let n = 0; n < 1_000; n++) lone(pace, T0 + n);
    expect(pace.limit).toBe(3);
  });

  it('stays within a small number of places', () => {
    const pace = new Pace(1);
    for (let n = 0; n < 100; n++) pace.landed(n % 2 === 0 ? 10 : 5_000, 1, T0 + n);
    expect(pace.limit).toBe(1);
  });
});
