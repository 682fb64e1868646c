import { expect, test } from 'vitest';
import { subscriptionIdOf } from '#contract/ids.ts';
import type { Notification } from '#contract/schemas.ts';
import { PendingStates } from '#gateway/pending-states.ts';

const ID = subscriptionIdOf('a');
const state = (presentityVersion: number): Notification => ({
  presentityVersion,
  contentType: 'text/plain',
  body: [''],
});

test('keeps the newest state of each presentity while a SUBSCRIBE is with its function', () => {
  const pending = new PendingStates();
  expect(pending.keep(ID, 'sip:1@x', state(1))).toBe(false);
  pending.open(ID);
  expect(pending.of(ID)).toEqual([]);
  expect(pending.newest(ID, state(3))).toEqual(state(3));
  for (const version of [4, 6, 5]) expect(pending.keep(ID, 'sip:1@x', state(version))).toBe(true);
  pending.keep(ID, 'sip:2@x', state(2));
  expect(pending.of(ID)).toEqual([
    ['sip:1@x', state(6)],
    ['sip:2@x', state(2)],
  ]);
  expect(pending.newest(ID, state(3))).toEqual(state(6));
  pending.close(ID);
  expect(pending.keep(ID, 'sip:1@x', state(7))).toBe(false);
});

test('keeps the end of what a SUBSCRIBE that is with its function will open', () => {
  const pending = new PendingStates();
  const end = { kind: 'end' as const, subscriptionIds: [ID], reason: 'deactivated' as const };
  expect(pending.keepEnd(ID, end)).toBe(false);
  pending.open(ID);
  expect(pending.endOf(ID)).toBeUndefined();
  expect(pending.keepEnd(ID, end)).toBe(true);
  expect(pending.endOf(ID)).toEqual(end);
  pending.close(ID);
  pending.open(ID);
  expect(pending.endOf(ID)).toBeUndefined();
});
