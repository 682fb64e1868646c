/** A call as the dialogs of its two parties (RFC 4235 section 3.7). Pure. */
import { createHash } from 'node:crypto';
import type { CallSnapshot } from '#contract/call.ts';
import type { Dialog, DialogState, Participant, StateEvent } from './dialog.ts';

/** Which end of a call somebody is at. */
export type CallSide = 'caller' | 'callee';

type Cause = NonNullable<CallSnapshot['cause']>;

/** What a call's end looks like to a side that did not bring it about. */
const EVENTS: Readonly<Record<Cause, StateEvent | undefined>> = {
  bye: undefined,
  cancelled: 'cancelled',
  rejected: 'rejected',
  noAnswer: 'timeout',
  replaced: 'replaced',
  flowLost: 'error',
  sessionExpired: 'timeout',
  tooLong: 'timeout',
  gatewayLost: 'error',
  admin: 'remote-bye',
  failed: 'rejected',
};

/** Statuses that a branch has when its INVITE was cancelled. */
const CANCELLED = 487;

/** The dialogs of one side: one of the caller, one a fork of the callee. Their ids stay the same. */
export function dialogsOf(call: CallSnapshot, side: CallSide): Dialog[] {
  return side === 'caller' ? [callerDialog(call)] : call.forks.map((fork) => forkDialog(call, fork));
}

function callerDialog(call: CallSnapshot): Dialog {
  const { caller, callee } = call;
  return {
    id: idOf(call.callKey, 'caller'),
    callId: call.callId,
    ...(caller.tag !== undefined && { localTag: caller.tag }),
    ...(callee.tag !== undefined && { remoteTag: callee.tag }),
    direction: 'initiator',
    state: call.state,
    ...(call.state === 'terminated' && endOf(call, 'caller', call.status)),
    startedAtMs: call.startedAtMs,
    local: participant(caller.aor, caller.contactUri, call.state),
    remote: participant(callee.aor, callee.contactUri, call.state),
  };
}

type Fork = CallSnapshot['forks'][number];

function forkDialog(call: CallSnapshot, fork: Fork): Dialog {
  const { caller, callee } = call;
  const state = call.state === 'terminated' ? 'terminated' : fork.state;
  return {
    id: idOf(call.callKey, fork.tag),
    callId: call.callId,
    localTag: fork.tag,
    ...(caller.tag !== undefined && { remoteTag: caller.tag }),
    direction: 'recipient',
    state,
    ...(state === 'terminated' && forkEnd(call, fork)),
    startedAtMs: call.startedAtMs,
    local: participant(callee.aor, fork.contactUri, state),
    remote: participant(caller.aor, caller.contactUri, state),
  };
}

/** A fork that was not answered has an end of its own; the one that was ends with the call. */
function forkEnd(call: CallSnapshot, fork: Fork): Pick<Dialog, 'event' | 'code'> {
  if (fork.tag === call.callee.tag && call.answeredAtMs !== undefined) return endOf(call, 'callee', undefined);
  const { status } = fork;
  if (status !== undefined && status >= 300 && status !== CANCELLED) return { event: 'rejected', code: status };
  return call.answeredAtMs === undefined ? endOf(call, 'callee', undefined) : { event: 'cancelled' };
}

function endOf(call: CallSnapshot, side: CallSide, status: number | undefined): Pick<Dialog, 'event' | 'code'> {
  const event = eventOf(call, side);
  return { ...(event && { event }), ...(event === 'rejected' && status !== undefined && { code: status }) };
}

function eventOf({ cause, endedBy }: CallSnapshot, side: CallSide): StateEvent | undefined {
  if (cause !== 'bye') return cause && EVENTS[cause];
  if (endedBy === undefined) return undefined;
  return endedBy === side ? 'local-bye' : 'remote-bye';
}

/** Of a dialog that is over nobody needs the target. */
const participant = (aor: string, contactUri: string | undefined, state: DialogState): Participant => ({
  identity: { uri: aor },
  ...(contactUri !== undefined && state !== 'terminated' && { target: { uri: contactUri, params: [] } }),
});

/** What the wire says of tags may be long, an id may not. */
const idOf = (callKey: string, part: string): string =>
  `c${createHash('sha256')
    .update(JSON.stringify([callKey, part]))
    .digest('hex')
    .slice(0, 16)}`;
