import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BranchAnswer, type ForkAction, type ForkEvent, ForkMachine } from '#gateway/calls/fork-machine.ts';

type Event = ForkEvent<BranchAnswer>;
type Action = ForkAction<BranchAnswer>;
const RANK = { trying: 0, proceeding: 1, early: 2, confirmed: 3, terminated: 4 } as const;

const machineOf = (groups: readonly (readonly number[])[], noAnswerStatus = 480) =>
  new ForkMachine<BranchAnswer>({ groups, noAnswerMs: 20_000, noAnswerStatus });
const answered = (branch: number, status: number, tag: string | undefined = `t${branch}`): Event => ({
  ...{ kind: 'answered', branch, answer: { status, tag: status === 100 ? undefined : tag } },
});
const kinds = (actions: readonly Action[]): string[] =>
  actions
    .filter(({ kind }) => !kind.endsWith('Timer'))
    .map((one) => ('branch' in one ? `${one.kind} ${one.branch}` : one.kind));
const rejection = (actions: readonly Action[]) => actions.find((one) => one.kind === 'reject');

describe('examples', () => {
  test('no target at all: 480', () => {
    const machine = machineOf([]);
    expect(rejection(machine.take({ kind: 'start' }))).toMatchObject({ status: 480 });
    expect(machine).toMatchObject({ state: 'terminated', cause: 'failed', status: 480 });
  });

  test('a CANCEL goes out only to a branch that has said something (RFC 3261 section 9.1)', () => {
    const machine = machineOf([[0, 1]]);
    machine.take({ kind: 'start' });
    machine.take(answered(0, 180));
    expect(kinds(machine.take({ kind: 'cancelled' }))).toEqual(['cancel 0']);
    expect(kinds(machine.take(answered(1, 100)))).toEqual(['cancel 1']);
    expect(kinds(machine.take(answered(0, 487)))).toEqual(['acknowledge 0']);
    expect(kinds(machine.take(answered(1, 487)))).toEqual(['acknowledge 1', 'reject']);
    expect(machine).toMatchObject({ state: 'terminated', cause: 'cancelled', status: 487 });
  });

  test('a branch that says nothing in 32 s is given up, and one that rings goes on', () => {
    const machine = machineOf([[0, 1]]);
    machine.take({ kind: 'start' });
    machine.take(answered(1, 180));
    expect(kinds(machine.take({ kind: 'timer', timer: 'silence' }))).toEqual([]);
    expect(rejection(machine.take(answered(1, 486)))).toMatchObject({ status: 486 });
  });

  test('a 2xx after the caller was refused is released, once with a BYE', () => {
    const machine = machineOf([[0]]);
    machine.take({ kind: 'start' });
    machine.take(answered(0, 180));
    machine.take({ kind: 'cancelled' });
    machine.take({ kind: 'timer', timer: 'cancelled' });
    expect(machine.state).toBe('terminated');
    expect(machine.take(answered(0, 200))).toEqual([expect.objectContaining({ kind: 'release', isRepeated: false })]);
    expect(machine.take(answered(0, 200))).toEqual([expect.objectContaining({ kind: 'release', isRepeated: true })]);
  });
});

/** Everything that may happen to three branches in two groups, in any order. */
const statuses = fc.constantFrom(100, 180, 183, 200, 200, 302, 401, 404, 408, 486, 487, 503, 600, 603);
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .tuple(fc.nat(2), statuses, fc.constantFrom('a', 'b', undefined))
      .map(([branch, status, tag]) => answered(branch, status, tag === undefined ? undefined : `${tag}${branch}`)),
  },
  { weight: 2, arbitrary: fc.nat(2).map((branch): Event => ({ kind: 'unreachable', branch })) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom('noAnswer', 'silence', 'cancelled')
      .map((timer): Event => ({ kind: 'timer', timer: timer as 'silence' })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Event>({ kind: 'cancelled' }, { kind: 'callerLost' }, { kind: 'ended', cause: 'admin' }),
  },
);
const story = fc.array(event, { maxLength: 25 });
const groups = fc.constantFrom([[0, 1], [2]], [[0, 1, 2]], [[0], [1], [2]]);

describe('properties, whatever happens in whatever order', () => {
  test('the caller gets one final refusal or the 2xx, never both; provisional answers only before', () => {
    fc.assert(
      fc.property(groups, story, (given, events) => {
        const machine = machineOf(given);
        const actions = [machine.take({ kind: 'start' }), ...events.map((one) => machine.take(one))].flat();
        const toCaller = actions.flatMap((one) =>
          one.kind === 'pass' ? [one.answer.status] : one.kind === 'reject' ? [one.status] : [],
        );
        const firstFinal = toCaller.findIndex((status) => status >= 200);
        const finals = toCaller.slice(firstFinal < 0 ? toCaller.length : firstFinal);
        expect(finals.every((status) => status >= 200 && status < 300) || finals.length === 1).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  test('each 2xx is passed on or released, each other final acknowledged; a device is cancelled once, when it may be', () => {
    fc.assert(
      fc.property(groups, story, (given, events) => {
        const machine = machineOf(given);
        const invited = new Set<number>();
        const provisional = new Set<number>();
        const cancelled = new Set<number>();
        const over = new Set<number>();
        const note = (actions: readonly Action[]): void => {
          for (const action of actions) {
            if (action.kind === 'invite') {
              expect(invited.has(action.branch)).toBe(false);
              invited.add(action.branch);
            }
            if (action.kind !== 'cancel') continue;
            expect(cancelled.has(action.branch)).toBe(false);
            expect(provisional.has(action.branch)).toBe(true);
            expect(over.has(action.branch)).toBe(false);
            cancelled.add(action.branch);
          }
        };
        note(machine.take({ kind: 'start' }));
        for (const one of events) {
          const isInvited = one.kind !== 'answered' || invited.has(one.branch);
          if (one.kind === 'answered' && isInvited && one.answer.status < 200) provisional.add(one.branch);
          if (one.kind === 'answered' && isInvited && one.answer.status >= 200) over.add(one.branch);
          const actions = machine.take(one);
          note(actions);
          if (one.kind !== 'answered') continue;
          const handled = actions.filter(({ kind }) => kind === 'pass' || kind === 'release' || kind === 'acknowledge');
          if (!isInvited) expect(actions).toEqual([]);
          else if (one.answer.status >= 300) expect(handled.map(({ kind }) => kind)).toEqual(['acknowledge']);
          else if (one.answer.status >= 200) expect(handled).toHaveLength(1);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('no state ever goes back, and the call is not confirmed without a fork that is', () => {
    fc.assert(
      fc.property(groups, story, (given, events) => {
        const machine = machineOf(given);
        machine.take({ kind: 'start' });
        let rank = RANK[machine.state];
        const ranks = new Map<string, number>();
        for (const one of events) {
          machine.take(one);
          expect(RANK[machine.state]).toBeGreaterThanOrEqual(rank);
          rank = RANK[machine.state];
          for (const fork of machine.forks.values()) {
            expect(RANK[fork.state]).toBeGreaterThanOrEqual(ranks.get(fork.tag) ?? 0);
            ranks.set(fork.tag, RANK[fork.state]);
          }
          if (machine.state === 'confirmed') expect(machine.winner).toBeDefined();
          if (machine.state === 'terminated') expect([machine.cause, machine.status]).not.toContain(undefined);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('when every timer has run out the call is answered or over, and nothing rings', () => {
    fc.assert(
      fc.property(groups, story, (given, events) => {
        const machine = machineOf(given);
        const invited: number[] = [];
        const take = (one: Event): void => {
          for (const action of machine.take(one)) if (action.kind === 'invite') invited.push(action.branch);
        };
        take({ kind: 'start' });
        for (const one of events) take(one);
        for (let i = 0; i < 4; i++)
          for (const timer of ['noAnswer', 'silence', 'cancelled'] as const) take({ kind: 'timer', timer });
        expect(['confirmed', 'terminated']).toContain(machine.state);
        if (machine.state === 'terminated')
          for (const fork of machine.forks.values()) expect(fork.state).toBe('terminated');
      }),
      { numRuns: 2_000 },
    );
  });

  test('of plain refusals the caller gets the best: 6xx before all, then the lowest class (section 16.7, step 6)', () => {
    const refusals = fc.tuple(...[0, 1, 2].map(() => fc.constantFrom(302, 404, 408, 486, 500, 502, 600, 603)));
    fc.assert(
      fc.property(refusals, (given) => {
        const machine = machineOf([[0, 1, 2]]);
        machine.take({ kind: 'start' });
        const actions = given.flatMap((status, branch) => [
          ...machine.take(answered(branch, 180)),
          ...machine.take(answered(branch, status)),
        ]);
        const classOf = (status: number): number => (status >= 600 ? 0 : Math.floor(status / 100));
        const best = Math.min(...given.map(classOf));
        expect(classOf(rejection(actions)?.status ?? 0)).toBe(best);
      }),
    );
  });
});
