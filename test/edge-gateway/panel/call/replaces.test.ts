import { describe, expect, test } from 'vitest';
import { lampAction, lampActionText } from '#gateway/panel/call/lamp-action.ts';
import { pickUpOf, readReplaces, replacesValue } from '#gateway/panel/call/replaces.ts';
import { type Presentity, type TrackedDialog, unknownPresentity } from '#gateway/panel/presentity.ts';

const T0 = 1_700_000_000_000;
const RINGING: TrackedDialog = {
  id: 'd1',
  callId: 'c1@host',
  localTag: 'of-ben',
  remoteTag: 'of-ada',
  state: 'early',
  direction: 'recipient',
  held: false,
  local: { displayName: 'Ben', uri: 'sip:1002@demo.example' },
  remote: { displayName: 'Ada', uri: 'sip:1001@demo.example' },
  sinceMs: T0,
  sinceKnown: true,
};
const ben = (...dialogs: TrackedDialog[]): Presentity => ({
  ...unknownPresentity('1002'),
  watching: 'active',
  version: 0,
  dialogs,
});
const nameOf = (extension: string) => (extension === '1002' ? 'Ben Carter' : '');

describe('picking up a lamp that blinks (RFC 3891)', () => {
  test('the INVITE goes to the caller, whose tag is the To tag there', () => {
    expect(pickUpOf(ben(RINGING))).toEqual({
      target: 'sip:1001@demo.example',
      caller: { displayName: 'Ada', uri: 'sip:1001@demo.example' },
      replaces: { callId: 'c1@host', toTag: 'of-ada', fromTag: 'of-ben', earlyOnly: true },
    });
  });

  test.each([
    ['answered', { state: 'confirmed' }],
    ['not sent yet', { state: 'trying' }],
    ['one that they make', { direction: 'initiator' }],
    ['without a Call-ID', { callId: '' }],
    ['without a tag of the callee', { localTag: '' }],
    ['without a tag of the caller', { remoteTag: '' }],
    ['of a caller who cannot be called', { remote: { displayName: '', uri: 'tel:+4930' } }],
  ] as const)('a call that is %s cannot be picked up', (_which, change) => {
    expect(pickUpOf(ben({ ...RINGING, ...change }))).toBeUndefined();
  });

  test('a second call that rings is found beside one that talks', () => {
    const talk = { ...RINGING, id: 'd0', state: 'confirmed' } as const;
    expect(pickUpOf(ben(talk, RINGING))?.replaces.callId).toBe('c1@host');
  });

  test('what is no longer known to be true cannot be picked up', () => {
    expect(pickUpOf({ ...ben(RINGING), watching: 'waiting' })).toBeUndefined();
  });
});

test('Replaces is written and read', () => {
  const replaces = { callId: 'c1@host', toTag: 'a', fromTag: 'b', earlyOnly: true };
  expect(replacesValue(replaces)).toBe('c1@host;to-tag=a;from-tag=b;early-only');
  expect(readReplaces(replacesValue(replaces))).toEqual(replaces);
  expect(readReplaces('c1 ; From-Tag=b;x=1; to-tag=a')).toEqual({
    callId: 'c1',
    toTag: 'a',
    fromTag: 'b',
    earlyOnly: false,
  });
});

test.each(['', 'c1;to-tag=a', 'c1;from-tag=b', ';to-tag=a;from-tag=b'])('Replaces %j lacks a part', (value) => {
  expect(readReplaces(value)).toBeUndefined();
});

describe('a press on a lamp', () => {
  test.each([
    ['calls', ben(), '1003', [], 'call', 'Call Ben Carter'],
    ['picks up what rings', ben(RINGING), '1003', [], 'pickUp', 'Pick up Ben Carter’s call from Ada'],
    ['does not pick up our own call', ben(RINGING), '1001', [], 'call', 'Call Ben Carter'],
    ['is for others', ben(), '1002', [], 'none', ''],
    ['does not call who is being talked to', ben(), '1003', ['1002'], 'none', ''],
  ] as const)('%s', (_what, presentity, user, parties, action, text) => {
    expect(lampAction(presentity, { user, parties, isTransferring: false })).toBe(action);
    expect(lampActionText(action, presentity, nameOf)).toBe(text);
  });

  test('hands a call on, even to whom another one rings, but to nobody himself', () => {
    const own = { user: '1003', parties: ['1004'], isTransferring: true };
    expect(lampAction(ben(RINGING), own)).toBe('transfer');
    expect(lampActionText('transfer', ben(), nameOf)).toBe('Transfer to Ben Carter');
    expect(lampAction(ben(RINGING), { ...own, parties: ['1002'] })).toBe('none');
  });
});
