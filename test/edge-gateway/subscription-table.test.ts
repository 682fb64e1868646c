import { expect, test } from 'vitest';
import { firstCSeq, firstDocumentVersion } from '#gateway/subscription-table.ts';

const T0 = Date.UTC(2026, 10, 21);

test('a new subscription starts with version 0, and with a CSeq from the clock', () => {
  expect(firstDocumentVersion(T0, T0 + 40, true)).toBe(0);
  expect(firstCSeq(T0, T0 + 40, true)).toBe((T0 - Date.UTC(2026, 0, 1)) / 1_000);
});

test('a gateway that takes a subscription over starts above what the one before sent in a burst', () => {
  const burst = 30;
  expect(firstCSeq(T0, T0 + 100, false)).toBeGreaterThan(firstCSeq(T0, T0, true) + burst);
  expect(firstDocumentVersion(T0, T0 + 100, false)).toBeGreaterThan(burst);
});

test('the third gateway starts above the second, which sent for a second', () => {
  const sent = 60;
  expect(firstCSeq(T0, T0 + 2_000, false)).toBeGreaterThan(firstCSeq(T0, T0 + 1_000, false) + sent);
  expect(firstDocumentVersion(T0, T0 + 2_000, false)).toBeGreaterThan(
    firstDocumentVersion(T0, T0 + 1_000, false) + sent,
  );
});

test('a clock behind that of the function does not lead below the first numbers', () => {
  expect(firstCSeq(T0, T0 - 400, false)).toBeGreaterThan(firstCSeq(T0, T0, true));
});
