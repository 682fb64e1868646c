/** The dialogs of a presentity as one lamp, in one word. Pure. */
import { type Dialog, isLive } from './dialog.ts';
import { composeDialogs, type Presentity } from './presentity.ts';
import { isHeld } from './rendering-profile.ts';

/** `unknown`: nobody has ever told anything of it. */
export const LAMP_STATES = ['idle', 'ringing', 'busy', 'held', 'unknown'] as const;
export type LampState = (typeof LAMP_STATES)[number];

/** A call that can be picked up matters most, then a talk, then one being dialled, then one that only waits. */
const RANK = { ringing: 4, talking: 3, dialling: 2, held: 1 } as const;
type Activity = keyof typeof RANK;
const LAMP_OF = { ringing: 'ringing', talking: 'busy', dialling: 'busy', held: 'held' } as const;

/** @param asOfMs what has expired by then does not count */
export function lampOf(presentity: Presentity, asOfMs: number): LampState {
  if (presentity.version === 0) return 'unknown';
  return lampOfDialogs(composeDialogs(presentity.publications, asOfMs));
}

export function lampOfDialogs(dialogs: readonly Dialog[]): LampState {
  const [first] = dialogs
    .filter(isLive)
    .map(activityOf)
    .sort((left, right) => RANK[right] - RANK[left]);
  return first === undefined ? 'idle' : LAMP_OF[first];
}

function activityOf(dialog: Dialog): Activity {
  if (dialog.state === 'confirmed') return isHeld(dialog) ? 'held' : 'talking';
  // A publisher that leaves out the direction means an incoming call; `trying` then is only a lifted handset.
  const isIncoming = dialog.direction === undefined ? dialog.state !== 'trying' : dialog.direction === 'recipient';
  return isIncoming ? 'ringing' : 'dialling';
}
