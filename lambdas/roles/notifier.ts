/** Notifier (RFC 6665 section 4.2): check a SUBSCRIBE, commit the subscription, tell the state as it is then. */

import { subscriptionIdOf } from '#contract/ids.ts';
import type { EndInstruction } from '#contract/instruction.ts';
import type { OutcomeInput, SubscriptionOutcome } from '#contract/outcome.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import type { Identity, Notification } from '#contract/schemas.ts';
import type { EnvelopedResponse } from '#contract/sip-response.ts';
import { chooseContentType } from '#core/accept.ts';
import { SipRejection } from '#core/error.ts';
import { type EventPackage, requestedPackage } from '#core/event-package.ts';
import {
  type Address,
  addressOfHeader,
  addressOfRequestUri,
  aorOfIdentity,
  isStorable,
  mayPublishFor,
  requireOwnTenant,
} from '#core/identity.ts';
import { notificationOf, type View } from '#core/notification.ts';
import { requestedExpiry } from '#core/publication.ts';
import { chooseProfile, encodeProfile } from '#core/rendering-profile.ts';
import { parseContacts, parseCSeq, tagOf } from '#core/sip/header.ts';
import type { HeaderFields } from '#core/sip/message.ts';
import { formatAor } from '#core/sip/uri.ts';
import { grantExpiry } from '#core/subscription.ts';
import { replaceDeviceSubscription } from '#table/device-item.ts';
import { loadPresentity } from '#table/presentity-item.ts';
import { DEFAULT_POLICY } from '#table/tenant-item.ts';
import {
  endWatcher,
  putWatcher,
  refreshWatcher,
  type SubscriptionName,
  type WatcherResult,
} from '#table/watcher-item.ts';
import { asAuthenticated } from './authenticator.ts';
import type { RequestPorts } from './request-ports.ts';

export interface NotifierPorts extends RequestPorts {
  /** A number from 0 to 1, to spread long grants. */
  readonly chance: () => number;
}

/**
 * Answers one SUBSCRIBE. One write, then one read; none but the read for a fetch; the tenant is cached.
 * The read comes after the write, so that no change falls between the first NOTIFY and the fan-out.
 * @throws {SipRejection} 401 and other refusals before the sender is known; later ones come as an outcome
 */
export async function subscribe(envelope: RequestEnvelope, ports: NotifierPorts, nowMs: number): Promise<OutcomeInput> {
  return asAuthenticated(envelope, ports, nowMs, async (identity, headers) => {
    const wish = readWish(envelope, identity, headers);
    const tenant = await ports.loadTenant(identity.domain);
    const policy = tenant?.policy ?? DEFAULT_POLICY;
    const grantedSeconds = grantExpiry(wish.requestedSeconds, policy, ports.chance());

    const mayKnow = mayPublishFor(identity, wish.name.presentity);
    const rendering = encodeProfile(chooseProfile(headers.get('user-agent'), policy.rendering, mayKnow));
    const view = { contentType: wish.contentType, rendering };

    const createdAtMs = await commit(wish, view, envelope, ports, grantedSeconds, nowMs);
    const instructions = grantedSeconds === 0 ? [] : await replaceOlder(wish, headers, envelope, ports, nowMs);
    const presentity = await loadPresentity(ports.table, wish.name.presentity);
    const notification = notificationOf(wish.eventPackage, wish.name.presentity, presentity, view, nowMs);
    const suppressed = suppression(wish.kind, headers.get('suppress-if-match'), notification);
    return {
      response: answerOf(grantedSeconds, suppressed, notification),
      subscription: { ...subscriptionOf(wish.name, createdAtMs, grantedSeconds, nowMs), notification, suppressed },
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
  const presentity = presentityOf(envelope, kind, headers);
  // In a dialog the Request-URI is our own Contact; the presentity stands for it.
  const target = kind === 'initial' ? envelope.request.requestUri : formatAor(presentity.user, presentity.domain);
  requireOwnTenant(identity, target, headers);
  if (!isStorable(presentity)) throw new SipRejection(404, 'Not Found');
  const { eventPackage, eventId } = requestedPackage(headers.get('event'));
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
 * @returns the end of the older one, when this gateway holds it
 */
async function replaceOlder(
  { kind, name }: Wish,
  headers: HeaderFields,
  { gatewayId }: RequestEnvelope,
  { table }: NotifierPorts,
  nowMs: number,
): Promise<EndInstruction[]> {
  const contacts = kind === 'initial' ? parseContacts(headers.all('contact')) : undefined;
  const instance = contacts === '*' ? undefined : contacts?.[0]?.params.get('+sip.instance');
  if (!instance) return [];
  const replaced = await replaceDeviceSubscription(table, name, instance, gatewayId, nowMs);
  if (replaced === undefined || replaced.gatewayId !== gatewayId) return [];
  // Not `deactivated`, nor `timeout`: a client would subscribe again at once.
  return [{ kind: 'end', subscriptionIds: [replaced.id], reason: 'rejected' }];
}

/** @returns when the subscription was created, epoch ms */
async function commit(
  { kind, name, cseq }: Wish,
  view: View,
  { gatewayId, flowId }: RequestEnvelope,
  { table }: NotifierPorts,
  grantedSeconds: number,
  nowMs: number,
): Promise<number> {
  const place = { gatewayId, flowId, ...view };
  const times = { cseq, expiresAtMs: nowMs + grantedSeconds * 1_000 };
  if (kind === 'inDialog') {
    return createdAt(
      grantedSeconds === 0
        ? await endWatcher(table, name, cseq, nowMs)
        : await refreshWatcher(table, name, place, times, nowMs),
    );
  }
  // A fetch leaves nothing behind (RFC 6665 section 4.4.3).
  if (grantedSeconds > 0) await putWatcher(table, name, place, times, nowMs);
  return nowMs;
}

function createdAt(result: WatcherResult): number {
  switch (result.kind) {
    case 'done':
      return result.createdAtMs;
    case 'unknown':
      throw new SipRejection(481, 'Subscription Does Not Exist');
    case 'outOfOrder':
      throw new SipRejection(500, 'CSeq Out of Order');
    default:
      return result satisfies never;
  }
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
  const matches = condition !== undefined && (condition === '*' || condition === entityTag);
  if (!matches) return undefined;
  return kind === 'initial' ? 'body' : 'notification';
}

function answerOf(
  grantedSeconds: number,
  suppressed: SubscriptionOutcome['suppressed'],
  { entityTag }: Notification,
): EnvelopedResponse {
  const expires: [string, string] = ['Expires', String(grantedSeconds)];
  if (suppressed !== 'notification') return { status: 200, reason: 'OK', headers: [expires] };
  const tag: [string, string][] = entityTag === undefined ? [] : [['SIP-ETag', entityTag]];
  return { status: 204, reason: 'No Notification', headers: [expires, ...tag] };
}

type SubscriptionState =
  | Omit<Extract<SubscriptionOutcome, { kind: 'active' }>, 'notification'>
  | Omit<Extract<SubscriptionOutcome, { kind: 'ended' }>, 'notification'>;

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
