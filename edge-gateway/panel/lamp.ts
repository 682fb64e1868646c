/** From a colleague's dialogs to one lamp, by rank. Pure. */
import type { Presentity, TrackedDialog } from '#gateway/panel/presentity.ts';

export const LAMP_STATES = ['idle', 'ringing', 'busy', 'held', 'unknown'] as const;
export type LampState = (typeof LAMP_STATES)[number];

/** What each lamp is called, wherever it is written. */
export const LAMP_NAMES = {
  idle: 'Free',
  ringing: 'Ringing',
  busy: 'In a call',
  held: 'On hold',
  unknown: 'Unknown',
} as const satisfies Record<LampState, string>;

export interface Lamp {
  readonly state: LampState;
  /** The dialog that decided; none when idle or unknown. */
  readonly dialog?: TrackedDialog;
  /** Live dialogs beside it. */
  readonly others: number;
}

/** A call that can be picked up matters most, then a talk, then one being dialled, then one that only waits. */
const RANK = { ringing: 4, talking: 3, dialling: 2, held: 1 } as const;
type Activity = keyof typeof RANK;
const LAMP_OF = { ringing: 'ringing', talking: 'busy', dialling: 'busy', held: 'held' } as const;

export function lampOf(presentity: Presentity): Lamp {
  if (presentity.watching !== 'active') return { state: 'unknown', others: 0 };
  const live = liveDialogs(presentity);
  const [first] = live;
  if (first === undefined) return { state: 'idle', others: 0 };
  return { state: LAMP_OF[activityOf(first)], dialog: first, others: live.length - 1 };
}

/** Every dialog that is not over, the most important first, then the oldest. */
export function liveDialogs(presentity: Presentity): TrackedDialog[] {
  return presentity.dialogs
    .filter((dialog) => dialog.state !== 'terminated')
    .sort((a, b) => RANK[activityOf(b)] - RANK[activityOf(a)] || a.sinceMs - b.sinceMs);
}

export function activityOf(dialog: TrackedDialog): Activity {
  if (dialog.state === 'confirmed') return dialog.held ? 'held' : 'talking';
  // A publisher that leaves out the direction means an incoming call; `trying` then is only a lifted handset.
  const incoming = dialog.direction === undefined ? dialog.state !== 'trying' : dialog.direction === 'recipient';
  return incoming ? 'ringing' : 'dialling';
}
