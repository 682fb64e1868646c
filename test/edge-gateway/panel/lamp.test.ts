import { expect, test } from 'vitest';
import type { Dialog } from '#gateway/panel/dialog-info.ts';
import { lampOf, liveDialogs } from '#gateway/panel/lamp.ts';
import { type Presentity, type TrackedDialog, unknownPresentity } from '#gateway/panel/presentity.ts';

const T0 = 1_700_000_000_000;
const NOBODY = { displayName: '', uri: '' };
const [RINGING, TALKING, DIALLING, HELD] = [
  dialog('ringing', 'early', { direction: 'recipient' }),
  dialog('talking', 'confirmed'),
  dialog('dialling', 'early', { direction: 'initiator' }),
  dialog('held', 'confirmed', { held: true }),
];

function dialog(id: string, state: Dialog['state'], more: Partial<TrackedDialog> = {}): TrackedDialog {
  return { id, state, held: false, local: NOBODY, remote: NOBODY, sinceMs: T0, sinceKnown: true, ...more };
}

function watched(...dialogs: TrackedDialog[]): Presentity {
  return { ...unknownPresentity('1001'), watching: 'active', version: 0, dialogs };
}

test('without a live dialog the lamp is idle', () => {
  expect(lampOf(watched())).toEqual({ state: 'idle', others: 0 });
  expect(lampOf(watched(dialog('a', 'terminated')))).toEqual({ state: 'idle', others: 0 });
});

test.each(['waiting', 'refused'] as const)('a %s subscription makes it unknown, whatever was known', (watching) => {
  expect(lampOf({ ...watched(TALKING), watching })).toEqual({ state: 'unknown', others: 0 });
});

test.each([
  ['trying', 'recipient', 'ringing'],
  ['proceeding', 'recipient', 'ringing'],
  ['early', 'recipient', 'ringing'],
  ['early', undefined, 'ringing'],
  ['trying', undefined, 'busy'],
  ['trying', 'initiator', 'busy'],
  ['early', 'initiator', 'busy'],
  ['confirmed', 'recipient', 'busy'],
] as const)('%s as %s is %s', (state, direction, lamp) => {
  expect(lampOf(watched(dialog('a', state, direction && { direction }))).state).toBe(lamp);
});

test('a held call is on hold', () => {
  expect(lampOf(watched(HELD)).state).toBe('held');
});

test('of several dialogs the ringing one decides, then the talk, then the outgoing, then the held one', () => {
  expect(liveDialogs(watched(HELD, DIALLING, TALKING, RINGING)).map(({ id }) => id)).toEqual([
    'ringing',
    'talking',
    'dialling',
    'held',
  ]);
  expect(lampOf(watched(HELD, DIALLING, TALKING, RINGING))).toMatchObject({ state: 'ringing', others: 3 });
});

test('of equals the oldest is shown', () => {
  const older = dialog('older', 'confirmed', { sinceMs: T0 - 1 });
  expect(lampOf(watched(TALKING, older)).dialog?.id).toBe('older');
});
