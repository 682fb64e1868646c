/** One call at its home gateway: its INVITE, its dialogs, and the snapshot that tells how it stands. */
import type { CallRoute, CallSnapshot } from '#contract/call.ts';
import type { SipResponse } from '#core/sip/message.ts';
import { type CallDialog, instanceOf, type Leg } from './call-dialog.ts';
import type { ClientTransaction, ServerTransaction } from './call-transactions.ts';
import type { BranchAnswer, CallCause, CallState, ForkMachine } from './fork-machine.ts';

export interface DeviceAnswer extends BranchAnswer {
  readonly message: SipResponse;
}

export interface CallFacts {
  readonly route: CallRoute;
  readonly server: ServerTransaction;
  readonly fork: ForkMachine<DeviceAnswer>;
  readonly dialog: CallDialog;
  /** Value of our Record-Route. */
  readonly recordRoute: string;
  readonly loopHash: string;
  readonly startedAtMs: number;
}

export class Call {
  readonly facts: CallFacts;
  /** Client transactions of the INVITE, by branch. */
  readonly branches: ClientTransaction[] = [];
  readonly #timers = new Map<string, NodeJS.Timeout>();
  sequence = 0;
  /** What was reported last, to see whether there is news. */
  reported = '';
  answeredAtMs: number | undefined;
  endedAtMs: number | undefined;
  /** Who sent the BYE. */
  endedBy: CallSnapshot['endedBy'];
  #cause: CallCause | undefined;
  /** Another call takes the place of this one (RFC 3891): its end has that cause. */
  isReplaced = false;
  /** Requests in the dialog that wait for their answer. */
  underWay = 0;
  /** Ids of the flows that carry it. */
  readonly flowIds = new Set<string>();

  constructor(facts: CallFacts) {
    this.facts = facts;
  }

  get key(): string {
    return this.facts.route.callKey;
  }

  get isConfirmed(): boolean {
    return this.facts.fork.state === 'confirmed' && this.endedAtMs === undefined;
  }

  get state(): CallState {
    return this.endedAtMs === undefined ? this.facts.fork.state : 'terminated';
  }

  get cause(): CallCause | undefined {
    const cause = this.#cause ?? this.facts.fork.cause;
    return this.isReplaced && (cause === 'bye' || cause === 'cancelled') ? 'replaced' : cause;
  }

  get expiresAtMs(): number {
    return this.facts.startedAtMs + this.facts.route.maxDurationMs;
  }

  /** @param cause of a call that was answered; the others have that of their INVITE */
  end(nowMs: number, cause?: CallCause): void {
    this.endedAtMs ??= nowMs;
    this.#cause ??= cause;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  startTimer(name: string, milliseconds: number, work: () => void): void {
    this.stopTimer(name);
    const left = milliseconds - MAX_TIMER_MS;
    const timer = setTimeout(
      () => {
        this.#timers.delete(name);
        if (left > 0) this.startTimer(name, left, work);
        else work();
      },
      Math.min(milliseconds, MAX_TIMER_MS),
    );
    this.#timers.set(name, timer);
  }

  hasTimer(name: string): boolean {
    return this.#timers.has(name);
  }

  stopTimer(name: string): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}

/** The longest that one timer of the platform can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** @returns a text that differs when there is something to report */
export function newsOf(call: Call): string {
  const { fork, dialog } = call.facts;
  const forks = [...fork.forks.values()].map(({ tag, state, status }) => [tag, state, status]);
  const flows = [dialog.caller.flow.flowId, dialog.winner?.flow.flowId];
  return JSON.stringify([call.state, call.cause, forks, flows]);
}

export function snapshotOf(call: Call, sequence: number): CallSnapshot {
  const { route, server, fork, dialog, startedAtMs } = call.facts;
  const { answeredAtMs, endedAtMs, cause, endedBy } = call;
  const callee = dialog.winner ?? dialog.callees.values().next().value;
  return {
    ...{ domain: route.domain, callId: dialog.callId, callKey: route.callKey, sequence, state: call.state },
    caller: { ...legOf(dialog.caller), instance: instanceOf(server.request), aor: route.caller },
    callee: callee === undefined ? { aor: route.callee } : { ...legOf(callee), aor: route.callee },
    forks: [...fork.forks.values()].map((one) => ({
      ...{ tag: one.tag, state: endedAtMs === undefined ? one.state : 'terminated' },
      ...(one.status === undefined ? {} : { status: one.status }),
      ...(one.contactUri === undefined ? {} : { contactUri: one.contactUri }),
    })),
    ...{ startedAtMs, expiresAtMs: call.expiresAtMs },
    ...(answeredAtMs === undefined ? {} : { answeredAtMs }),
    ...(endedAtMs === undefined ? {} : { endedAtMs }),
    ...(cause === undefined ? {} : { cause }),
    ...(endedBy === undefined ? {} : { endedBy }),
    ...(fork.status === undefined ? {} : { status: fork.status }),
  };
}

const legOf = ({ tag, contactUri, instance, cseq, flow }: Leg): Omit<CallSnapshot['caller'], 'aor'> => ({
  ...{ tag, contactUri, flow },
  ...(instance === undefined ? {} : { instance }),
  ...(cseq === 0 ? {} : { cseq }),
});
