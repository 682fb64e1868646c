/** Resource list server (RFC 4662): one subscription to many presentities, which share its id in the table. */
import type { ListState } from '#contract/outcome.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import type { Identity, Notification } from '#contract/schemas.ts';
import { bodyText } from '#core/content-coding.ts';
import { SipRejection } from '#core/error.ts';
import { EVENT_PACKAGES, type EventPackage } from '#core/event-package.ts';
import { type Address, addressOfHeader, aorOfIdentity, forbidden } from '#core/identity.ts';
import { notificationOf, type View } from '#core/notification.ts';
import { isDecidedAnew, NO_STATE, type Presentity } from '#core/presentity.ts';
import { LIST_LIMITS, type ListEntry, parseResourceLists, RESOURCE_LISTS_TYPE } from '#core/resource-list.ts';
import { parseParameterized, splitList } from '#core/sip/header.ts';
import type { HeaderFields } from '#core/sip/message.ts';
import { NO_RULES, type WatchAccess, type WatchParty } from '#core/watch-policy.ts';
import { withAccess } from '#core/watch-view.ts';
import { loadList } from '#table/list-item.ts';
import {
  deleteMemberWatchers,
  type ListSubscription,
  putMemberWatchers,
  type WatchedMember,
} from '#table/member-watcher-item.ts';
import type { Table } from '#table/table.ts';
import { loadManyWatchRules } from '#table/watch-rules.ts';
import type { StoredList, SubscriptionName } from '#table/watcher-item.ts';
import { loadManyCurrent } from './current-state.ts';
import { expandList, type ListMember } from './list-expansion.ts';
import { countMemberChanges } from './member-changes.ts';
import { accessToMembers, uncachedGate, type WatchGatePorts } from './watch-gate.ts';

/** Option tag of RFC 4662. */
export const EVENT_LIST = 'eventlist';
const RECIPIENT_LIST_SUBSCRIBE = 'recipient-list-subscribe';
/** Documents beyond this in one outcome are left to the members' next change: an invocation answers 6 MB at most. */
const MAX_DOCUMENT_BYTES = 1024 * 1024;

export interface ListServerPorts {
  readonly table: Table;
  /** Members of a list, some seconds old at most; undefined when there is no such list. */
  readonly findList: (list: Address) => Promise<readonly ListEntry[] | undefined>;
}

/** What an initial SUBSCRIBE asks for when it asks for a list. */
export interface OpenedList {
  readonly entries?: readonly ListEntry[];
  readonly members: readonly ListMember[];
}

/** Packages whose documents are made of the members' own items: one read for a hundred of them. */
const isListable = ({ source }: EventPackage): boolean => source.kind === 'state';
const LISTABLE_EVENTS = EVENT_PACKAGES.filter(isListable)
  .map(({ name }) => name)
  .join(', ');

export const supportsLists = (headers: HeaderFields): boolean =>
  hasOption(headers, ['supported', 'require'], EVENT_LIST);

const extensionRequired = (): SipRejection => new SipRejection(421, 'Extension Required', [['Require', EVENT_LIST]]);
const notForLists = (): SipRejection => new SipRejection(489, 'Bad Event', [['Allow-Events', LISTABLE_EVENTS]]);

/**
 * The refusal of a subscription to a name that is a list and nothing else, opened as if it were none: the watcher does not
 * support lists (RFC 4662 section 4.1), or this event package has none.
 */
export const listRefusal = (eventPackage: EventPackage): SipRejection =>
  isListable(eventPackage) ? extensionRequired() : notForLists();

/**
 * The list that an initial SUBSCRIBE names or brings along; a name that is a user and a list goes by the watcher's
 * support for lists. No read for a watcher without it, one (often cached) for one with it, and the list's own for a list.
 * @returns undefined for a subscription to one presentity
 * @throws {SipRejection} 400, 413, 415, 421 or 489 for a list in the request that cannot be, 415 for another body
 */
export async function openList(
  {
    name: { presentity: name },
    eventPackage,
  }: { readonly name: SubscriptionName; readonly eventPackage: EventPackage },
  { request }: RequestEnvelope,
  headers: HeaderFields,
  ports: ListServerPorts,
): Promise<OpenedList | undefined> {
  const isListCapable = supportsLists(headers);
  const isForeign = name.domain !== addressOfHeader(headers, 'from').domain;
  if (bringsList(headers)) {
    // An agreement of two tenants is about people, one by one.
    if (isForeign) throw forbidden();
    if (!isListable(eventPackage)) throw notForLists();
    if (!isListCapable) throw extensionRequired();
    const entries = parseResourceLists(listBodyOf(request, headers));
    return { entries, members: await expandList(name, entries, ports.table) };
  }
  requireNoOtherBody(request, headers);
  if (isForeign || !isListCapable || !isListable(eventPackage) || (await ports.findList(name)) === undefined)
    return undefined;
  return { members: await membersOf(name, undefined, ports.table) };
}

/** Members as they are now: of the list that the SUBSCRIBE brought, or of the tenant's, which may be gone by now. */
async function membersOf(
  list: Address,
  entries: readonly ListEntry[] | undefined,
  table: Table,
): Promise<readonly ListMember[]> {
  return expandList(list, entries ?? (await loadList(table, list, { consistent: true })) ?? [], table);
}

const bringsList = (headers: HeaderFields): boolean =>
  hasOption(headers, ['require'], RECIPIENT_LIST_SUBSCRIBE) ||
  parseParameterized(headers.get('content-disposition') ?? '').value.toLowerCase() === 'recipient-list';

function hasOption(headers: HeaderFields, names: readonly string[], option: string): boolean {
  return names.some((name) =>
    headers
      .all(name)
      .some((value) => value.toLowerCase().includes(option) && splitList(value.toLowerCase()).includes(option)),
  );
}

/** A SUBSCRIBE carries a list or nothing; a body that is not understood and not optional is refused (RFC 3261 section 8.2.3). */
function requireNoOtherBody({ body }: RequestEnvelope['request'], headers: HeaderFields): void {
  const { params } = parseParameterized(headers.get('content-disposition') ?? '');
  if (body !== '' && params.get('handling')?.toLowerCase() !== 'optional') throw unsupportedMediaType();
}

const unsupportedMediaType = (): SipRejection =>
  new SipRejection(415, 'Unsupported Media Type', [['Accept', RESOURCE_LISTS_TYPE]]);

function listBodyOf(request: RequestEnvelope['request'], headers: HeaderFields): string {
  const { value } = parseParameterized(headers.get('content-type') ?? '');
  if (value.toLowerCase() !== RESOURCE_LISTS_TYPE) throw unsupportedMediaType();
  return bodyText(request, headers, LIST_LIMITS.bodyBytes);
}

/** What becomes of a list subscription whose own watcher item has just been written or removed. */
export interface CommittedList {
  readonly subscription: ListSubscription;
  readonly eventPackage: EventPackage;
  readonly stored: StoredList;
  /** `fetched`: nothing was ever written. */
  readonly kind: 'active' | 'ended' | 'fetched';
  readonly watcher: ListWatcher;
}

/** Who watches, and how it is told of what it may see. */
export interface ListWatcher {
  readonly identity: Identity;
  readonly view: View;
}

/**
 * Writes or removes the members' watcher items, then reads all states, so that no change falls between. For a hundred
 * members: one read of the list and two of names (not again for one just opened), four writes, one read of states.
 */
export async function tellList(
  { subscription, eventPackage, stored, kind, watcher }: CommittedList,
  opened: OpenedList | undefined,
  { table, ...gate }: ListServerPorts & WatchGatePorts,
  nowMs: number,
): Promise<{ readonly notification: Notification; readonly list: ListState }> {
  const { name } = subscription;
  const members = opened?.members ?? (await membersOf(name.presentity, stored.entries, table));
  const parties = members.flatMap(({ address, rules }) => (address ? [{ address, rules }] : []));
  const first = await accessToMembers(parties, watcher.identity, gate);
  if (kind === 'active') await putMemberWatchers(table, subscription, watched(parties, first, watcher), stored);
  if (kind === 'ended') await deleteMemberWatchers(table, name, stored);
  const states = await loadManyCurrent(
    table,
    parties.map(({ address }) => address),
    nowMs,
  );
  const access = isAnyOld(states, nowMs) ? await decideAgain(parties, watcher, table) : first;
  if (access !== first && kind === 'active')
    await putMemberWatchers(table, subscription, watched(parties, access, watcher), stored);
  await countMemberChanges(
    changedAmong(states, kind, opened === undefined ? stored.members : []),
    name.event,
    table,
    nowMs,
  );
  const uri = aorOfIdentity(name.presentity);
  return {
    notification: { presentityVersion: 0, contentType: 'multipart/related', body: [''] },
    list: { uri, members: toldMembers(members, states, access, { eventPackage, view: watcher.view, nowMs }) },
  };
}

type Accesses = ReadonlyMap<string, WatchAccess>;

const isAnyOld = (states: ReadonlyMap<string, Presentity>, nowMs: number): boolean =>
  [...states.values()].some((state) => isDecidedAnew(state, nowMs));

/** From the table itself: somebody's rules have changed a moment ago. */
async function decideAgain(parties: readonly WatchParty[], { identity }: ListWatcher, table: Table): Promise<Accesses> {
  const addresses = parties.map(({ address }) => address);
  const rules = await loadManyWatchRules(table, addresses);
  const current = addresses.map((address) => ({ address, rules: rules.get(aorOfIdentity(address)) ?? NO_RULES }));
  return accessToMembers(current, identity, uncachedGate(table));
}

const watched = (parties: readonly WatchParty[], access: Accesses, { view }: ListWatcher): WatchedMember[] =>
  parties.map(({ address }) => ({
    address,
    rendering: withAccess(view.rendering, access.get(aorOfIdentity(address)) ?? 'full'),
  }));

/** Those who gained or lost this watcher. */
function changedAmong(
  states: ReadonlyMap<string, Presentity>,
  kind: CommittedList['kind'],
  watchedBefore: readonly string[],
): ReadonlyMap<string, Presentity> {
  if (kind === 'fetched') return new Map();
  if (kind === 'ended') return states;
  const known = new Set(watchedBefore);
  return new Map([...states].filter(([aor]) => !known.has(aor)));
}

/** AORs of the members that get a watcher item. */
export const watchedAors = ({ members }: OpenedList): string[] =>
  members.flatMap(({ address }) => (address ? [aorOfIdentity(address)] : []));

interface Telling {
  readonly eventPackage: EventPackage;
  readonly view: View;
  readonly nowMs: number;
}

/** One that may not be watched ends as rejected, there or not: under such a policy nobody learns who is there. */
function toldMembers(
  members: readonly ListMember[],
  states: ReadonlyMap<string, Presentity>,
  accesses: Accesses,
  { eventPackage, view, nowMs }: Telling,
): ListState['members'] {
  let bytes = 0;
  return members.map(({ uri, displayName, address, isUser }) => {
    const state = states.get(uri);
    const access = accesses.get(uri) ?? 'full';
    if (access === 'blocked') return { uri, state: 'terminated', reason: 'rejected' };
    const shown = { uri, ...(displayName ? { name: displayName } : {}) };
    if (address === undefined || (!isUser && state === undefined)) {
      return { ...shown, state: 'terminated', reason: 'noresource' };
    }
    if (access === 'pending') return { ...shown, state: 'pending' };
    const seen = { ...view, rendering: withAccess(view.rendering, access) };
    const notification = notificationOf(eventPackage, address, state ?? NO_STATE, seen, nowMs);
    bytes += Buffer.byteLength(notification.body.join(''));
    if (bytes > MAX_DOCUMENT_BYTES) return { ...shown, state: 'active' };
    return { ...shown, state: 'active', notification: { ...notification, body: [...notification.body] } };
  });
}
