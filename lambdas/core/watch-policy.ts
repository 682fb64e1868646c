/** Who may watch whom, and how much of it they see (RFC 3856 section 6.6, RFC 3857). Pure. */
import { type Address, addressOfAor, aorOfIdentity, isSameAddress } from './identity.ts';

/** Whom a tenant lets watch its people when no word of theirs decides. */
export const WATCH_DEFAULTS = ['everyone', 'sameGroup', 'listed', 'nobody'] as const;
export type WatchDefault = (typeof WATCH_DEFAULTS)[number];

/** `identities`: state and direction without who talks to whom. `stateOnly`: one lamp, nothing else. */
export const REDACTIONS = ['none', 'identities', 'stateOnly'] as const;
export type Redaction = (typeof REDACTIONS)[number];

/** By class of watcher; the class itself goes before `everyone`, which is everyone of the own tenant. */
export interface Redactions {
  readonly everyone?: Redaction | undefined;
  readonly outsideGroup?: Redaction | undefined;
  readonly federated?: Redaction | undefined;
}

/** For whom one publisher may publish: entries as in {@link UserWatch}. */
export interface PublisherRule {
  readonly publisher: string;
  readonly for: readonly string[];
}

export interface TenantWatch {
  readonly default: WatchDefault;
  readonly redact: Redactions;
  /** Tenants whose people may watch and write to ours, and ours theirs; both sides must name each other. */
  readonly federation: readonly string[];
  /** Each publisher for everyone; or only those that are named, for whom it says. */
  readonly publishers: 'everyone' | readonly PublisherRule[];
}

export const DEFAULT_WATCH: TenantWatch = { default: 'everyone', redact: {}, federation: [], publishers: 'everyone' };

/**
 * One user's own word. An entry is a user name of the own tenant, an AOR (`sip:user@domain`), a whole tenant (`@domain`)
 * or a group of the own tenant (`group:name`).
 */
export interface UserWatch {
  readonly allow: readonly string[];
  readonly block: readonly string[];
  readonly politeBlock: readonly string[];
  /** Who is neither allowed nor blocked waits until it is. */
  readonly confirm: boolean;
  readonly redact: Redactions;
}

export const DEFAULT_USER_WATCH: UserWatch = { allow: [], block: [], politeBlock: [], confirm: false, redact: {} };

/** What a user's account says of watching. */
export interface WatchRules {
  readonly groups: readonly string[];
  readonly watch: UserWatch;
  readonly isPublisher: boolean;
}

/** Of a name that has no account. */
export const NO_RULES: WatchRules = { groups: [], watch: DEFAULT_USER_WATCH, isPublisher: false };

/** One party of a decision. */
export interface WatchParty {
  readonly address: Address;
  readonly rules: WatchRules;
}

/**
 * `polite`: told that the presentity is idle, always. `pending`: nobody has decided yet. The watcher item of a subscription
 * says which, so that the fan-out need not ask.
 */
export const WATCH_ACCESSES = ['full', 'redacted', 'stateOnly', 'polite', 'pending', 'blocked'] as const;
export type WatchAccess = (typeof WATCH_ACCESSES)[number];

/** True for an access with which nothing of the presentity shows. */
export const isHidden = (access: WatchAccess): access is 'polite' | 'pending' | 'blocked' =>
  access === 'polite' || access === 'pending' || access === 'blocked';

/** True when everyone of the tenant sees everything: nobody's account needs to be read to know. */
export const isOpen = ({ default: byDefault, redact }: TenantWatch): boolean =>
  byDefault === 'everyone' && !isRedacting(redact.everyone) && !isRedacting(redact.outsideGroup);

const isRedacting = (redaction: Redaction | undefined): boolean => redaction !== undefined && redaction !== 'none';

/** True when a change of somebody's groups may change what others see: entries of users may name groups, too. */
export const dependsOnGroups = ({ default: byDefault, redact }: TenantWatch, hasUserRules: boolean): boolean =>
  byDefault === 'sameGroup' || redact.outsideGroup !== undefined || hasUserRules;

/**
 * Decides how a watcher may watch a presentity. In this order, the first that decides: oneself and publishers see all; no
 * agreement between two tenants blocks; `nobody` blocks; the user's word for this watcher, then for one of its groups or its
 * tenant, each block before polite block before allow; the tenant's default, which `confirm` turns into waiting.
 * @param tenant policy of the presentity's tenant
 * @param isAgreed both tenants name each other; of no matter within one
 */
export function decideAccess(
  watcher: WatchParty,
  presentity: WatchParty,
  tenant: TenantWatch,
  isAgreed: boolean,
): WatchAccess {
  const isForeign = watcher.address.domain !== presentity.address.domain;
  if (isSameAddress(watcher.address, presentity.address)) return 'full';
  if (!isForeign && watcher.rules.isPublisher) return 'full';
  if ((isForeign && !isAgreed) || tenant.default === 'nobody') return 'blocked';
  const { watch } = presentity.rules;
  const word = wordOf(watch, watcher, presentity.address.domain);
  if (word === 'block') return 'blocked';
  if (word === 'politeBlock') return 'polite';
  const isInGroup = !isForeign && watcher.rules.groups.some((group) => presentity.rules.groups.includes(group));
  const seen = seenAs(redactionFor(isForeign, isInGroup, watch.redact, tenant.redact));
  if (word === 'allow') return seen;
  if (tenant.default === 'listed') return watch.confirm ? 'pending' : 'blocked';
  if (tenant.default === 'sameGroup' && !isInGroup) return 'blocked';
  return watch.confirm ? 'pending' : seen;
}

/** What a user may say of a watcher. */
export const WATCH_WORDS = ['block', 'politeBlock', 'allow'] as const;
export type WatchWord = (typeof WATCH_WORDS)[number];

/**
 * The user's lists with this word for one watcher, instead of what they said of it by its own name.
 * @param word undefined: nothing is said of it any more
 */
export function withWord(watch: UserWatch, watcher: Address, home: string, word: WatchWord | undefined): UserWatch {
  const others = (entries: readonly string[]): string[] =>
    entries.filter((entry) => !namesAddress(entry, watcher, home));
  const entry = watcher.domain === home ? watcher.user : aorOfIdentity(watcher);
  const listFor = (each: WatchWord): string[] => [...others(watch[each]), ...(each === word ? [entry] : [])];
  return { ...watch, allow: listFor('allow'), block: listFor('block'), politeBlock: listFor('politeBlock') };
}

/** The watcher itself before what it belongs to. */
function wordOf(watch: UserWatch, watcher: WatchParty, home: string): WatchWord | undefined {
  const isNamed = (entry: string): boolean => namesAddress(entry, watcher.address, home);
  const isMeant = (entry: string): boolean => namesMany(entry, watcher, home);
  return WATCH_WORDS.find((word) => watch[word].some(isNamed)) ?? WATCH_WORDS.find((word) => watch[word].some(isMeant));
}

const GROUP_PREFIX = 'group:';

/** @param home domain of the tenant whose list this is */
export function namesAddress(entry: string, address: Address, home: string): boolean {
  if (entry.startsWith(GROUP_PREFIX) || entry.startsWith('@')) return false;
  if (!/^sips?:/i.test(entry)) return address.domain === home && address.user === entry;
  const named = addressOfAor(entry);
  return named !== undefined && isSameAddress(named, address);
}

function namesMany(entry: string, { address, rules }: WatchParty, home: string): boolean {
  if (entry.startsWith('@')) return entry.slice(1).toLowerCase() === address.domain;
  if (!entry.startsWith(GROUP_PREFIX) || address.domain !== home) return false;
  return rules.groups.includes(entry.slice(GROUP_PREFIX.length));
}

/** The user's word before the tenant's, the class before everyone. Who comes from another tenant is told no identities. */
function redactionFor(isForeign: boolean, isInGroup: boolean, own: Redactions, tenant: Redactions): Redaction {
  if (isForeign) return own.federated ?? tenant.federated ?? 'identities';
  if (isInGroup) return own.everyone ?? tenant.everyone ?? 'none';
  return own.outsideGroup ?? own.everyone ?? tenant.outsideGroup ?? tenant.everyone ?? 'none';
}

const SEEN = { none: 'full', identities: 'redacted', stateOnly: 'stateOnly' } as const;
const seenAs = (redaction: Redaction): WatchAccess => SEEN[redaction];

/**
 * True when two tenants have agreed that their people watch each other and write to each other.
 * @param to undefined when there is no such tenant: the answer is the same
 */
export const areFederated = (
  from: { readonly domain: string; readonly watch: TenantWatch },
  to: { readonly domain: string; readonly watch: TenantWatch } | undefined,
): boolean =>
  to !== undefined && from.watch.federation.includes(to.domain) && to.watch.federation.includes(from.domain);

/** True when a publisher may publish for this presentity of its tenant. */
export function mayPublisherServe(publisher: string, presentity: WatchParty, { publishers }: TenantWatch): boolean {
  if (publishers === 'everyone') return true;
  const { domain } = presentity.address;
  return publishers
    .filter((rule) => rule.publisher === publisher)
    .some((rule) =>
      rule.for.some((entry) => namesAddress(entry, presentity.address, domain) || namesMany(entry, presentity, domain)),
    );
}

/** True when the groups of a presentity may decide whether a publisher serves it. */
export const servesByGroup = ({ publishers }: TenantWatch): boolean =>
  publishers !== 'everyone' && publishers.some((rule) => rule.for.some((entry) => entry.startsWith(GROUP_PREFIX)));
