import { expect, test } from 'vitest';
import { formatWatchList, parseWatchList, WATCH_LIST_LIMIT } from '#gateway/panel/watch-list.ts';

test.each([
  ['1001', ['1001']],
  ['1001-1003', ['1001', '1002', '1003']],
  [' 1001 – 1003,\n2000; alice ', ['1001', '1002', '1003', '2000', 'alice']],
  ['0098-0101', ['0098', '0099', '0100', '0101']],
  ['1002, 1001, 1002', ['1002', '1001']],
  ['*21 mary-ann', ['*21', 'mary-ann']],
  ['', []],
])('%j is %j', (text, extensions) => {
  expect(parseWatchList(text)).toEqual({ extensions });
});

test.each(['1010-1001', '1-100', 'sip:1001@demo.example', '1001-9999'])('%j is told to be wrong', (text) => {
  expect(parseWatchList(text)).toEqual({ problem: expect.stringContaining(text) });
});

test('a list over the limit is told to be too long', () => {
  const words = Array.from({ length: WATCH_LIST_LIMIT + 1 }, (_, index) => `x${index}`).join(' ');
  expect(parseWatchList(words)).toEqual({ problem: expect.stringContaining(String(WATCH_LIST_LIMIT)) });
});

test.each([
  [['1001', '1002', '1003', '1007'], '1001-1003, 1007'],
  [['1001', '1002'], '1001, 1002'],
  [['99', '100', 'alice'], '99, 100, alice'],
])('%j is written as %j and read back', (extensions, text) => {
  expect(formatWatchList(extensions)).toBe(text);
  expect(parseWatchList(text)).toEqual({ extensions });
});
