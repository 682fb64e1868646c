import { describe, expect, it } from 'vitest';
import {
  clockText,
  durationText,
  factLines,
  fitted,
  harmless,
  relativeText,
  tableLines,
  textWidth,
  timeMs,
} from '#cdk/cli/format.ts';

const NOW_MS = 1_700_000_000_000;

describe('a table', () => {
  const rows = [
    { user: '1001', count: 7 },
    { user: '张伟', count: 1_200 },
  ];

  it('has columns as wide as what stands in them, and numbers at the right', () => {
    const lines = tableLines(rows, [
      { title: 'user', of: ({ user }) => user },
      { title: 'n', of: ({ count }) => count, align: 'right' },
    ]);
    expect(lines).toEqual(['USER     N', '1001     7', '张伟  1200']);
  });

  it('shows what is missing as a dash, and yes and no in words', () => {
    const lines = tableLines(
      [{ a: undefined, b: true }],
      [
        { title: 'a', of: ({ a }) => a },
        { title: 'b', of: ({ b }) => b },
      ],
    );
    expect(lines[1]).toBe('-  yes');
  });

  it('lets no text from elsewhere steer the terminal', () => {
    const lines = tableLines([{ name: '\u001b[2Jgone\u202e\r\n' }], [{ title: 'name', of: ({ name }) => name }]);
    expect(lines[1]).toBe('[2Jgone');
    expect(harmless('a\u0007b\u009bc')).toBe('a b c');
  });
});

describe('times', () => {
  it.each([
    [0, '0 s'],
    [999, '1 s'],
    [59_000, '59 s'],
    [60_000, '1 min'],
    [61_000, '1 min 1 s'],
    [3_600_000, '1 h'],
    [90_061_000, '1 d 1 h'],
    [-5, '0 s'],
  ])('%i ms is %s', (ms, text) => {
    expect(durationText(ms)).toBe(text);
  });

  it('says how long ago or in how long, of ISO texts and of milliseconds', () => {
    expect(relativeText(new Date(NOW_MS - 300_000).toISOString(), NOW_MS)).toBe('5 min ago');
    expect(relativeText(NOW_MS + 7_200_000, NOW_MS)).toBe('in 2 h');
    expect(relativeText(NOW_MS, NOW_MS)).toBe('now');
    expect(relativeText(undefined, NOW_MS)).toBeUndefined();
    expect(timeMs('nonsense')).toBeUndefined();
  });

  it('writes a time of day to the millisecond', () => {
    const noon = new Date(2026, 10, 21, 12, 3, 4, 5).getTime();
    expect(clockText(noon)).toBe('12:03:04.005');
    expect(clockText(noon, false)).toBe('12:03:04');
  });
});

describe('texts', () => {
  it('knows how wide a text is', () => {
    expect(textWidth('abc')).toBe(3);
    expect(textWidth('张')).toBe(2);
    expect(textWidth('e\u0301')).toBe(1);
  });

  it('cuts to a width, with an ellipsis', () => {
    expect(fitted('abcdef', 6)).toBe('abcdef');
    expect(fitted('abcdef', 4)).toBe('abc…');
    expect(fitted('张张张', 5)).toBe('张张…');
  });

  it('aligns facts and leaves out what is not there', () => {
    expect(factLines({ name: 'x', displayName: undefined, on: false })).toEqual(['name  x', 'on    no']);
  });
});
