/** What a press on a colleague's lamp does now. Pure. */
import { pickUpOf } from '#gateway/panel/call/replaces.ts';
import type { Presentity } from '#gateway/panel/presentity.ts';
import { type NameOf, partyName, userOf } from '#gateway/panel/wording.ts';

export type LampAction = 'none' | 'call' | 'pickUp' | 'transfer';

/** @param transferring who is being handed on, while that call looks for whom to go to */
export function lampAction(presentity: Presentity, self: string, transferring: string | undefined): LampAction {
  if (presentity.extension === self || presentity.extension === transferring) return 'none';
  if (transferring !== undefined) return 'transfer';
  const ringing = pickUpOf(presentity);
  // Our own call that rings there is nothing to pick up.
  return ringing !== undefined && userOf(ringing.target) !== self ? 'pickUp' : 'call';
}

export function lampActionText(action: LampAction, presentity: Presentity, nameOf: NameOf): string {
  const who = nameOf(presentity.extension) || presentity.extension;
  switch (action) {
    case 'none':
      return '';
    case 'call':
      return `Call ${who}`;
    case 'transfer':
      return `Transfer to ${who}`;
    case 'pickUp': {
      const caller = pickUpOf(presentity)?.caller;
      return `Pick up ${who}’s call${caller === undefined ? '' : ` from ${partyName(caller, nameOf)}`}`;
    }
    default:
      return action satisfies never;
  }
}
