/** The demo's day: keeps choosing calls for people who are free, as busy as the hour is. Pure. */
import {
  answeredCall,
  groupCall,
  missedCall,
  type Random,
  type Script,
  transferredCall,
} from '#cdk/local/demo-calls.ts';
import type { Office } from '#cdk/local/demo-office.ts';
import { OUTSIDERS, type Outsider, PEOPLE, type Person, SALES } from '#cdk/local/demo-people.ts';

export interface PlannedCall {
  readonly script: Script;
  /** Who takes part now or later: nobody else should plan with them. */
  readonly people: readonly Person[];
}

/**
 * Chooses the next call among free people.
 * @param engaged extensions that a running call counts on
 * @returns `undefined` when the office is as busy as it should be
 */
export function nextCall(
  office: Office,
  random: Random,
  busyShare: number,
  engaged: ReadonlySet<string>,
): PlannedCall | undefined {
  const free = PEOPLE.filter(({ extension }) => office.legsOf(extension).length === 0 && !engaged.has(extension));
  const [first, second] = shuffled(free, random);
  if (PEOPLE.length - free.length >= busyShare * PEOPLE.length || first === undefined || second === undefined)
    return undefined;
  const outsider = pick(OUTSIDERS, random);
  const kind = random();
  if (kind < 0.3) return { script: answeredCall(office, random, first, second), people: [first, second] };
  if (kind < 0.55) return { script: answeredCall(office, random, outsider, first), people: [first] };
  if (kind < 0.7) return { script: answeredCall(office, random, first, outsider), people: [first] };
  if (kind < 0.78) return { script: missedCall(office, random, outsider, first), people: [first] };
  if (kind < 0.84) return callWaiting(office, random, outsider);
  if (kind < 0.92) return salesCall(office, random, outsider, free);
  return receptionCall(office, random, outsider, free, first, second);
}

function salesCall(office: Office, random: Random, caller: Outsider, free: readonly Person[]): PlannedCall | undefined {
  const people = free.filter(({ extension }) => SALES.includes(extension));
  return people.length < 2 ? undefined : { script: groupCall(office, random, caller, people), people };
}

/** The reception takes the call when it is free, and passes it on. */
function receptionCall(
  office: Office,
  random: Random,
  caller: Outsider,
  free: readonly Person[],
  first: Person,
  second: Person,
): PlannedCall {
  const [receptionist] = PEOPLE;
  const front = free.includes(receptionist) ? receptionist : first;
  const expert = front === second ? first : second;
  return { script: transferredCall(office, random, caller, front, expert), people: [front, expert] };
}

/** Somebody rings a colleague who is already talking. */
function callWaiting(office: Office, random: Random, caller: Outsider): PlannedCall | undefined {
  const talking = PEOPLE.filter(({ extension }) => office.legsOf(extension).length === 1);
  const [callee] = shuffled(talking, random);
  return callee && { script: missedCall(office, random, caller, callee), people: [] };
}

function pick<T>(list: readonly [T, ...T[]], random: Random): T {
  return list[Math.floor(random() * list.length)] ?? list[0];
}

function shuffled(list: readonly Person[], random: Random): Person[] {
  const keyed = list.map((person) => ({ person, key: random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ person }) => person);
}
