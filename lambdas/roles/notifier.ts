/** Notifier (RFC 6665 section 4.2): check a SUBSCRIBE, commit the subscription, tell the state as it is then. */

import { subscriptionIdOf } from '#contract/ids.ts';
import type { EndInstruction } from '#contract/instruction.ts';
import type { OutcomeInput, SubscriptionOutcome } from '#contract/outcome.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import type { Identity, Notification } from '#contract/schemas.ts';
import type { EnvelopedResponse } from '#contract/sip-response.ts';
import { chooseContentType } from '#core/accept.ts';
import { SipRejection } from '#core/error.ts';
import { type EventPackage, requestedPackage, watcherInfoName } from '#core/event-package.ts';
import {
  type Address,
  addressOfHeader,
  addressOfRequestUri,
  aorOfIdentity,
  forbidden,
  isStorable,
  mayPublishFor,
  requireOwnTenant,
} from '#core/identity.ts';
import { notificationOf, type View } from '#core/notification.ts';
import { isCounted, type Presentity } from '#core/presentity.ts';
import { requestedExpiry } from '#core/publication.ts';
import { chooseProfile, encodeProfile } from '#core/rendering-profile.ts';
import { parseContacts, parseCSeq, tagOf } from '#core/sip/header.ts';
import type { HeaderFields } from '#core/sip/message.ts';
import { formatAor } from '#core/sip/uri.ts';
import { grantExpiry } from '#core/subscription.ts';
import { replaceDeviceSubscription } from '#table/device-item.ts';
import { countChange, countChangesUntil } from '#table/presentity-changes.ts';
import { loadDetails } from '#table/presentity-details.ts';
import { loadPresentity } from '#table/presentity-item.ts';
import type { Table } from '#table/table.ts';
import { DEFAULT_POLICY } from '#table/tenant-item.ts';
import {
  endWatcher,
  putWatcher,
  refreshWatcher,
  type SubscriptionName,
  type SubscriptionPlace,
  type SubscriptionTimes,
  type WatcherResult,
} from '#table/watcher-item.ts';
import { asAuthenticated } from './authenticator.ts';
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

export interface NotifierPorts extends RequestPorts, ListServerPorts {
  /** A number from 0 to 1, to spread long grants. */
  readonly chance: () => number;
}

/**
 * Answers one SUBSCRIBE. One write, then one read; none but the read for a fetch; the tenant is cached, and so is mostly
 * that the name is no event list. Of a list see list-server.
 * The read comes after the write, so that no change falls between the first NOTIFY and the fan-out. Packages that show
 * other items cost one write and one Query more.
 * @throws {SipRejection} 401 and other refusals before the sender is known; later ones come as an outcome
 */
export async function subscribe(envelope: RequestEnvelope, ports: NotifierPorts, nowMs: number): Promise<OutcomeInput> {
  return asAuthenticated(envelope, ports, nowMs, async (identity, headers) => {
    const wish = readWish(envelope, identity, headers);
    const opened = wish.kind === 'initial' ? await openList(wish, envelope, headers, ports) : undefined;
    const tenant = await ports.loadTenant(identity.domain);
    const policy = tenant?.policy ?? DEFAULT_POLICY;
    const grantedSeconds = grantExpiry(wish.requestedSeconds, policy, ports.chance());

    const mayKnow = mayPublishFor(identity, wish.name.presentity);
    const rendering = encodeProfile(chooseProfile(headers.get('user-agent'), policy.rendering, mayKnow));
    const grant = grantOf(wish, { contentType: wish.contentType, rendering }, envelope, grantedSeconds, nowMs);
    const [committed, isListOnly] = await Promise.all([
      commit(wish, grant, opened, ports.table, nowMs),
      wish.kind === 'initial' && opened === undefined && namesListOnly(wish, ports),
    ]);
    if (isListOnly) {
      await withdraw(wish, grant, ports.table, nowMs);
      throw listRefusal(wish.eventPackage);
    }
    const instructions = grantedSeconds === 0 ? [] : await replaceOlder(wish, headers, envelope, ports, nowMs);
    const told = await tell(wish, grant, opened, committed, ports.table, nowMs);
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

/** What a SUBSCRIBE asks for, once it is known to be allowed. */
interface Wish {
  readonly kind: 'initial' | 'inDialog';
  readonly name: SubscriptionName;
  readonly cseq: number;
  readonly eventPackage: EventPackage;
  readonly contentType: string;
  readonly requestedSeconds: number | undefined;
}

function readWish(envelope: RequestEnvelope, identity: Identity, headers: HeaderFields): Wish {
  const toTag = tagOf(headers.get('to') ?? '');
  const kind = toTag === undefined ? 'initial' : 'inDialog';
  const named = presentityOf(envelope, kind, headers);
  // In a dialog the Request-URI is our own Contact; the presentity stands for it.
  const target = kind === 'initial' ? envelope.request.requestUri : formatAor(named.user, named.domain);
  requireOwnTenant(identity, target, headers);
  const { eventPackage, eventId } = requestedPackage(headers.get('event'));
  const { user, domain } = identity;
  const presentity = named.user === '' && eventPackage.isOwnByDefault ? { user, domain } : named;
  if (!isStorable(presentity)) throw new SipRejection(404, 'Not Found');
  if (eventPackage.access === 'owner' && !mayPublishFor(identity, presentity)) throw forbidden();
  const contentType = acceptedType(headers, eventPackage);
  if (kind === 'initial') requireOneContact(headers);
  const { callId, fromTag, cseq } = dialogOf(headers);
  const id = subscriptionIdOf(toTag ?? envelope.toTag);
  const watcher = aorOfIdentity(identity);
  return {
    ...{ kind, cseq, eventPackage, contentType, requestedSeconds: requestedExpiry(headers) },
    name: { presentity, event: eventPackage.name, eventId, id, callId, fromTag, watcher },
  };
}

function presentityOf({ presentity, request }: RequestEnvelope, kind: Wish['kind'], headers: HeaderFields): Address {
  if (kind === 'initial') return addressOfRequestUri(request.requestUri);
  return presentity === undefined ? addressOfHeader(headers, 'to') : addressOfRequestUri(presentity);
}

function acceptedType(headers: HeaderFields, { notifiedTypes }: EventPackage): string {
  const contentType = chooseContentType(headers.all('accept'), notifiedTypes);
  if (contentType === undefined) throw new SipRejection(406, 'Not Acceptable', [['Accept', notifiedTypes.join(', ')]]);
  return contentType;
}

function requireOneContact(headers: HeaderFields): void {
  const values = headers.all('contact');
  if (values.length === 0) throw new SipRejection(400, 'Missing Contact');
  const contacts = parseContacts(values);
  if (contacts === undefined || contacts === '*' || contacts.length !== 1) throw new SipRejection(400, 'Bad Contact');
}

function dialogOf(headers: HeaderFields): { callId: string; fromTag: string; cseq: number } {
  const callId = headers.get('call-id');
  const fromTag = tagOf(headers.get('from') ?? '');
  const cseq = parseCSeq(headers.get('cseq') ?? '');
  if (!callId) throw new SipRejection(400, 'Missing Call-ID');
  if (!fromTag) throw new SipRejection(400, 'Missing From Tag');
  if (!cseq) throw new SipRejection(400, 'Bad CSeq');
  return { callId, fromTag, cseq: cseq.sequence };
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
  const presentity = await loadPresentity(table, address);
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
async function namesListOnly({ name: { presentity } }: Wish, ports: NotifierPorts): Promise<boolean> {
  if ((await ports.findList(presentity)) === undefined) return false;
  return (await ports.loadUser(presentity.domain, presentity.user)) === undefined;
}

/** Takes back what {@link commit} wrote for an initial SUBSCRIBE that is refused after all. */
async function withdraw({ name, cseq }: Wish, { seconds }: Grant, table: Table, nowMs: number): Promise<void> {
  if (seconds > 0) await endWatcher(table, name, cseq + 1, nowMs);
}

type Told = Pick<SubscriptionOutcome, 'notification' | 'list'>;

/** The state as it is after the write: of the presentity, or of all members of a list. */
async function tell(
  wish: Wish,
  { seconds, place, times }: Grant,
  opened: OpenedList | undefined,
  { createdAtMs, list }: Committed,
  table: Table,
  nowMs: number,
): Promise<Told> {
  const { kind, name, eventPackage } = wish;
  if (list !== undefined) {
    const life = seconds > 0 ? 'active' : kind === 'initial' ? 'fetched' : 'ended';
    const subscription = { name, place, times, createdAtMs };
    return tellList({ subscription, eventPackage, stored: list, kind: life }, opened, table, nowMs);
  }
  const presentity = await loadWatched(wish, table, seconds, nowMs);
  return { notification: notificationOf(eventPackage, name.presentity, presentity, place, nowMs) };
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
  | Omit<Extract<SubscriptionOutcome, { kind: 'active' }>, 'notification' | 'list'>
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
