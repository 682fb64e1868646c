/** Notifier (RFC 6665 section 4.2): check a SUBSCRIBE, commit the subscription, tell the state as it is then. */
import type { EndInstruction } from '#contract/instruction.ts';
import type { OutcomeInput, SubscriptionOutcome } from '#contract/outcome.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import type { Identity, Notification } from '#contract/schemas.ts';
import type { EnvelopedResponse } from '#contract/sip-response.ts';
import { SipRejection } from '#core/error.ts';
import { watcherInfoName } from '#core/event-package.ts';
import { forbidden, mayPublishFor } from '#core/identity.ts';
import { farewellOf, notificationOf, type View } from '#core/notification.ts';
import { isCounted, isDecidedAnew, type Presentity } from '#core/presentity.ts';
import { responseOf } from '#core/rejection.ts';
import { chooseProfile, encodeProfile } from '#core/rendering-profile.ts';
import { parseContacts } from '#core/sip/header.ts';
import type { HeaderFields } from '#core/sip/message.ts';
import { formatAor } from '#core/sip/uri.ts';
import { grantExpiry } from '#core/subscription.ts';
import type { WatchAccess } from '#core/watch-policy.ts';
import { withAccess } from '#core/watch-view.ts';
import { replaceDeviceSubscription } from '#table/device-item.ts';
import { countChange, countChangesUntil } from '#table/presentity-changes.ts';
import { loadDetails } from '#table/presentity-details.ts';
import type { Table } from '#table/table.ts';
import { DEFAULT_POLICY } from '#table/tenant-item.ts';
import { changeRendering } from '#table/watcher-access.ts';
import {
  endWatcher,
  putWatcher,
  refreshWatcher,
  type StoredList,
  type SubscriptionName,
  type SubscriptionPlace,
  type SubscriptionTimes,
  type WatcherResult,
} from '#table/watcher-item.ts';
import { asAuthenticated } from './authenticator.ts';
import { loadCurrent } from './current-state.ts';
import {
  EVENT_LIST,
  type ListServerPorts,
  listRefusal,
  type OpenedList,
  openList,
  tellList,
  watchedAors,
} from './list-server.ts';
import { endOfReplaced } from './replacement-monitor.ts';
import type { RequestPorts } from './request-ports.ts';
import { readWish, type Wish } from './subscription-wish.ts';
import { accessTo, uncachedGate, type WatchGatePorts } from './watch-gate.ts';

export interface NotifierPorts extends RequestPorts, ListServerPorts, WatchGatePorts {
  /** A number from 0 to 1, to spread long grants. */
  readonly chance: () => number;
}

/**
 * Answers one SUBSCRIBE. One write, then one read; none but the read for a fetch; the tenant is cached, and so is mostly
 * that the name is no event list. Of a list see list-server; where somebody may not see everything, see watch-gate.
 * The read comes after the write, so that no change falls between the first NOTIFY and the fan-out. Packages that show
 * other items cost one write and one Query more; what has run out unswept costs its sweep, see current-state.
 * @throws {SipRejection} 401 and other refusals before the sender is known; later ones come as an outcome
 */
export async function subscribe(envelope: RequestEnvelope, ports: NotifierPorts, nowMs: number): Promise<OutcomeInput> {
  return asAuthenticated(envelope, ports, nowMs, async (identity, headers) => {
    const wish = await readWish(envelope, identity, headers, ports);
    const opened = wish.kind === 'initial' ? await openList(wish, envelope, headers, ports) : undefined;
    const policy = (await ports.loadTenant(identity.domain))?.policy ?? DEFAULT_POLICY;
    const grantedSeconds = grantExpiry(wish.requestedSeconds, policy, ports.chance());
    const access = await accessFor(wish, identity, ports);
    if (access === 'blocked' && wish.kind === 'initial' && opened === undefined) throw forbidden();

    const profile = await profileFor(wish, identity, headers, ports);
    const view = { contentType: wish.contentType, rendering: withAccess(profile, access) };
    const grant = grantOf(wish, view, envelope, grantedSeconds, nowMs);
    const [committed, isListOnly] = await Promise.all([
      commit(wish, grant, opened, ports.table, nowMs),
      wish.kind === 'initial' && opened === undefined && namesListOnly(wish, identity, ports),
    ]);
    if (isListOnly) {
      await withdraw(wish, grant, ports.table, nowMs);
      throw listRefusal(wish.eventPackage);
    }
    const instructions = grantedSeconds === 0 ? [] : await replaceOlder(wish, headers, envelope, ports, nowMs);
    const told = await tellAsAllowed({ wish, identity, grant, access, profile, opened, committed }, ports, nowMs);
    if (told === 'blocked') return blocked(wish, grant.place, instructions, nowMs);
    const suppressed = suppression(wish.kind, headers.get('suppress-if-match'), told.notification);
    return {
      response: answerOf(grantedSeconds, suppressed, told),
      subscription: {
        ...subscriptionOf(wish.name, committed.createdAtMs, grantedSeconds, nowMs),
        ...{ ...told, suppressed, isTakenOver: isTakenOver(committed, envelope) },
      },
      ...(instructions.length > 0 && { instructions }),
    };
  });
}

/** What only owners may watch is theirs: `readWish` has refused the others. */
const accessFor = ({ eventPackage, name }: Wish, identity: Identity, gate: WatchGatePorts): Promise<WatchAccess> =>
  eventPackage.access === 'owner' ? Promise.resolve('full') : accessTo(name.presentity, identity, gate);

/** How the tenant of the presentity wants this watcher to be told. */
async function profileFor(
  { name: { presentity }, only }: Wish,
  identity: Identity,
  headers: HeaderFields,
  ports: NotifierPorts,
): Promise<string> {
  const tenant = await ports.loadTenant(presentity.domain);
  const mayKnow = mayPublishFor(identity, presentity);
  const profile = chooseProfile(headers.get('user-agent'), tenant?.policy.rendering, mayKnow);
  return encodeProfile(only === undefined ? profile : { ...profile, only });
}

/**
 * A device that subscribes anew to what it watches already has lost its older subscription: that one ends. Only devices
 * that name their instance are known again (RFC 5626 section 4.1); the others cost nothing.
 * @returns the end of the older one, when this gateway holds it; for another gateway see replacement-monitor
 */
async function replaceOlder(
  { kind, name }: Wish,
  headers: HeaderFields,
  envelope: RequestEnvelope,
  { table }: NotifierPorts,
  nowMs: number,
): Promise<EndInstruction[]> {
  const contacts = kind === 'initial' ? parseContacts(headers.all('contact')) : undefined;
  const instance = contacts === '*' ? undefined : contacts?.[0]?.params.get('+sip.instance');
  if (!instance) return [];
  const replaced = await replaceDeviceSubscription(table, name, instance, envelope, nowMs);
  return replaced === undefined ? [] : [endOfReplaced([replaced])];
}

/** The state as it is once the subscription stands, with what else the event package shows. */
async function loadWatched(wish: Wish, table: Table, grantedSeconds: number, nowMs: number): Promise<Presentity> {
  const { presentity: address, event } = wish.name;
  const { source } = wish.eventPackage;
  const showsOtherItems = source.kind !== 'state';
  if (showsOtherItems && grantedSeconds > 0)
    await countChangesUntil(table, address, event, nowMs + grantedSeconds * 1_000, nowMs);
  const presentity = await loadCurrent(table, address, nowMs);
  await countWatcher(wish, table, presentity, grantedSeconds, nowMs);
  return loadDetails(table, address, source, presentity, nowMs);
}

/** A watcher came or went: one write more, but only when somebody watches the watchers. */
async function countWatcher(
  { kind, name }: Wish,
  table: Table,
  presentity: Presentity,
  grantedSeconds: number,
  nowMs: number,
): Promise<void> {
  const isChange = (kind === 'initial') === grantedSeconds > 0;
  const watcherInfo = watcherInfoName(name.event);
  if (isChange && isCounted(presentity, watcherInfo, nowMs))
    await countChange(table, name.presentity, watcherInfo, nowMs);
}

/** Where the NOTIFYs go and for how long; 0 s for a fetch or the end. */
interface Grant {
  readonly seconds: number;
  readonly place: SubscriptionPlace;
  readonly times: SubscriptionTimes;
}

function grantOf(
  { cseq }: Wish,
  view: View,
  { gatewayId, flowId }: RequestEnvelope,
  seconds: number,
  nowMs: number,
): Grant {
  const place = { gatewayId, flowId, ...view };
  return { seconds, place, times: { cseq, expiresAtMs: nowMs + seconds * 1_000 } };
}

type Committed = Omit<Extract<WatcherResult, { kind: 'done' }>, 'kind'>;

const isTakenOver = ({ heldBy }: Committed, { gatewayId }: RequestEnvelope): boolean | undefined =>
  heldBy === undefined || heldBy === gatewayId ? undefined : true;

async function commit(
  { kind, name, cseq }: Wish,
  { seconds, place, times }: Grant,
  opened: OpenedList | undefined,
  table: Table,
  nowMs: number,
): Promise<Committed> {
  if (kind === 'inDialog') {
    return requireDone(
      seconds === 0
        ? await endWatcher(table, name, cseq, nowMs)
        : await refreshWatcher(table, name, place, times, nowMs),
    );
  }
  const list = opened && { entries: opened.entries, members: watchedAors(opened) };
  // A fetch leaves nothing behind (RFC 6665 section 4.4.3).
  if (seconds > 0) await putWatcher(table, name, place, times, nowMs, list);
  return { createdAtMs: nowMs, list };
}

function requireDone(result: WatcherResult): Committed {
  switch (result.kind) {
    case 'done':
      return result;
    case 'unknown':
      throw new SipRejection(481, 'Subscription Does Not Exist');
    case 'outOfOrder':
      throw new SipRejection(500, 'CSeq Out of Order');
    default:
      return result satisfies never;
  }
}

/** One read, mostly cached, beside the write: a name is hardly ever a list, and must not wait to be none. */
async function namesListOnly(
  { name: { presentity } }: Wish,
  { domain }: Identity,
  ports: NotifierPorts,
): Promise<boolean> {
  if (presentity.domain !== domain) return false;
  if ((await ports.findList(presentity)) === undefined) return false;
  return (await ports.loadUser(presentity.domain, presentity.user)) === undefined;
}

/** Takes back what {@link commit} wrote for an initial SUBSCRIBE that is refused after all. */
async function withdraw({ name, cseq }: Wish, { seconds }: Grant, table: Table, nowMs: number): Promise<void> {
  if (seconds > 0) await endWatcher(table, name, cseq + 1, nowMs);
}

type Told = Pick<Extract<SubscriptionOutcome, { kind: 'active' }>, 'notification' | 'list' | 'isPending'>;

/** A SUBSCRIBE that stands in the table, and the access that was decided for it. */
interface Standing {
  readonly wish: Wish;
  readonly identity: Identity;
  readonly grant: Grant;
  readonly access: WatchAccess;
  readonly profile: string;
  readonly opened: OpenedList | undefined;
  readonly committed: Committed;
}

/**
 * Tells the state. When that says that who may watch was decided anew a moment ago, the decision here may come from an older
 * cache: it is made once more, from the table. @returns `blocked`: then nothing of the subscription stands any more
 */
async function tellAsAllowed(standing: Standing, ports: NotifierPorts, nowMs: number): Promise<Told | 'blocked'> {
  const { wish, identity, grant, access, profile, opened, committed } = standing;
  if (committed.list !== undefined) return tellMembers({ ...standing, stored: committed.list }, opened, ports, nowMs);
  if (access === 'blocked' && grant.seconds > 0) return takeBack(standing, ports.table, nowMs);
  let presentity = await loadWatched(wish, ports.table, grant.seconds, nowMs);
  let current = access;
  for (let seen: number | undefined; isDecidedAnew(presentity, nowMs) && presentity.decisions !== seen; ) {
    seen = presentity.decisions;
    const decided = await accessFor(wish, identity, uncachedGate(ports.table));
    if (decided === current) break;
    if (decided === 'blocked' && (grant.seconds > 0 || wish.kind === 'initial'))
      return takeBack(standing, ports.table, nowMs);
    current = decided;
    if (grant.seconds > 0) await changeRendering(ports.table, wish.name, wish.cseq, withAccess(profile, decided));
    presentity = await loadCurrent(ports.table, wish.name.presentity, nowMs);
  }
  const view = { contentType: wish.contentType, rendering: withAccess(profile, current) };
  return {
    notification: notificationOf(wish.eventPackage, wish.name.presentity, presentity, view, nowMs),
    ...(current === 'pending' && { isPending: true }),
  };
}

function tellMembers(
  { wish, identity, grant, profile, committed, stored }: Standing & { readonly stored: StoredList },
  opened: OpenedList | undefined,
  ports: NotifierPorts,
  nowMs: number,
): Promise<Told> {
  const { kind, name, eventPackage, contentType } = wish;
  const { seconds, place, times } = grant;
  const life = seconds > 0 ? 'active' : kind === 'initial' ? 'fetched' : 'ended';
  const subscription = { name, place, times, createdAtMs: committed.createdAtMs };
  const watcher = { identity, view: { contentType, rendering: profile } };
  return tellList({ subscription, eventPackage, stored, kind: life, watcher }, opened, ports, nowMs);
}

async function takeBack({ wish, grant }: Standing, table: Table, nowMs: number): Promise<'blocked'> {
  await withdraw(wish, grant, table, nowMs);
  return 'blocked';
}

/** 403, and a subscription that stood until now ends: its dialog may outlive the answer (RFC 5057). */
function blocked(
  { kind, name, eventPackage }: Wish,
  view: View,
  instructions: readonly EndInstruction[],
  nowMs: number,
): OutcomeInput {
  const response = responseOf(forbidden());
  if (kind === 'initial') return { response, instructions: [...instructions] };
  const { body, ...farewell } = farewellOf(eventPackage, name.presentity, view, nowMs);
  const end: EndInstruction = {
    ...{ kind: 'end', subscriptionIds: [name.id], reason: 'rejected' },
    notification: { ...farewell, body: [...body] },
  };
  return { response, instructions: [...instructions, end] };
}

/**
 * What a watcher that has this state already is spared (RFC 5839): the body of a first NOTIFY, in a dialog the NOTIFY.
 * @param condition Suppress-If-Match: an entity-tag, or `*` for any
 */
function suppression(
  kind: Wish['kind'],
  condition: string | undefined,
  { entityTag }: Notification,
): SubscriptionOutcome['suppressed'] {
  // The documents of a list have none: the gateway makes them.
  if (entityTag === undefined) return undefined;
  const matches = condition !== undefined && (condition === '*' || condition === entityTag);
  if (!matches) return undefined;
  return kind === 'initial' ? 'body' : 'notification';
}

function answerOf(
  grantedSeconds: number,
  suppressed: SubscriptionOutcome['suppressed'],
  { notification: { entityTag }, list }: Told,
): EnvelopedResponse {
  const expires: [string, string] = ['Expires', String(grantedSeconds)];
  const support: [string, string][] = list === undefined ? [] : [['Require', EVENT_LIST]];
  if (suppressed !== 'notification') return { status: 200, reason: 'OK', headers: [expires, ...support] };
  const tag: [string, string][] = entityTag === undefined ? [] : [['SIP-ETag', entityTag]];
  return { status: 204, reason: 'No Notification', headers: [expires, ...tag] };
}

type SubscriptionState =
  | Omit<Extract<SubscriptionOutcome, { kind: 'active' }>, keyof Told>
  | Omit<Extract<SubscriptionOutcome, { kind: 'ended' }>, 'notification' | 'list'>;

function subscriptionOf(
  { id, presentity, event, eventId }: SubscriptionName,
  createdAtMs: number,
  grantedSeconds: number,
  nowMs: number,
): SubscriptionState {
  const known = { id, presentity: formatAor(presentity.user, presentity.domain), event, eventId, createdAtMs };
  return grantedSeconds === 0
    ? { kind: 'ended', ...known, reason: 'timeout' }
    : { kind: 'active', ...known, expiresAtMs: nowMs + grantedSeconds * 1_000 };
}
