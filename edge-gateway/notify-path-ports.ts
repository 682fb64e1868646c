/** What the notify path is told, and what it works with. */
import type { NotifyInstruction } from '#contract/instruction.ts';
import type { Outbox } from './outbox.ts';
import type { Subscription, SubscriptionTable } from './subscription-table.ts';
import type { Counts, LampLatency, Log } from './telemetry.ts';

export interface NotifyPathSettings {
  readonly holdBackBytes: number;
  readonly parkingMs: number;
  readonly maxParked: number;
  /** How long changes of an event list's members are gathered into one NOTIFY. */
  readonly listWindowMs: number;
}

export interface NotifyPathPorts {
  readonly subscriptions: SubscriptionTable;
  readonly outbox: Outbox;
  readonly counts: Counts;
  readonly lampLatency: Pick<LampLatency, 'observe'>;
  readonly log: Log;
  readonly nowMs: () => number;
  /** A subscription that the table of the functions still lists is gone from here. */
  /** @param hasFailed a NOTIFY said so, or none was answered: it lives on nowhere else */
  readonly reportEnded: (subscription: Subscription, hasFailed: boolean) => void;
}

/** Whose state it is, and what a list shows of it instead, if it withholds it: only event lists need to know. */
export type MemberState = Pick<NotifyInstruction, 'presentity' | 'instance'>;
