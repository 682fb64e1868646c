/** What a press on a colleague's lamp does now. Pure. */
import { pickUpOf } from '#gateway/panel/call/replaces.ts';
import type { Presentity } from '#gateway/panel/presentity.ts';
import { type NameOf, partyName, userOf } from '#gateway/panel/wording.ts';

export type LampAction = 'none' | 'call' | 'pickUp' | 'transfer';

export interface OwnSide {
  readonly user: string;
  /** Whom we are calling or talking to. */
  readonly parties: readonly string[];
  /** Whether one of these calls looks for whom to go to. */
  readonly isTransferring: boolean;
}

export function lampAction(presentity: Presentity, own: OwnSide): LampAction {
  const { extension } = presentity;
  if (extension === own.user || own.parties.includes(extension)) return 'none';
  if (own.isTransferring) return 'transfer';
  const ringing = pickUpOf(presentity);
  // Our own call that rings there is nothing to pick up.
  return ringing !== undefined && userOf(ringing.target) !== own.user ? 'pickUp' : 'call';
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
