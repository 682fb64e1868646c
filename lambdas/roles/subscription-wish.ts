/** What a SUBSCRIBE wishes for (RFC 6665 section 4.2.1): read from the request and checked. */
import { subscriptionIdOf } from '#contract/ids.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import type { Identity } from '#contract/schemas.ts';
import { chooseContentType } from '#core/accept.ts';
import { SipRejection } from '#core/error.ts';
import { type EventPackage, requestedPackage } from '#core/event-package.ts';
import {
  type Address,
  addressOfHeader,
  addressOfRequestUri,
  aorOfIdentity,
  forbidden,
  isStorable,
  mayPublishFor,
} from '#core/identity.ts';
import { requestedExpiry } from '#core/publication.ts';
import type { DialogName } from '#core/rendering-profile.ts';
import { parseContacts, parseCSeq, tagOf } from '#core/sip/header.ts';
import type { HeaderFields } from '#core/sip/message.ts';
import { formatAor } from '#core/sip/uri.ts';
import type { SubscriptionName } from '#table/watcher-item.ts';
import { requireReach, type WatchGatePorts } from './watch-gate.ts';

/** What a SUBSCRIBE asks for, once it is known to be allowed. */
export interface Wish {
  readonly kind: 'initial' | 'inDialog';
  readonly name: SubscriptionName;
  readonly cseq: number;
  readonly eventPackage: EventPackage;
  readonly contentType: string;
  readonly requestedSeconds: number | undefined;
  readonly only?: DialogName;
}

/**
 * Reads a SUBSCRIBE and refuses what cannot be. Nothing is looked up, but for a presentity of another tenant.
 * @throws {SipRejection} 400, 403, 404, 406 or 489
 */
export async function readWish(
  envelope: RequestEnvelope,
  identity: Identity,
  headers: HeaderFields,
  ports: Pick<WatchGatePorts, 'loadTenant'>,
): Promise<Wish> {
  const toTag = tagOf(headers.get('to') ?? '');
  const kind = toTag === undefined ? 'initial' : 'inDialog';
  const named = presentityOf(envelope, kind, headers);
  // In a dialog the Request-URI is our own Contact; the presentity stands for it.
  const target = kind === 'initial' ? envelope.request.requestUri : formatAor(named.user, named.domain);
  await requireReach(identity, target, headers, ports);
  const { eventPackage, eventId, only } = requestedPackage(headers.get('event'));
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
    ...{ kind, cseq, eventPackage, contentType, requestedSeconds: requestedExpiry(headers), ...(only && { only }) },
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
