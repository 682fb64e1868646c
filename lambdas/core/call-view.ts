/** Calls and records as operators read them: the fields that Kamailio's `dlg.list` shows, and times as text. Pure. */
import type { CallSnapshot } from '#contract/call.ts';
import type { CallProfile, CallType } from './call-policy.ts';
import type { CallRecord } from './call-record.ts';

export interface ViewedCall {
  readonly snapshot: CallSnapshot;
  readonly gatewayId: string;
  readonly type: CallType;
  readonly profiles: readonly CallProfile[];
  readonly variables: Readonly<Record<string, string>>;
}

/** @param nowMs until when the duration of a live call counts */
export function viewCall({ snapshot, gatewayId, type, profiles, variables }: ViewedCall, nowMs: number) {
  const { callKey, callId, domain, state, caller, callee, startedAtMs, answeredAtMs, endedAtMs } = snapshot;
  return {
    ...{ id: callKey, callId, tenant: domain, from: caller.aor, to: callee.aor, state, type, gateway: gatewayId },
    init: timeOf(startedAtMs),
    start: timeOf(answeredAtMs),
    end: timeOf(endedAtMs),
    duration: answeredAtMs === undefined ? 0 : wholeSeconds(answeredAtMs, endedAtMs ?? nowMs),
    timeout: timeOf(snapshot.expiresAtMs),
    lifetime: wholeSeconds(startedAtMs, snapshot.expiresAtMs),
    caller: viewLeg(caller),
    callee: viewLeg(callee),
    forks: snapshot.forks.map(({ tag, state: forkState, status, contactUri }) => ({
      ...{ tag, state: forkState, status, contact: contactUri },
    })),
    ...{ profiles, variables, cause: snapshot.cause, endedBy: snapshot.endedBy, status: snapshot.status },
  };
}

function viewLeg({ aor, tag, contactUri, cseq, instance, flow }: CallSnapshot['caller']) {
  return { uri: aor, tag, contact: contactUri, cseq, instance, gateway: flow?.gatewayId, flow: flow?.flowId };
}

/** The times have the names that billing knows them by. */
export function viewRecord(record: CallRecord) {
  const { id, domain, callId, caller, callee, callerTag, calleeTag, setupAtMs, answeredAtMs, endedAtMs } = record;
  const { billSeconds, cause, endedBy, status, type, profiles, variables } = record;
  return {
    ...{ id, tenant: domain, callId, from: caller, to: callee, fromTag: callerTag, toTag: calleeTag },
    SetupTime: timeOf(setupAtMs),
    AnswerTime: timeOf(answeredAtMs),
    EndTime: timeOf(endedAtMs),
    BillSec: billSeconds,
    ...{ cause, endedBy, status, type, profiles, variables },
  };
}

const timeOf = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString();

const wholeSeconds = (fromMs: number, toMs: number): number => Math.max(0, Math.round((toMs - fromMs) / 1_000));
