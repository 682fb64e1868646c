import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assumedHistory, longestGapMs, readRateControl, shortestGapMs } from '#core/rate-control.ts';

const T0 = 1_700_000_000_000;
const told = (params: string, secondsLeft = 3_600) => readRateControl(`dialog${params}`, secondsLeft)?.told;

describe('readRateControl (RFC 6446)', () => {
  it.each([
    ['', undefined],
    [';id=4', undefined],
    [';max-rate=0.2', ';max-rate=0.2'],
    [';max-rate=20;id=1', ';max-rate=20'],
    [';min-rate=0.05', ';min-rate=0.05'],
    [';adaptive-min-rate=0.0123456789', ';adaptive-min-rate=0.0123456789'],
    [';MAX-RATE=0.5', ';max-rate=0.5'],
  ])('of %s', (params, expected) => expect(told(params)).toBe(expected));

  it.each([
    ';max-rate=-1',
    ';max-rate=fast',
    ';max-rate=100',
    ';max-rate=1e3',
    ';max-rate',
    ';min-rate=0.0',
    ';adaptive-min-rate=0',
  ])('ignores %s', (params) => expect(told(params)).toBeUndefined());

  it('repeats nothing more often than once a second, nor above the maximum, and tells so', () => {
    expect(told(';min-rate=10')).toBe(';min-rate=1');
    expect(told(';max-rate=0.1;min-rate=0.5')).toBe(';max-rate=0.1;min-rate=0.1');
  });

  it.each([
    [';max-rate=0.01', 50, ';max-rate=0.02'],
    [';max-rate=0', 50, ';max-rate=0.02'],
    [';max-rate=0.0', 600, ';max-rate=0.0016666667'],
    [';max-rate=0.01', 100, ';max-rate=0.01'],
    [';max-rate=0.01', 500, ';max-rate=0.01'],
    [';max-rate=0.001;min-rate=0.5', 50, ';max-rate=0.02;min-rate=0.02'],
  ])('raises %s to one NOTIFY in the %i s that are left (section 4.4)', (params, secondsLeft, expected) => {
    expect(told(params, secondsLeft)).toBe(expected);
  });
});

describe('gaps', () => {
  const control = (params: string) =>
    readRateControl(`dialog${params}`, 3_600) as NonNullable<ReturnType<typeof readRateControl>>;

  it('are as long as the rates say', () => {
    expect(shortestGapMs(control(';max-rate=0.2'))).toBe(5_000);
    expect(shortestGapMs(control(';min-rate=0.2'))).toBe(0);
    expect(longestGapMs(control(';min-rate=0.2'), [T0], T0)).toBe(5_000);
    expect(longestGapMs(control(';max-rate=0.2'), [T0], T0)).toBeUndefined();
  });

  it('never ask for a longer timer than there is', () => {
    const lazy = control(';min-rate=0.0000000001;adaptive-min-rate=0.0000000001');
    expect(longestGapMs(lazy, [T0], T0)).toBe(2_147_483_647);
    expect(longestGapMs(control(';adaptive-min-rate=0.0000000001'), [T0], T0)).toBe(2_147_483_647);
    expect(shortestGapMs({ ...lazy, maxRate: 1e-10 })).toBe(2_147_483_647);
  });

  it('of an adaptive minimum grow with what there was to tell', () => {
    const adaptive = control(';adaptive-min-rate=0.5'); // an average over 20 s
    const sent = (count: number) => Array.from({ length: count }, (_, i) => T0 - i * 100);
    expect(longestGapMs(adaptive, sent(5), T0)).toBe(1_000);
    expect(longestGapMs(adaptive, sent(10), T0)).toBe(2_000);
    expect(longestGapMs(adaptive, sent(50), T0)).toBe(10_000);
    expect(longestGapMs(adaptive, [T0 - 60_000], T0)).toBe(1_000);
  });

  it('of an adaptive minimum begin as if its rate had been met before (section 6.3)', () => {
    const adaptive = control(';adaptive-min-rate=0.2'); // an average over 50 s
    const history = assumedHistory(adaptive, T0);
    expect(longestGapMs(adaptive, [...history, T0], T0)).toBe(5_000);
    expect(longestGapMs(adaptive, [...history, T0, T0 + 5_000], T0 + 5_000)).toBe(5_000);
    expect(assumedHistory(control(';min-rate=0.2'), T0)).toEqual([]);
  });

  it('of an adaptive minimum are not below those of the maximum (section 7.3)', () => {
    expect(longestGapMs(control(';max-rate=0.1;adaptive-min-rate=0.1'), [T0], T0)).toBe(10_000);
    expect(longestGapMs(control(';max-rate=0.1;adaptive-min-rate=0.1;min-rate=0.1'), [T0], T0)).toBe(10_000);
  });

  it('fit together: never the longest before the shortest', () => {
    const rate = fc.double({ min: 0.001, max: 99, noNaN: true }).map((value) => value.toFixed(4));
    return fc.assert(
      fc.property(rate, rate, fc.nat(100), (max, min, count) => {
        const read = readRateControl(`dialog;max-rate=${max};min-rate=${min}`, 3_600);
        if (read?.maxRate === undefined) return;
        const longest = longestGapMs(
          read,
          Array.from({ length: count }, () => T0),
          T0,
        );
        expect(longest ?? 0).toBeGreaterThanOrEqual(Math.min(shortestGapMs(read), longest ?? 0));
        if (read.minRate !== undefined) expect(read.minRate).toBeLessThanOrEqual(read.maxRate);
      }),
    );
  });
});
