import { describe, expect, test } from 'vitest';
import {
  fullnessOf,
  nameText,
  relativeText,
  shareText,
  shortAddress,
  spanText,
  timeText,
} from '#gateway/panel/admin/words.ts';

const T0 = Date.parse('2026-11-21T17:00:00.000Z');

describe('words', () => {
  test('a time of today has no date', () => {
    expect(timeText('2026-11-21T16:05:09.000Z', T0, 'en-GB', 'UTC')).toBe('16:05:09');
    expect(timeText('2026-11-20T16:05:09.000Z', T0, 'en-GB', 'UTC')).toBe('20 Nov 2026, 16:05:09');
    expect(timeText('soon', T0)).toBe('soon');
  });

  test('spans grow coarser', () => {
    expect([800, 89_000, 120_000, 7_200_000, 3 * 86_400_000].map(spanText)).toEqual([
      '1 s',
      '89 s',
      '2 min',
      '2 h',
      '3 days',
    ]);
    expect(relativeText('2026-11-21T16:58:00.000Z', T0)).toBe('2 min ago');
    expect(relativeText('2026-11-21T17:02:00.000Z', T0)).toBe('in 2 min');
  });

  test('from 80 % on a limit is nearly used up, at 100 % it is', () => {
    expect([0, 79, 80, 99, 100, 130].map((use) => fullnessOf(use, 100))).toEqual([
      ...['fine', 'fine', 'nearly', 'nearly', 'full', 'full'],
    ]);
    expect(shareText(79.9, 100)).toBe('79 %');
    expect([fullnessOf(0, 0), shareText(0, 0), fullnessOf(1, 0), shareText(1, 0)]).toEqual([
      'fine',
      '0 %',
      'full',
      '100 %',
    ]);
  });

  test('members of the API as people read them', () => {
    expect(nameText('publicationsPerSecond')).toBe('Publications per second');
    expect(nameText('flows')).toBe('Flows');
    expect(shortAddress('sip:1001@demo.example;user=phone', 'demo.example')).toBe('1001');
    expect(shortAddress('sips:1001@acme.example', 'demo.example')).toBe('1001@acme.example');
    expect(shortAddress('sip:1001@not-demo.example', 'demo.example')).toBe('1001@not-demo.example');
  });
});
