/** How calls go in the demo: each script plays one and yields the seconds until its next change. Pure. */
import type { Office, Party } from '#cdk/local/demo-office.ts';
import type { Person } from '#cdk/local/demo-people.ts';

/** @yields seconds to wait before going on */
export type Script = Generator<number, void>;
/** @returns a number in [0, 1) */
export type Random = () => number;

function between(random: Random, least: number, most: number): number {
  return least + random() * (most - least);
}

/** Rings, is answered, sometimes waits on hold, ends. */
export function* answeredCall(office: Office, random: Random, caller: Party, callee: Party): Script {
  const call = office.dial(caller, callee);
  yield between(random, 0.4, 1.2);
  call.ring();
  yield between(random, 4, 9);
  call.answer();
  yield between(random, 8, 32);
  if (random() < 0.35) {
    const holder = 'extension' in callee ? 'callee' : 'caller';
    call.hold(holder, true);
    yield between(random, 5, 14);
    call.hold(holder, false);
    yield between(random, 5, 20);
  }
  call.end(random() < 0.5 ? 'local-bye' : 'remote-bye');
}

/** Nobody answers until the caller gives up. */
export function* missedCall(office: Office, random: Random, caller: Party, callee: Party): Script {
  const call = office.dial(caller, callee);
  yield between(random, 0.4, 1.2);
  call.ring();
  yield between(random, 9, 16);
  call.end('cancelled');
}

/** Several telephones ring; the first to answer wins and the others fall silent. */
export function* groupCall(office: Office, random: Random, caller: Party, group: readonly Person[]): Script {
  const calls = group.map((member) => office.dial(caller, member));
  yield 0.3;
  for (const call of calls) call.ring();
  yield between(random, 4, 8);
  const winner = calls[Math.floor(random() * calls.length)];
  for (const call of calls) if (call !== winner) call.end('cancelled');
  winner?.answer();
  yield between(random, 15, 50);
  winner?.end('remote-bye');
}

/** The first to answer puts the caller on hold, asks a colleague, and connects the two. */
export function* transferredCall(office: Office, random: Random, caller: Party, first: Person, second: Person): Script {
  const call = office.dial(caller, first);
  yield 0.5;
  call.ring();
  yield between(random, 2, 5);
  call.answer();
  yield between(random, 6, 12);
  call.hold('callee', true);
  const consultation = office.dial(first, second);
  yield 0.6;
  consultation.ring();
  yield between(random, 2, 5);
  consultation.answer();
  yield between(random, 5, 10);
  const connected = office.dial(caller, second);
  connected.answer();
  call.end('replaced');
  consultation.end('replaced');
  yield between(random, 15, 50);
  connected.end('remote-bye');
}
