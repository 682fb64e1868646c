/**
 * One INVITE at its proxy (RFC 3261 sections 16.6 to 16.10): which branches ring, which answer goes back, who is
 * cancelled. PURE: events in, actions out; timers are data.
 */
import type { CALL_CAUSES, CALL_STATES } from '#contract/call.ts';
import { bestResponse } from '#core/forking.ts';

export type CallState = (typeof CALL_STATES)[number];
export type CallCause = (typeof CALL_CAUSES)[number];

/** What the machine reads of an answer; the rest is the shell's. */
export interface BranchAnswer {
  readonly status: number;
  readonly tag?: string | undefined;
  readonly contactUri?: string | undefined;
}

export type ForkTimer = 'noAnswer' | 'silence' | 'cancelled';

export type ForkEvent<A extends BranchAnswer> =
  | { readonly kind: 'start' }
  | { readonly kind: 'answered'; readonly branch: number; readonly answer: A }
  /** The flow of a branch is gone, or took nothing. */
  | { readonly kind: 'unreachable'; readonly branch: number }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'callerLost' }
  | { readonly kind: 'ended'; readonly cause: CallCause }
  | { readonly kind: 'timer'; readonly timer: ForkTimer };

export type ForkAction<A extends BranchAnswer> =
  | { readonly kind: 'invite'; readonly branch: number }
  | { readonly kind: 'cancel'; readonly branch: number }
  /** Acknowledge a final answer that is no 2xx, hop by hop. */
  | { readonly kind: 'acknowledge'; readonly branch: number; readonly answer: A }
  /** To the caller: provisional answers, and every 2xx. */
  | { readonly kind: 'pass'; readonly branch: number; readonly answer: A }
  /** A 2xx that the caller takes no more: ACK, and BYE when it is the first of its dialog. */
  | { readonly kind: 'release'; readonly branch: number; readonly answer: A; readonly isRepeated: boolean }
  /** The final answer to the caller: of a device, or our own. */
  | { readonly kind: 'reject'; readonly status: number; readonly best?: A; readonly all: readonly A[] }
  | { readonly kind: 'startTimer'; readonly timer: ForkTimer; readonly milliseconds: number }
  | { readonly kind: 'stopTimer'; readonly timer: ForkTimer };

export interface ForkSettings {
  /** Branches that ring together, first group first. */
  readonly groups: readonly (readonly number[])[];
  readonly noAnswerMs: number;
  readonly noAnswerStatus: number;
}

/** One dialog of the callee: a To tag. */
export interface Fork {
  readonly tag: string;
  readonly branch: number;
  state: CallState;
  status: number | undefined;
  contactUri: string | undefined;
}

/** A branch that says nothing at all for so long is given up (timer B). */
export const SILENCE_MS = 32_000;
/** A branch has so long to confirm that it is cancelled; what it says later is still handled. */
export const CANCELLED_MS = 5_000;
/** Beyond these, answers of a branch are not passed on. */
const MAX_TAGS_PER_BRANCH = 10;
const MAX_PROVISIONALS_PER_BRANCH = 100;
/** Answers with which a device, or its user, declines. */
const DECLINED: ReadonlySet<number> = new Set([403, 480, 486, 488, 600, 603, 606, 607, 608]);
const RANK: Readonly<Record<CallState, number>> = { trying: 0, proceeding: 1, early: 2, confirmed: 3, terminated: 4 };

interface Branch {
  state: 'waiting' | 'calling' | 'proceeding' | 'done';
  /** It is to be cancelled, as soon as it has said anything (RFC 3261 section 9.1). */
  cancelWanted: boolean;
  cancelSent: boolean;
  /** Its final answer has come; one that was given up may still answer. */
  isAnswered: boolean;
  /** Cancelled because nobody answered: its 487 is not the caller's. */
  timedOut: boolean;
  provisionals: number;
}

/** Why no further branch is tried. */
type Stop = { readonly status: number; readonly cause: CallCause } | 'decided';

export class ForkMachine<A extends BranchAnswer> {
  state: CallState = 'trying';
  cause: CallCause | undefined;
  /** Final status of a call that was not answered. */
  status: number | undefined;
  readonly forks = new Map<string, Fork>();
  /** The fork that answered first. */
  winner: Fork | undefined;
  readonly #settings: ForkSettings;
  readonly #branches: Branch[] = [];
  #group = -1;
  #stop: Stop | undefined;
  #hasTimedOut = false;
  #hasGivenUp = false;
  #answers: A[] = [];
  #actions: ForkAction<A>[] = [];

  constructor(settings: ForkSettings) {
    this.#settings = settings;
    for (const branch of settings.groups.flat()) this.#branches[branch] = newBranch();
  }

  /** Takes one event and gives what is to be done, in order. */
  take(event: ForkEvent<A>): readonly ForkAction<A>[] {
    this.#actions = [];
    switch (event.kind) {
      case 'start':
        this.#settle();
        break;
      case 'answered':
        this.#answered(event.branch, event.answer);
        break;
      case 'unreachable':
        this.#unreachable(event.branch);
        break;
      case 'cancelled':
        this.#halt({ status: 487, cause: 'cancelled' });
        break;
      case 'callerLost':
        this.#halt({ status: 487, cause: 'flowLost' });
        break;
      case 'ended':
        this.#halt({ status: 480, cause: event.cause });
        break;
      case 'timer':
        this.#timer(event.timer);
        break;
      default:
        event satisfies never;
    }
    return this.#actions;
  }

  get #isOver(): boolean {
    return this.state === 'confirmed' || this.state === 'terminated';
  }

  #answered(index: number, answer: A): void {
    const branch = this.#branches[index];
    if (branch === undefined || branch.state === 'waiting') return;
    if (answer.status < 200) {
      this.#provisional(index, branch, answer);
      return;
    }
    branch.isAnswered = true;
    if (answer.status < 300) this.#accepted(index, branch, answer);
    else this.#refused(index, branch, answer);
  }

  #provisional(index: number, branch: Branch, answer: A): void {
    if (branch.state === 'calling') branch.state = 'proceeding';
    if (branch.cancelWanted) this.#sendCancel(index, branch);
    if (branch.state === 'done' || branch.cancelWanted || this.#isOver || answer.status === 100) return;
    if (++branch.provisionals > MAX_PROVISIONALS_PER_BRANCH) return;
    if (answer.tag !== undefined && this.#note(index, answer.tag, 'early', answer) === undefined) return;
    this.#raise(answer.tag === undefined ? 'proceeding' : 'early');
    this.#actions.push({ kind: 'pass', branch: index, answer });
  }

  #accepted(index: number, branch: Branch, answer: A): void {
    const tag = answer.tag ?? '';
    const known = this.forks.get(tag);
    const isRefused = this.state === 'terminated' || (this.#stop !== undefined && this.#isStoppedForGood());
    const isRepeated = known !== undefined && (known.state === 'confirmed' || known.status === 200);
    branch.state = 'done';
    const fork = this.#note(index, tag, isRefused ? 'terminated' : 'confirmed', answer);
    if (fork === undefined) return;
    this.#endEarly(index, 487, fork);
    if (isRefused) {
      fork.status = 200;
      this.#actions.push({ kind: 'release', branch: index, answer, isRepeated });
      this.#settle();
      return;
    }
    this.#actions.push({ kind: 'pass', branch: index, answer });
    if (this.winner === undefined) this.#win(fork);
  }

  /** The caller is gone or was cut off: nobody takes an answer. After a CANCEL of the caller a 2xx still counts. */
  #isStoppedForGood(): boolean {
    return this.#stop !== undefined && this.#stop !== 'decided' && this.#stop.cause !== 'cancelled';
  }

  #win(fork: Fork): void {
    this.winner = fork;
    this.#stop = 'decided';
    this.state = 'confirmed';
    this.cause = undefined;
    this.#actions.push({ kind: 'stopTimer', timer: 'noAnswer' }, { kind: 'stopTimer', timer: 'silence' });
    this.#cancelAll();
  }

  #refused(index: number, branch: Branch, answer: A): void {
    this.#actions.push({ kind: 'acknowledge', branch: index, answer });
    if (branch.state === 'done') return;
    this.#finish(index, branch, answer.status);
    if (!branch.timedOut) this.#answers.push(answer);
    if (answer.status >= 600 && this.#stop === undefined) {
      this.#stop = 'decided';
      this.#cancelAll();
    }
    this.#settle();
  }

  #unreachable(index: number): void {
    const branch = this.#branches[index];
    if (branch === undefined || branch.state === 'waiting' || branch.state === 'done') return;
    this.#finish(index, branch, 480);
    this.#settle();
  }

  #finish(index: number, branch: Branch, status: number): void {
    branch.state = 'done';
    this.#endEarly(index, status);
  }

  /** Early dialogs of a branch that has answered finally are over. */
  #endEarly(index: number, status: number, kept?: Fork): void {
    for (const fork of this.forks.values()) {
      if (fork === kept || fork.branch !== index || fork.state === 'confirmed' || fork.state === 'terminated') continue;
      fork.state = 'terminated';
      fork.status = status;
    }
  }

  #halt(stop: Stop): void {
    if (this.#isOver || (this.#stop !== undefined && this.#stop !== 'decided')) return;
    this.#stop = stop;
    this.#actions.push({ kind: 'stopTimer', timer: 'noAnswer' }, { kind: 'stopTimer', timer: 'silence' });
    this.#cancelAll();
    this.#settle();
  }

  #timer(timer: ForkTimer): void {
    const live = [...this.#branches.entries()].filter(([, { state }]) => state === 'calling' || state === 'proceeding');
    if (timer === 'noAnswer') {
      this.#hasTimedOut = true;
      for (const [, branch] of live) branch.timedOut = true;
      this.#cancelAll();
    } else {
      const given = live.filter(([, { state, cancelWanted }]) =>
        timer === 'silence' ? state === 'calling' : cancelWanted,
      );
      if (timer === 'silence' && given.length > 0) this.#hasGivenUp = true;
      for (const [index, branch] of given) this.#finish(index, branch, timer === 'silence' ? 408 : 487);
    }
    this.#settle();
  }

  #cancelAll(): void {
    let wanted = false;
    for (const [index, branch] of this.#branches.entries()) {
      if (branch === undefined || branch.state === 'waiting' || branch.state === 'done') continue;
      branch.cancelWanted = true;
      wanted = true;
      if (branch.state === 'proceeding') this.#sendCancel(index, branch);
    }
    if (wanted) this.#actions.push({ kind: 'startTimer', timer: 'cancelled', milliseconds: CANCELLED_MS });
  }

  #sendCancel(index: number, branch: Branch): void {
    if (branch.cancelSent || branch.isAnswered) return;
    branch.cancelSent = true;
    this.#actions.push({ kind: 'cancel', branch: index });
  }

  /** Nothing rings any more: the next group, or the end. */
  #settle(): void {
    if (this.#isOver || this.#branches.some(({ state }) => state === 'calling' || state === 'proceeding')) return;
    const group = this.#stop === undefined ? this.#settings.groups[this.#group + 1] : undefined;
    if (group === undefined) {
      this.#conclude();
      return;
    }
    this.#group++;
    for (const index of group) {
      const branch = this.#branches[index];
      if (branch !== undefined) branch.state = 'calling';
      this.#actions.push({ kind: 'invite', branch: index });
    }
    this.#actions.push({ kind: 'startTimer', timer: 'noAnswer', milliseconds: this.#settings.noAnswerMs });
    this.#actions.push({ kind: 'startTimer', timer: 'silence', milliseconds: SILENCE_MS });
  }

  #conclude(): void {
    this.state = 'terminated';
    for (const timer of ['noAnswer', 'silence', 'cancelled'] as const) this.#actions.push({ kind: 'stopTimer', timer });
    const best = bestResponse(this.#answers);
    const { status, cause, isBest } = this.#verdict(best);
    this.status = status;
    this.cause = cause;
    this.#actions.push({
      ...{ kind: 'reject', status, all: this.#answers },
      ...(isBest && best !== undefined ? { best } : {}),
    });
  }

  #verdict(best: A | undefined): { status: number; cause: CallCause; isBest: boolean } {
    if (this.#stop !== undefined && this.#stop !== 'decided') return { ...this.#stop, isBest: false };
    if (best !== undefined) {
      const cause = DECLINED.has(best.status) ? 'rejected' : 'failed';
      // RFC 3261 section 16.7, step 6: the 503 of one device says nothing about this proxy.
      return best.status === 503 ? { status: 500, cause, isBest: false } : { status: best.status, cause, isBest: true };
    }
    if (this.#hasTimedOut) return { status: this.#settings.noAnswerStatus, cause: 'noAnswer', isBest: false };
    // RFC 3261 section 16.7: a client transaction that timed out counts as 408.
    if (this.#hasGivenUp) return { status: 408, cause: 'noAnswer', isBest: false };
    return { status: 480, cause: 'failed', isBest: false };
  }

  #raise(state: CallState): void {
    if (RANK[state] > RANK[this.state]) this.state = state;
  }

  /** @returns the dialog of this tag; undefined when the branch has more tags than it may */
  #note(branch: number, tag: string, state: CallState, answer: A): Fork | undefined {
    let fork = this.forks.get(tag);
    if (fork === undefined) {
      const ofBranch = [...this.forks.values()].filter((other) => other.branch === branch);
      if (ofBranch.length >= MAX_TAGS_PER_BRANCH) return undefined;
      fork = { tag, branch, state, status: undefined, contactUri: answer.contactUri };
      this.forks.set(tag, fork);
    }
    if (fork.branch !== branch) return undefined;
    fork.contactUri = answer.contactUri ?? fork.contactUri;
    if (RANK[state] > RANK[fork.state]) fork.state = state;
    return fork;
  }
}

const newBranch = (): Branch => ({
  ...{ state: 'waiting', cancelWanted: false, cancelSent: false, isAnswered: false, timedOut: false, provisionals: 0 },
});
