import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isCursorFresh, readCursor, writeCursor } from '#gateway/lamps/lamp-cursor.ts';

const T0 = 1_700_000_000_000;
const tag = fc.stringMatching(/^[A-Za-z0-9_-]{0,24}$/);
const entry = fc.record({
  name: fc.string({ minLength: 1, unit: 'grapheme' }),
  callNumber: fc.nat(),
  toTag: tag,
  entityTag: tag,
});
const cursor = fc.record({
  madeAtMs: fc.constant(T0),
  seed: fc.stringMatching(/^[A-Za-z0-9_-]{1,16}$/),
  entries: fc.array(entry, { maxLength: 20 }),
});

it('reads what it has written, whatever users are called', () => {
  fc.assert(
    fc.property(cursor, (given) => {
      expect(readCursor(writeCursor(given))).toEqual(given);
    }),
  );
});

it('reads nothing else', () => {
  const good = writeCursor({
    ...{ madeAtMs: T0, seed: 'abc', entries: [{ name: '1002', callNumber: 1, toTag: 't', entityTag: 'e' }] },
  });
  expect(readCursor(good)?.entries).toHaveLength(1);
  const bad = ['', 'v1', good.replace('v1', 'v2'), good.replace(';abc', ';a b'), good.replace(',t,', ',t\r\n,')];
  for (const text of [...bad, good.replace('1002', '%E0%A4%A'), good.replace(',1,', ',!,')]) {
    expect(readCursor(text)).toBeUndefined();
  }
  const many = good + good.slice(good.lastIndexOf(';')).repeat(500);
  expect(readCursor(many)).toBeUndefined();
});

it('is good for five minutes', () => {
  const made = { madeAtMs: T0, seed: 'abc', entries: [] };
  expect([isCursorFresh(made, T0 + 300_000), isCursorFresh(made, T0 + 300_001)]).toEqual([true, false]);
});
