/** Call detail record: what is left of a call. Pure. */
import type { CallSnapshot } from '#contract/call.ts';
import type { CallProfile, CallType } from './call-policy.ts';

export interface CallRecord {
  /** The call's key: a record that comes twice is known by it. */
  readonly id: string;
  readonly domain: string;
  readonly callId: string;
  /** AORs. */
  readonly caller: string;
  readonly callee: string;
  readonly callerTag?: string;
  readonly calleeTag?: string;
  readonly setupAtMs: number;
  /** Absent of a call that nobody answered. */
  readonly answeredAtMs?: number;
  readonly endedAtMs: number;
  /** From the answer to the end, in whole seconds. */
  readonly billSeconds: number;
  readonly cause: NonNullable<CallSnapshot['cause']>;
  readonly endedBy?: 'caller' | 'callee';
  /** Final status of a call that failed. */
  readonly status?: number;
  readonly type: CallType;
  readonly profiles: readonly CallProfile[];
  readonly variables: Readonly<Record<string, string>>;
}

export interface EndedCall {
  readonly snapshot: CallSnapshot;
  readonly type: CallType;
  readonly profiles: readonly CallProfile[];
  readonly variables: Readonly<Record<string, string>>;
}

export function recordOf({ snapshot, type, profiles, variables }: EndedCall): CallRecord {
  const { callKey, domain, callId, caller, callee, startedAtMs, answeredAtMs, endedBy, status } = snapshot;
  const endedAtMs = snapshot.endedAtMs ?? startedAtMs;
  return {
    ...{ id: callKey, domain, callId, caller: caller.aor, callee: callee.aor },
    ...(caller.tag !== undefined && { callerTag: caller.tag }),
    ...(callee.tag !== undefined && { calleeTag: callee.tag }),
    setupAtMs: startedAtMs,
    ...(answeredAtMs !== undefined && { answeredAtMs }),
    endedAtMs,
    billSeconds: answeredAtMs === undefined ? 0 : Math.max(0, Math.round((endedAtMs - answeredAtMs) / 1_000)),
    cause: snapshot.cause ?? 'failed',
    ...(endedBy !== undefined && { endedBy }),
    ...(status !== undefined && { status }),
    ...{ type, profiles, variables },
  };
}
