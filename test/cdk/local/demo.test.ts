import { expect, test } from 'vitest';
import { answeredCall, groupCall, type Script, transferredCall } from '#cdk/local/demo-calls.ts';
import { nextCall } from '#cdk/local/demo-day.ts';
import { Office } from '#cdk/local/demo-office.ts';
import { OUTSIDERS, PEOPLE, type Person } from '#cdk/local/demo-people.ts';
import { readDialogInfo } from '#gateway/panel/dialog-info.ts';
import { rootElement } from '../../edge-gateway/panel/xml-element.ts';

const T0 = 1_700_000_000_000;
const AMARA = { extension: '1001', name: 'Amara Okafor' };
const BEN = { extension: '1002', name: 'Ben Carter' };
const CHIARA = { extension: '1003', name: 'Chiara Rossi' };

/** Always the same day. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function office() {
  let nowMs = T0;
  const made = new Office('demo.example', PEOPLE, () => nowMs);
  return { office: made, pass: (seconds: number) => (nowMs += seconds * 1000) };
}

const statesOf = (desk: Office, person: Person) => desk.legsOf(person.extension).map(({ state }) => state);

test('both telephones of an internal call go through the same states with mirrored tags', () => {
  const { office: desk } = office();
  const seen: string[] = [];
  for (const _ of answeredCall(desk, () => 0.9, AMARA, BEN)) {
    seen.push(`${statesOf(desk, AMARA)}/${statesOf(desk, BEN)}`);
    const [caller, callee] = [desk.legsOf(AMARA.extension)[0], desk.legsOf(BEN.extension)[0]];
    if (caller?.state !== 'early') continue;
    expect(callee).toMatchObject({ callId: caller.callId, localTag: caller.remoteTag, remoteTag: caller.localTag });
    expect([caller.direction, callee?.direction]).toEqual(['initiator', 'recipient']);
  }
  expect(seen).toEqual(['trying/', 'early/early', 'confirmed/confirmed']);
  expect([statesOf(desk, AMARA), statesOf(desk, BEN)]).toEqual([[], []]);
});

test('a telephone on hold says so in its document', () => {
  const { office: desk, pass } = office();
  const call = desk.dial({ number: '+12025550143', name: 'Fenwick & "Sons"' }, AMARA);
  call.ring();
  call.answer();
  call.hold('callee', true);
  pass(12);
  const document = readDialogInfo(rootElement(desk.document(AMARA)));
  expect(document?.dialogs).toMatchObject([
    {
      state: 'confirmed',
      held: true,
      durationSeconds: 12,
      direction: 'recipient',
      local: { displayName: AMARA.name },
      remote: { displayName: 'Fenwick & "Sons"', uri: 'sip:+12025550143@demo.example' },
    },
  ]);
});

test('an idle telephone still tells its owner’s name, in a dialog that is over', () => {
  const { office: desk } = office();
  expect(desk.takeChanged()).toEqual(PEOPLE.map(({ extension }) => extension));
  expect(readDialogInfo(rootElement(desk.document(BEN)))?.dialogs).toMatchObject([
    { state: 'terminated', local: { displayName: BEN.name, uri: 'sip:1002@demo.example' } },
  ]);
});

test('when a group rings, one answers and the others fall silent', () => {
  const { office: desk } = office();
  const script = groupCall(desk, () => 0.5, OUTSIDERS[0], [AMARA, BEN, CHIARA]);
  script.next();
  script.next();
  expect([AMARA, BEN, CHIARA].map((person) => statesOf(desk, person))).toEqual([['early'], ['early'], ['early']]);
  script.next();
  expect([AMARA, BEN, CHIARA].map((person) => statesOf(desk, person))).toEqual([[], ['confirmed'], []]);
});

test('a transfer leaves the caller with the second and frees the first', () => {
  const { office: desk } = office();
  for (const _ of transferredCall(desk, () => 0.5, OUTSIDERS[0], AMARA, BEN)) {
    if (statesOf(desk, AMARA).length === 0 && statesOf(desk, BEN)[0] === 'confirmed') break;
  }
  expect(desk.legsOf(BEN.extension)).toMatchObject([{ remote: OUTSIDERS[0], direction: 'recipient' }]);
});

test.each([1, 2, 3])('day %i: never more than three calls a telephone, and all end', (seed) => {
  const { office: desk, pass } = office();
  const random = seeded(seed);
  const running = new Map<Script, { dueMs: number; people: readonly { extension: string }[] }>();
  let calls = 0;
  let most = 0;
  for (let second = 0; second < 1_200; second += 1) {
    const engaged = new Set([...running.values()].flatMap(({ people }) => people.map(({ extension }) => extension)));
    const planned = second < 1_000 ? nextCall(desk, random, 0.7, engaged) : undefined;
    if (planned !== undefined) {
      running.set(planned.script, { dueMs: second, people: planned.people });
      calls += 1;
    }
    for (const [script, entry] of running) {
      if (entry.dueMs > second) continue;
      const step = script.next();
      if (step.done) running.delete(script);
      else entry.dueMs = second + step.value;
    }
    pass(1);
    most = Math.max(most, ...PEOPLE.map(({ extension }) => desk.legsOf(extension).length));
  }
  expect(calls).toBeGreaterThan(50);
  expect(most).toBeLessThanOrEqual(3);
  expect(PEOPLE.flatMap(({ extension }) => desk.legsOf(extension))).toEqual([]);
});
