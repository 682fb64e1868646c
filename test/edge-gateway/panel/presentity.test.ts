import { expect, test } from 'vitest';
import type { Dialog, DialogInfo } from '#gateway/panel/dialog-info.ts';
import {
  applyDocument,
  type Presentity,
  refused,
  resubscribed,
  suspended,
  unknownPresentity,
} from '#gateway/panel/presentity.ts';

const T0 = 1_700_000_000_000;
const NOBODY = { displayName: '', uri: '' };

function dialog(id: string, state: Dialog['state'], more: Partial<Dialog> = {}): Dialog {
  return { id, state, held: false, local: NOBODY, remote: NOBODY, ...more };
}

function apply(presentity: Presentity, document: DialogInfo, nowMs: number): Presentity {
  const applied = applyDocument(presentity, document, nowMs);
  if (applied.kind !== 'applied') throw new Error(`not applied: ${applied.kind}`);
  return applied.presentity;
}

const full = (version: number, ...dialogs: Dialog[]): DialogInfo => ({ version, full: true, dialogs });
const partial = (version: number, ...dialogs: Dialog[]): DialogInfo => ({ version, full: false, dialogs });
const states = ({ dialogs }: Presentity) => dialogs.map(({ id, state }) => `${id} ${state}`);

test('the first document makes the lamp known', () => {
  const before = unknownPresentity('1001');
  expect(before.watching).toBe('waiting');
  const after = apply(before, full(0, dialog('a', 'early')), T0);
  expect(after).toMatchObject({ watching: 'active', version: 0, updatedAtMs: T0 });
  expect(states(after)).toEqual(['a early']);
});

test.each([4, 5])('version %i after 5 is old (RFC 4235 section 4.3)', (version) => {
  const known = apply(unknownPresentity('1001'), full(5, dialog('a', 'confirmed')), T0);
  expect(applyDocument(known, full(version, dialog('a', 'early')), T0 + 1)).toEqual({ kind: 'old' });
});

test('a full document replaces every dialog', () => {
  const known = apply(unknownPresentity('1001'), full(0, dialog('a', 'early'), dialog('b', 'confirmed')), T0);
  expect(states(apply(known, full(9, dialog('c', 'trying')), T0))).toEqual(['c trying']);
});

test('a partial document changes the dialogs that it names and keeps the others', () => {
  const known = apply(unknownPresentity('1001'), full(0, dialog('a', 'early'), dialog('b', 'confirmed')), T0);
  expect(states(apply(known, partial(1, dialog('a', 'terminated')), T0))).toEqual(['b confirmed', 'a terminated']);
});

test('a partial document after a gap, or before any full one, cannot be used', () => {
  const known = apply(unknownPresentity('1001'), full(0, dialog('a', 'early')), T0);
  expect(applyDocument(known, partial(2, dialog('a', 'confirmed')), T0)).toEqual({ kind: 'gap' });
  expect(applyDocument(unknownPresentity('1001'), partial(3, dialog('a', 'early')), T0)).toEqual({ kind: 'gap' });
});

test('since when: a change that was watched begins now, a repeated state keeps its time', () => {
  const idle = apply(unknownPresentity('1001'), full(0), T0);
  const ringing = apply(idle, full(1, dialog('a', 'early')), T0 + 1_000);
  expect(ringing.dialogs[0]).toMatchObject({ sinceMs: T0 + 1_000, sinceKnown: true });
  const talking = apply(ringing, full(2, dialog('a', 'confirmed', { durationSeconds: 60 })), T0 + 5_000);
  expect(talking.dialogs[0]).toMatchObject({ sinceMs: T0 + 5_000, sinceKnown: true });
  const held = apply(talking, full(3, dialog('a', 'confirmed', { held: true })), T0 + 9_000);
  expect(held.dialogs[0]).toMatchObject({ sinceMs: T0 + 5_000, held: true });
});

test('since when: a call that was already there tells it by its duration, or nobody knows', () => {
  const told = apply(unknownPresentity('1001'), full(0, dialog('a', 'confirmed', { durationSeconds: 90 })), T0);
  expect(told.dialogs[0]).toMatchObject({ sinceMs: T0 - 90_000, sinceKnown: true });
  const untold = apply(unknownPresentity('1001'), full(0, dialog('a', 'confirmed')), T0);
  expect(untold.dialogs[0]).toMatchObject({ sinceMs: T0, sinceKnown: false });
});

test('a lost line makes the lamp unknown, and the time of a call that went on survives it', () => {
  const talking = apply(apply(unknownPresentity('1001'), full(0), T0), full(1, dialog('a', 'confirmed')), T0);
  const lost = suspended(talking);
  expect(lost.watching).toBe('waiting');
  const back = apply(resubscribed(lost), full(0, dialog('a', 'confirmed')), T0 + 60_000);
  expect(back.dialogs[0]).toMatchObject({ sinceMs: T0, sinceKnown: true });
});

test('a refusal keeps what was said until the next subscription', () => {
  const denied = refused(unknownPresentity('1001'), 'Forbidden');
  expect(denied).toMatchObject({ watching: 'refused', refusal: 'Forbidden' });
  expect(resubscribed(denied)).toMatchObject({ watching: 'waiting', refusal: '', version: undefined });
});
