import { expect, test } from 'vitest';
import { backoffMs, RECONNECT } from '#gateway/panel/backoff.ts';
import { nextIndex } from '#gateway/panel/grid-keys.ts';
import { subscriptionState } from '#gateway/panel/lamp-subscription.ts';
import { signInProblem } from '#gateway/panel/problem.ts';

test('waits double up to the longest, and spread over half of it', () => {
  expect([0, 1, 2, 3].map((attempt) => backoffMs(RECONNECT, attempt, 0))).toEqual([250, 500, 1_000, 2_000]);
  expect(backoffMs(RECONNECT, 1, 0.999)).toBeCloseTo(1_000, -1);
  expect(backoffMs(RECONNECT, 1_000, 1)).toBe(RECONNECT.longestMs);
});

test.each([
  ['ArrowRight', 0, 1],
  ['ArrowLeft', 0, undefined],
  ['ArrowDown', 1, 5],
  ['ArrowDown', 7, undefined],
  ['ArrowUp', 5, 1],
  ['Home', 6, 0],
  ['End', 2, 9],
  ['ArrowRight', 9, undefined],
  ['x', 0, undefined],
])('%s on tile %i of ten in rows of four leads to %s', (key, index, next) => {
  expect(nextIndex(key, index, 10, 4)).toBe(next);
});

test.each([
  ['active;expires=600', { value: 'active', reason: '' }],
  ['Terminated ; Reason = timeout;retry-after=3', { value: 'terminated', reason: 'timeout' }],
  ['', { value: '', reason: '' }],
])('Subscription-State %j', (value, state) => {
  expect(subscriptionState(value)).toEqual(state);
});

test('a refused sign-in says what to check and does not try again by itself', () => {
  const problem = signInProblem(401, 'Unauthorized', '1001@demo.example');
  expect(problem.passing).toBe(false);
  expect(problem.advice).toContain('password');
  expect(problem.advice).toContain('1001@demo.example');
});

test.each([408, 500, 503])('%i passes', (status) => {
  expect(signInProblem(status, 'Later', '1001@demo.example').passing).toBe(true);
});
