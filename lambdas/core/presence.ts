/** Presence as data (RFC 3856, RFC 4479): what is published of it, what calls and registration say, in one view. Pure. */
import { type Dialog, isLive } from './dialog.ts';
import { composeDialogs, type Presentity } from './presentity.ts';

export type BasicStatus = 'open' | 'closed';

/** An element of a namespace that only its reader knows; passed through. */
export interface Extension {
  readonly namespace: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly text: string;
  readonly children: readonly Extension[];
}

/** What somebody does (RFC 4480 section 3.2). */
export interface Activity {
  /** '' for one of RPID's own. */
  readonly namespace: string;
  readonly name: string;
  readonly text: string;
}

/** One device or service that can be reached. */
export interface PresenceTuple {
  readonly id: string;
  readonly basic?: BasicStatus;
  readonly contact?: { readonly uri: string; readonly priority?: string };
  readonly notes: readonly string[];
  /** As it was published (RFC 3339). */
  readonly timestamp?: string;
  /** Inside `<status>`, beside its basic value. */
  readonly statusExtensions: readonly Extension[];
  readonly extensions: readonly Extension[];
}

/** What is published of one presentity's presence, or shown of it. */
export interface Presence {
  readonly tuples: readonly PresenceTuple[];
  readonly notes: readonly string[];
  readonly activities: readonly Activity[];
  readonly personNotes: readonly string[];
  readonly personExtensions: readonly Extension[];
  /** Beside tuples and person, such as devices. */
  readonly extensions: readonly Extension[];
}

type Call = 'none' | 'ringing' | 'onThePhone';
const CALL_NOTES: Readonly<Record<Call, readonly string[]>> = {
  none: [],
  ringing: ['Ringing'],
  onThePhone: ['On the phone'],
};

export const ON_THE_PHONE: Activity = { namespace: '', name: 'on-the-phone', text: '' };

/**
 * All publications in one view, open tuples first. With none, registration and calls speak for the presentity. A call
 * shows in either case: the publication of a device rarely knows of it.
 * @param asOfMs publications that have expired by then do not count
 */
export function composePresence(presentity: Presentity, asOfMs: number): Presence {
  const published = presentity.publications
    .filter(({ event, expiresAtMs }) => event === 'presence' && expiresAtMs > asOfMs)
    .sort((left, right) => (left.id < right.id ? -1 : 1))
    .flatMap(({ content }) => (content.kind === 'presence' ? [content.presence] : []));
  const call = callOf(composeDialogs(presentity.publications, asOfMs));
  const view = published.length === 0 ? derived(presentity.registered === true, call) : merged(published);
  return call === 'onThePhone' ? { ...view, activities: unique([...view.activities, ON_THE_PHONE]) } : view;
}

/** Equal for two views that look the same, whatever the time. */
export function presenceFingerprint(presence: Presence): string {
  return JSON.stringify(presence, (name, value: unknown) => (name === 'timestamp' ? undefined : value));
}

/** What shows of a presentity that is not there. */
export const NO_PRESENCE: Presence = derived(false, 'none');

/** Nothing that tells who, where or by which device; in `stateOnly` not what somebody does either. */
export function redactedPresence(presence: Presence, access: 'redacted' | 'stateOnly'): Presence {
  const bare = derived(basicStatusOf(presence) === 'open', 'none');
  if (access === 'stateOnly') return bare;
  const activities = presence.activities.filter(({ namespace }) => namespace === '');
  return { ...bare, activities: activities.map((activity) => ({ ...activity, text: '' })) };
}

/** Of several devices, one that is open makes the presentity open. */
export const basicStatusOf = ({ tuples }: Presence): BasicStatus =>
  tuples.some(({ basic }) => basic === 'open') ? 'open' : 'closed';

function callOf(dialogs: readonly Dialog[]): Call {
  const live = dialogs.filter(isLive);
  const isBusy = live.some(({ state, direction }) => state === 'confirmed' || direction === 'initiator');
  if (isBusy) return 'onThePhone';
  return live.length > 0 ? 'ringing' : 'none';
}

function derived(isRegistered: boolean, call: Call): Presence {
  const basic = isRegistered || call !== 'none' ? 'open' : 'closed';
  const tuple = { id: 'registration', basic, notes: CALL_NOTES[call], statusExtensions: [], extensions: [] } as const;
  return {
    tuples: [tuple],
    ...{ notes: [], activities: [], personNotes: [], personExtensions: [], extensions: [] },
  };
}

function merged(published: readonly Presence[]): Presence {
  const tuples = withUniqueIds(published.flatMap((each) => each.tuples));
  return {
    tuples: [...tuples.filter(isOpen), ...tuples.filter((tuple) => !isOpen(tuple))],
    notes: unique(published.flatMap((each) => each.notes)),
    activities: known(unique(published.flatMap((each) => each.activities))),
    personNotes: unique(published.flatMap((each) => each.personNotes)),
    personExtensions: oneOfAKind(published.flatMap((each) => each.personExtensions)),
    extensions: unique(published.flatMap((each) => each.extensions)),
  };
}

const isOpen = ({ basic }: PresenceTuple): boolean => basic === 'open';

/** `unknown` stands alone (RFC 4480 section 3.2): another device that knows better overrules it. */
function known(activities: readonly Activity[]): Activity[] {
  const better = activities.filter(({ namespace, name }) => namespace !== '' || name !== 'unknown');
  return better.length > 0 ? better : [...activities];
}

function withUniqueIds(tuples: readonly PresenceTuple[]): PresenceTuple[] {
  const taken = new Set<string>();
  return tuples.map((tuple) => {
    let id = tuple.id;
    for (let count = 2; taken.has(id); count += 1) id = `${tuple.id}-${count}`;
    taken.add(id);
    return { ...tuple, id };
  });
}

function oneOfAKind(extensions: readonly Extension[]): Extension[] {
  const byName = new Map<string, Extension>();
  for (const each of extensions) {
    const key = `${each.namespace} ${each.name}`;
    if (!byName.has(key)) byName.set(key, each);
  }
  return [...byName.values()];
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
}
