/** Rendering profiles: how the dialogs of a presentity are told to one kind of endpoint. Pure. */
import { type Dialog, isLive, type Participant } from './dialog.ts';

/** Every choice with its values; the first is the default, which is safe for all endpoints known. */
export const PROFILE_CHOICES = {
  /** `ringing-first` and `busy-first` show one dialog only: the one that matters most. */
  dialogs: ['all', 'ringing-first', 'busy-first'],
  /** What tells that the phone rings. */
  ringing: ['early', 'proceeding'],
  /** What an idle presentity shows: a terminated dialog, or none. */
  idle: ['terminated', 'empty'],
  /** What tells that a call which the presentity makes rings at the other side. */
  callerEarly: ['early', 'confirmed'],
  /** What a held call shows: `+sip.rendering=no` as it was published (RFC 4235), or a plain state instead. */
  hold: ['rendering', 'confirmed', 'early', 'terminated'],
  /** `partial`: full at first and on refresh, then only what changed (RFC 4235 section 4.3). */
  documents: ['full', 'partial'],
  /** `withheld`: state and direction alone, nothing that tells who talks or lets a call be picked up. */
  identities: ['shown', 'withheld'],
} as const;

type Choices = {
  readonly [Choice in keyof typeof PROFILE_CHOICES]: (typeof PROFILE_CHOICES)[Choice][number];
};

export interface RenderingProfile extends Choices {
  /** The watcher asks for one dialog, or for those of one INVITE, and not for all (RFC 4235 section 3.2). */
  readonly only?: DialogName;
}

/** As the presentity knows it; without a remote tag all dialogs that one INVITE has made. */
export interface DialogName {
  readonly callId: string;
  readonly localTag?: string;
  readonly remoteTag?: string;
}

export const DEFAULT_PROFILE: RenderingProfile = {
  ...{ dialogs: 'all', ringing: 'early', idle: 'terminated', callerEarly: 'early' },
  ...{ hold: 'rendering', documents: 'full', identities: 'shown' },
};

/** What endpoints need that the default does not give them; the first rule that fits counts. */
export const USER_AGENT_RULES: readonly UserAgentRule[] = [
  // Crashes on a second dialog; blinks for an early dialog in either direction.
  { userAgent: 'SPA962', profile: { dialogs: 'ringing-first', callerEarly: 'confirmed' } },
  { userAgent: 'SPA932', profile: { dialogs: 'ringing-first', callerEarly: 'confirmed' } },
  { userAgent: 'Linksys', profile: { callerEarly: 'confirmed' } },
  // BroadWorks style: blinks for proceeding with direction recipient only. A held call shows as busy.
  { userAgent: 'Gigaset', profile: { ringing: 'proceeding', hold: 'confirmed' } },
  { userAgent: 'Technicolor', profile: { ringing: 'proceeding' } },
  { userAgent: 'Thomson TB', profile: { ringing: 'proceeding' } },
  { userAgent: 'Aastra', profile: { ringing: 'proceeding' } },
];

/** Some choices of a profile; the rest is the default's. */
export type PartialProfile = { readonly [Choice in keyof Choices]?: Choices[Choice] | undefined };

export interface UserAgentRule {
  /** Stands anywhere in User-Agent, in any case of letters. */
  readonly userAgent: string;
  readonly profile: PartialProfile;
}

/** A tenant's word: for all its watchers, and for some User-Agents, before the rules above. */
export interface RenderingPolicy {
  readonly profile?: PartialProfile | undefined;
  readonly userAgents?: readonly UserAgentRule[] | undefined;
}

/**
 * Chooses the profile of a subscription: the default, then what the User-Agent is known to need, then the tenant's word
 * for all, then its word for this User-Agent.
 * @param mayKnow the watcher is the presentity, or may publish for it: nothing is withheld
 */
export function chooseProfile(
  userAgent: string | undefined,
  policy: RenderingPolicy | undefined,
  mayKnow: boolean,
): RenderingProfile {
  const product = userAgent?.toLowerCase() ?? '';
  const fits = (rule: UserAgentRule): boolean => product.includes(rule.userAgent.toLowerCase());
  const chosen = {
    ...DEFAULT_PROFILE,
    ...USER_AGENT_RULES.find(fits)?.profile,
    ...policy?.profile,
    ...policy?.userAgents?.find(fits)?.profile,
  };
  return mayKnow ? { ...chosen, identities: 'shown' } : chosen;
}

/** What is stored with a subscription: only what differs from the default, so '' for most. */
export function encodeProfile(profile: RenderingProfile): string {
  const { only, ...choices } = profile;
  const chosen = Object.entries(choices)
    .filter(([name, value]) => Reflect.get(DEFAULT_PROFILE, name) !== value)
    .map(([name, value]) => `${name}=${value}`)
    .toSorted();
  return [...chosen, ...(only === undefined ? [] : [`${ONLY}${encodeName(only)}`])].join(' ');
}

const ONLY = 'only=';

const encodeName = ({ callId, localTag = '', remoteTag = '' }: DialogName): string =>
  [callId, localTag, remoteTag].map(encodeURIComponent).join(',');

function decodeName(encoded: string): DialogName {
  const [callId = '', localTag, remoteTag] = encoded.split(',').map(decodeURIComponent);
  return { callId, ...(localTag && { localTag }), ...(remoteTag && { remoteTag }) };
}

const KNOWN_PAIRS: ReadonlySet<string> = new Set(
  Object.entries(PROFILE_CHOICES).flatMap(([name, values]) => values.map((value) => `${name}=${value}`)),
);

/** The profile of an encoded one; what is not known (a later release wrote it) is left at its default. */
export function decodeProfile(encoded: string): RenderingProfile {
  if (encoded === '') return DEFAULT_PROFILE;
  const pairs = encoded.split(' ');
  const known = pairs.filter((pair) => KNOWN_PAIRS.has(pair)).map((pair) => Object.fromEntries([pair.split('=', 2)]));
  const only = pairs.find((pair) => pair.startsWith(ONLY))?.slice(ONLY.length);
  return Object.assign({}, DEFAULT_PROFILE, ...known, only === undefined ? {} : { only: decodeName(only) });
}

/** The dialogs as an endpoint with this profile is told them. */
export function applyProfile(dialogs: readonly Dialog[], profile: RenderingProfile): readonly Dialog[] {
  const { only } = profile;
  const asked = only === undefined ? dialogs : dialogs.filter((dialog) => isMeant(dialog, only));
  const told = asked.map((dialog) => tell(dialog, profile));
  const live = told.filter(isLive);
  if (live.length === 0) return profile.idle === 'empty' ? [] : oneOrAll(told, profile);
  return oneOrAll(live, profile);
}

const isMeant = (dialog: Dialog, { callId, localTag, remoteTag }: DialogName): boolean =>
  dialog.callId === callId &&
  (localTag === undefined || dialog.localTag === localTag) &&
  (remoteTag === undefined || dialog.remoteTag === remoteTag);

function tell(dialog: Dialog, { ringing, callerEarly, hold, identities }: RenderingProfile): Dialog {
  let told = identities === 'withheld' ? withoutIdentities(dialog) : dialog;
  if (hold !== 'rendering' && isHeld(dialog)) told = { ...told, state: hold, local: withoutRendering(told.local) };
  const isRinging = dialog.state === 'early' || dialog.state === 'proceeding';
  if (isRinging && dialog.direction === 'initiator' && callerEarly === 'confirmed')
    return { ...told, state: 'confirmed' };
  return told.state === 'early' && ringing === 'proceeding' ? { ...told, state: 'proceeding' } : told;
}

/** A call on hold (RFC 4235: its target does not render). */
export const isHeld = ({ state, local }: Dialog): boolean =>
  state === 'confirmed' && local?.target?.params.some(isNotRendering) === true;

const isNotRendering = ([name, value]: readonly [string, string]): boolean =>
  name.toLowerCase() === '+sip.rendering' && value.toLowerCase() === 'no';

function withoutRendering(local: Participant | undefined): Participant | undefined {
  if (local?.target === undefined) return local;
  const params = local.target.params.filter(([name]) => name.toLowerCase() !== '+sip.rendering');
  return { ...local, target: { ...local.target, params } };
}

/** Call-ID and tags go too: with them a call can be replaced (RFC 4235 section 6). */
export function withoutIdentities({ id, direction, state, startedAtMs }: Dialog): Dialog {
  return { id, state, ...(direction && { direction }), ...(startedAtMs !== undefined && { startedAtMs }) };
}

function oneOrAll(dialogs: readonly Dialog[], { dialogs: shown }: RenderingProfile): readonly Dialog[] {
  if (shown === 'all') return dialogs;
  const order = shown === 'ringing-first' ? RINGING_FIRST : BUSY_FIRST;
  const best = dialogs.toSorted((left, right) => order.indexOf(kindOf(left)) - order.indexOf(kindOf(right)));
  return best.slice(0, 1);
}

type DialogKind = 'ringing' | 'busy' | 'calling' | 'trying' | 'over';
const RINGING_FIRST: readonly DialogKind[] = ['ringing', 'busy', 'calling', 'trying', 'over'];
const BUSY_FIRST: readonly DialogKind[] = ['busy', 'ringing', 'calling', 'trying', 'over'];

function kindOf({ state, direction }: Dialog): DialogKind {
  switch (state) {
    case 'confirmed':
      return 'busy';
    case 'early':
    case 'proceeding':
      return direction === 'initiator' ? 'calling' : 'ringing';
    case 'trying':
      return 'trying';
    case 'terminated':
      return 'over';
    default:
      return state satisfies never;
  }
}
