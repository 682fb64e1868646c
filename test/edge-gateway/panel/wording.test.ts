import { expect, test } from 'vitest';
import { durationText, lampSentence, partyName, partyNumber, userOf } from '#gateway/panel/wording.ts';

const T0 = 1_700_000_000_000;
const nameOf = (extension: string) => (extension === '1003' ? 'Chiara Rossi' : '');

test.each([
  [0, '0:00'],
  [5_999, '0:05'],
  [760_000, '12:40'],
  [3_723_000, '1:02:03'],
  [-5_000, '0:00'],
])('%i ms reads %s', (durationMs, text) => {
  expect(durationText(durationMs)).toBe(text);
});

test.each([
  ['sip:1003@demo.example', '1003'],
  ['sips:a%40b@demo.example;user=phone', 'a@b'],
  ['tel:+12025550143;phone-context=x', '+12025550143'],
  ['sip:demo.example', 'demo.example'],
  ['sip:%zz@demo.example', '%zz'],
  ['nonsense', ''],
])('the user of %s is %s', (uri, user) => {
  expect(userOf(uri)).toBe(user);
});

test('a party is called by its own name, else by the colleague’s, else by the number', () => {
  const uri = 'sip:1003@demo.example';
  expect(partyName({ displayName: 'Front desk', uri }, nameOf)).toBe('Front desk');
  expect(partyName({ displayName: '', uri }, nameOf)).toBe('Chiara Rossi');
  expect(partyName({ displayName: '', uri: 'sip:1009@demo.example' }, nameOf)).toBe('1009');
  expect(partyName({ displayName: '', uri: '' }, nameOf)).toBe('an unknown caller');
});

test('the number is not said twice', () => {
  expect(partyNumber({ displayName: '', uri: 'sip:1009@demo.example' }, nameOf)).toBe('');
  expect(partyNumber({ displayName: '', uri: 'sip:1003@demo.example' }, nameOf)).toBe('1003');
});

test('one sentence tells a lamp', () => {
  const remote = { displayName: 'Harbor Books', uri: 'sip:+12025550143@demo.example' };
  const dialog = {
    id: 'a',
    state: 'early',
    direction: 'recipient',
    held: false,
    local: { displayName: '', uri: '' },
    remote,
    sinceMs: T0,
    sinceKnown: true,
  } as const;
  expect(lampSentence('1003', { state: 'ringing', dialog, others: 0 }, nameOf)).toBe(
    '1003 Chiara Rossi: Ringing, call from Harbor Books',
  );
  expect(lampSentence('1009', { state: 'ringing', dialog, others: 2 }, nameOf)).toBe(
    '1009: Ringing, call from Harbor Books, and 2 more',
  );
  expect(lampSentence('1003', { state: 'idle', others: 0 }, nameOf)).toBe('1003 Chiara Rossi: Free');
});
