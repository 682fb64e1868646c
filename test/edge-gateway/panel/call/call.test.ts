import { describe, expect, test } from 'vitest';
import { type Call, callText, lampOfCall, newCall } from '#gateway/panel/call/call.ts';
import { actionOf, callFor } from '#gateway/panel/call/call-keys.ts';
import { callProblem, microphoneProblem, pickUpProblem, transferProblem } from '#gateway/panel/call/call-problem.ts';
import { isAnsweredElsewhere, offersHold, sipfragStatus } from '#gateway/panel/call/call-signals.ts';
import { readIceServers } from '#gateway/panel/call/ice.ts';
import { glareWaitMs } from '#gateway/panel/call/negotiation.ts';
import { soundOf } from '#gateway/panel/call/ringer.ts';

const T0 = 1_700_000_000_000;
const ADA = { displayName: 'Ada', uri: 'sip:1001@demo.example' };
const call = (phase: Call['phase'], more: Partial<Call> = {}): Call => ({ ...newCall(phase, ADA, phase, T0), ...more });
const [INCOMING, RINGING, TALKING] = [call('incoming'), call('ringing'), call('talking')];
const HELD = call('talking', { id: 'held', held: true });

describe('a card', () => {
  test.each([
    [INCOMING, 'Incoming call', 'ringing'],
    [RINGING, 'Ringing…', 'busy'],
    [TALKING, 'In a call', 'busy'],
    [HELD, 'On hold', 'held'],
    [call('talking', { heldByPeer: true }), 'The other side holds the call', 'held'],
    [call('talking', { held: true, heldByPeer: true }), 'Both sides on hold', 'held'],
    [call('talking', { muted: true }), 'In a call, your microphone is off', 'busy'],
    [call('talking', { silent: true }), 'No audio. Trying to repair it…', 'busy'],
    [call('talking', { transferTo: 'Ben' }), 'Transferring to Ben…', 'busy'],
    [call('talking', { handedOn: true }), 'Being transferred…', 'held'],
  ] as const)('%#: says what the call does, and borrows its lamp', (shown, text, lamp) => {
    expect(callText(shown, true)).toBe(text);
    expect(lampOfCall(shown)).toBe(lamp);
  });

  test('a lost line is told, and that a talk goes on', () => {
    expect(callText(TALKING, false)).toBe('Reconnecting. You can go on talking');
    expect(callText(RINGING, false)).toBe('Reconnecting…');
  });
});

describe('sounds', () => {
  test.each([
    ['none', []],
    ['ring', [INCOMING]],
    ['waiting', [TALKING, INCOMING]],
    ['ringback', [RINGING]],
    ['ringback', [HELD, RINGING]],
    ['none', [TALKING, HELD]],
    ['none', [call('calling')]],
  ] as const)('%s', (sound, calls) => {
    expect(soundOf(calls)).toBe(sound);
  });
});

describe('keys', () => {
  const none = { altKey: false, ctrlKey: false, metaKey: false, shiftKey: false };

  test('only with Alt alone, wherever the letter stands on the keyboard', () => {
    expect(actionOf({ ...none, code: 'KeyA', altKey: true })).toBe('answer');
    expect(actionOf({ ...none, code: 'KeyA' })).toBeUndefined();
    expect(actionOf({ ...none, code: 'KeyA', altKey: true, ctrlKey: true })).toBeUndefined();
    expect(actionOf({ ...none, code: 'KeyB', altKey: true })).toBeUndefined();
  });

  test.each([
    ['answer', [TALKING, INCOMING], 'incoming'],
    ['answer', [TALKING], undefined],
    ['hangUp', [TALKING, INCOMING], 'incoming'],
    ['hangUp', [HELD, TALKING], 'talking'],
    ['hangUp', [HELD], 'held'],
    ['hold', [HELD, TALKING], 'talking'],
    ['hold', [RINGING, HELD], 'held'],
    ['hold', [RINGING], undefined],
    ['mute', [HELD, TALKING], 'talking'],
    ['mute', [HELD], undefined],
  ] as const)('%s among %#: %s', (action, calls, id) => {
    expect(callFor(action, calls)?.id).toBe(id);
  });
});

describe('what the other side’s messages mean', () => {
  test.each([
    ['SIP/2.0 200 OK', 200],
    ['\r\nSIP/2.0 603 Declined\r\nTo: x', 603],
    ['SIP/2.0 100 Trying', 100],
    ['SIP/2.0 2000', 0],
    ['hello', 0],
  ])('the sipfrag %j (RFC 3515)', (body, status) => {
    expect(sipfragStatus(body)).toBe(status);
  });

  const sdp = (session: string, audio: string) =>
    `v=0\r\n${session}t=0 0\r\nm=video 0 RTP/AVP 96\r\na=inactive\r\nm=audio 9 RTP/AVP 0\r\n${audio}`;
  test.each([
    ['sendonly', sdp('', 'a=sendonly\r\n'), true],
    ['inactive', sdp('', 'a=inactive\r\n'), true],
    ['sendonly for the whole session', sdp('a=sendonly\r\n', ''), true],
    ['audio that overrules the session', sdp('a=sendonly\r\n', 'a=sendrecv\r\n'), false],
    ['recvonly', sdp('', 'a=recvonly\r\n'), false],
    ['nothing', sdp('', ''), false],
    ['no address', sdp('c=IN IP4 0.0.0.0\r\n', ''), true],
    ['no address for audio', sdp('c=IN IP4 192.0.2.1\r\n', 'c=IN IP4 0.0.0.0\r\n'), true],
    ['no address because ICE finds it', sdp('', 'c=IN IP4 0.0.0.0\r\na=ice-ufrag:x\r\na=sendrecv\r\n'), false],
  ])('an offer with %s holds: %#', (_what, offer, holds) => {
    expect(offersHold(offer)).toBe(holds);
  });

  test('a CANCEL says whether somebody else has answered (RFC 3326)', () => {
    expect(isAnsweredElsewhere(['SIP;cause=200;text="Call completed elsewhere"'])).toBe(true);
    expect(isAnsweredElsewhere(['Q.850;cause=16', 'SIP ;cause=603'])).toBe(true);
    expect(isAnsweredElsewhere(['Q.850;cause=200'])).toBe(false);
    expect(isAnsweredElsewhere(['SIP;cause=487'])).toBe(false);
    expect(isAnsweredElsewhere([])).toBe(false);
  });
});

describe('failures are told in words that help', () => {
  test.each([
    [486, false, 'Ben is busy.'],
    [603, true, 'Ben declined the call.'],
    [480, true, 'Ben did not answer.'],
    [480, false, 'Ben cannot be reached.'],
    [408, true, 'Ben did not answer.'],
    [404, false, 'Ben does not exist here.'],
    [403, false, 'You may not call Ben.'],
    [488, false, 'Ben cannot talk to a browser.'],
    [481, false, 'The call is gone.'],
    [0, false, 'The call could not be sent.'],
    [503, false, 'The server answered 503 Overloaded.'],
  ])('%i after ringing %s: %s', (status, rang, title) => {
    expect(callProblem(status, 'Overloaded', 'Ben', rang).title).toBe(title);
  });

  test.each([
    [481, /answered or ended meanwhile/],
    [486, /answered or ended meanwhile/],
    [404, /device of Ada cannot be asked/],
    [403, /You may not call Ada/],
  ])('a call that cannot be picked up, %i: %s', (status, words) => {
    const { title, advice } = pickUpProblem(status, '', 'Ada');
    expect(`${title} ${advice}`).toMatch(words);
  });

  test('a transfer that fails says why and with whom one is', () => {
    const { title, advice } = transferProblem(486, '', 'Cleo', 'Ben');
    expect(`${title} ${advice}`).toBe('The transfer failed. Cleo is busy. You are back with Ben.');
  });

  test.each([
    ['NotAllowedError', /refused[\s\S]*Allow/],
    ['NotFoundError', /No microphone[\s\S]*Connect/],
    ['NotReadableError', /cannot be used[\s\S]*Another program/],
    ['InsecureContext', /no microphone to this page[\s\S]*https/],
    ['OddError', /OddError/],
  ])('%s', (name, words) => {
    const { title, advice } = microphoneProblem(name);
    expect(`${title} ${advice}`).toMatch(words);
  });
});

test('in a glare who made the call waits longer (RFC 3261 section 14.1)', () => {
  expect([glareWaitMs(true, 0), glareWaitMs(true, 1)]).toEqual([2_100, 4_000]);
  expect([glareWaitMs(false, 0), glareWaitMs(false, 1)]).toEqual([0, 2_000]);
});

test('of the gateway’s settings only ICE servers are taken', () => {
  expect(readIceServers({ iceServers: [{ urls: 'stun:a' }, 'b', null] })).toEqual([{ urls: 'stun:a' }]);
  expect(readIceServers({ iceServers: [] })).toEqual([]);
  expect(readIceServers({ iceServers: 'stun:a' })).toBeUndefined();
  expect(readIceServers(undefined)).toBeUndefined();
});
