/** Why a lamp changed, and what became of a NOTIFY, in words. Pure. */
import type { Change, Notify, PresentityDetails, ToldSubscription } from '#gateway/panel/admin/shapes.ts';
import { shortAddress } from '#gateway/panel/admin/words.ts';

type Source = Change['sources'][number];

const CAUSES: Readonly<Record<string, string>> = {
  publication: 'Published',
  call: 'A call of this system',
  source: 'Told over HTTP',
  expiry: 'Ran out',
  removal: 'Removed by its publisher',
  reset: 'Reset by hand',
  registration: 'A device came or went',
};

/** "Published by pbx (dialog)", "Reset by hand with lf_1234". */
export function causeText({ cause, publisher, event, by }: Source, domain: string): string {
  const isPerson = publisher !== undefined && publisher !== 'system';
  const who = isPerson ? ` by ${shortAddress(publisher, domain)}` : '';
  const what = event === undefined || cause === 'call' ? '' : ` (${event})`;
  return `${CAUSES[cause] ?? cause}${cause === 'removal' ? '' : who}${by === undefined ? '' : ` with ${by}`}${what}`;
}

type DialogFacts = Pick<PresentityDetails['dialogs'][number], 'state' | 'direction'> & {
  readonly remote?: { readonly uri?: string | undefined; readonly displayName?: string | undefined } | undefined;
};

const STATES: Readonly<Record<string, string>> = {
  trying: 'being set up',
  proceeding: 'being set up',
  early: 'ringing',
  confirmed: 'talking',
  terminated: 'over',
};

/** "Talking, from +1 202 555 0143". */
export function dialogText({ state, direction, remote }: DialogFacts, domain: string): string {
  const who = remote?.displayName || (remote?.uri && shortAddress(remote.uri, domain));
  const way = direction === 'initiator' ? 'to' : 'from';
  const words = STATES[state] ?? state;
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}${who ? `, ${way} ${who}` : ''}`;
}

/** What became of a NOTIFY. */
export function answerText({ answer, timedOut, roundTripMs }: Notify): string {
  if (timedOut === true) return 'nobody answered';
  if (answer === undefined) return 'not answered yet, or overtaken by the next';
  return `answered ${answer}${roundTripMs === undefined ? '' : ` after ${roundTripMs} ms`}`;
}

const SUBSCRIPTION_STATES: Readonly<Record<string, string>> = {
  live: 'connected',
  parked: 'its connection is gone: it waits for it to come back',
  lost: 'its gateway does not know it any more',
  unreachable: 'its gateway does not answer',
};

export function subscriptionText({ watcher, event, state, isWaiting }: ToldSubscription, domain: string): string {
  const waits = isWaiting === true ? '; a newer state waits' : '';
  return `${shortAddress(watcher, domain)}, ${event}: ${SUBSCRIPTION_STATES[state] ?? state}${waits}`;
}
