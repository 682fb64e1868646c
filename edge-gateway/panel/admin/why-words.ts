/** Why a lamp changed, and what became of a NOTIFY, in words. Pure. */
import type { Change, Notify, PresentityDetails, ToldSubscription } from '#gateway/panel/admin/shapes.ts';
import { shortAddress } from '#gateway/panel/admin/words.ts';

type Source = Change['sources'][number];

/** With who it was, where that is somebody, and with the key of a reset. */
const CAUSES: Readonly<Record<string, (who: string, by: string) => string>> = {
  publication: (who) => `Published by ${who}`,
  call: () => 'A call of this system',
  source: (who) => `Told over HTTP by ${who}`,
  expiry: (who) => `Ran out: it was told by ${who}`,
  removal: (who) => `Taken back by ${who}`,
  reset: (_who, by) => `Reset by hand with ${by}`,
  registration: () => 'A device came or went',
};

/** "Published by pbx (dialog)", "Reset by hand with lf_1234". */
export function causeText({ cause, publisher, event, by }: Source, domain: string): string {
  const who = publisher === undefined ? 'this system' : publisherText(publisher, domain);
  const what = event === undefined || cause === 'call' ? '' : ` (${event})`;
  return `${CAUSES[cause]?.(who, by ?? 'a key') ?? cause}${what}`;
}

/** Publishers are addresses, sources over HTTP (`source:pbx`), or the system itself for its calls. */
export const publisherText = (publisher: string, domain: string): string =>
  publisher === 'system' ? 'this system' : shortAddress(publisher.replace(/^source:/, ''), domain);

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
