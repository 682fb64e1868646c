/** Between SIP text and the contract: the envelope of a request, the text of its answer, the frame of its NOTIFYs. */
import type { EnvelopedResponse } from '#contract/outcome.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import type { HeaderEntries } from '#contract/schemas.ts';
import { parseCredentials, parseNameAddr, parseParameterized, parseVia, tagOf } from '#core/sip/header.ts';
import { detach, type SipRequest } from '#core/sip/message.ts';
import { serializeResponse } from '#core/sip/serialize.ts';
import type { Flow } from './flow-table.ts';
import { NOTIFY_BRANCH_PREFIX } from './notify-message.ts';
import type { Subscription } from './subscription-table.ts';

export interface EnvelopeContext {
  readonly gatewayId: RequestEnvelope['gatewayId'];
  readonly flow: Pick<Flow, 'id' | 'transport' | 'sourceAddress' | 'identity'>;
  readonly receivedAtMs: number;
  readonly toTag: string;
  readonly nonceReplayed: boolean;
  readonly presentity: string | undefined;
  readonly bodyEncoding: 'utf8' | 'base64';
  readonly tenantFull?: RequestEnvelope['tenantFull'];
}

export function envelopeOf(request: SipRequest, context: EnvelopeContext): RequestEnvelope {
  const { flow } = context;
  return {
    gatewayId: context.gatewayId,
    flowId: flow.id,
    transport: flow.transport,
    sourceAddress: flow.sourceAddress,
    identity: flow.identity,
    receivedAtMs: context.receivedAtMs,
    toTag: context.toTag,
    nonceReplayed: context.nonceReplayed,
    tenantFull: context.tenantFull,
    presentity: context.presentity,
    request: {
      method: request.method,
      requestUri: request.requestUri,
      headers: request.entries(),
      body: context.bodyEncoding === 'utf8' ? request.body : Buffer.from(request.body, 'latin1').toString('base64'),
      bodyEncoding: context.bodyEncoding,
    },
  };
}

/** Nonce and nonce count of the request's Digest credentials, if it carries any. */
export function nonceUseOf(request: SipRequest): { nonce: string; count: number } | undefined {
  const value = request.get('proxy-authorization') ?? request.get('authorization');
  const credentials = value === undefined ? undefined : parseCredentials(value);
  const nonce = credentials?.params.get('nonce');
  const count = Number.parseInt(credentials?.params.get('nc') ?? '', 16);
  return nonce === undefined || Number.isNaN(count) ? undefined : { nonce, count };
}

/** Text of an answer: Via, From, To with our tag (none when it is empty), Call-ID and CSeq come back as they came (RFC 3261 section 8.2.6). */
export function composeResponse(
  request: SipRequest,
  response: EnvelopedResponse,
  flow: Pick<Flow, 'sourceAddress' | 'sourcePort'>,
  toTag: string,
): string {
  const headers: [string, string][] = [];
  const vias = request.all('via');
  vias.forEach((via, index) => {
    headers.push(['Via', index === 0 ? withReceived(via, flow) : via]);
  });
  for (const [name, value] of echoedOf(request))
    headers.push([name, name === 'To' && toTag !== '' && tagOf(value) === undefined ? `${value};tag=${toTag}` : value]);
  return serializeResponse(response.status, response.reason, [...headers, ...response.headers], response.body ?? '');
}

/** What an answer takes over from its request, besides the Vias. */
export function echoedOf(request: Pick<SipRequest, 'get'>): [name: string, value: string][] {
  return ECHOED.flatMap(([name, key]) => {
    const value = request.get(key);
    return value === undefined ? [] : [[name, value]];
  });
}

const ECHOED = [
  ['From', 'from'],
  ['To', 'to'],
  ['Call-ID', 'call-id'],
  ['CSeq', 'cseq'],
] as const;

/** Fills `rport` and `received` in when the client asked for them (RFC 3581 section 4). */
function withReceived(via: string, flow: Pick<Flow, 'sourceAddress' | 'sourcePort'>): string {
  if (!/;\s*rport\s*(?=[;,]|$)/i.test(via)) return via;
  return via.replace(/;\s*rport\s*(?=[;,]|$)/i, `;received=${flow.sourceAddress};rport=${flow.sourcePort}`);
}

/** Header fields that open a subscription's dialog: Contact, and the route set as it came (RFC 3261 section 12.1.1). */
export function dialogHeaders(request: SipRequest, presentity: string): HeaderEntries {
  const recorded = request.all('record-route').map((value): [string, string] => ['Record-Route', value]);
  return [...recorded, ['Contact', contactOf(presentity, request)]];
}

/** Who asks by SIPS, in the Request-URI or its own Contact, is answered by SIPS (RFC 3261 section 12.1.1). */
function contactOf(presentity: string, request: SipRequest): string {
  const isSecure = [request.requestUri, contactUriOf(request)].some((uri) => /^sips:/i.test(uri));
  return `<${isSecure ? presentity.replace(/^sip:/, 'sips:') : presentity};transport=ws>`;
}

const contactUriOf = (request: SipRequest): string => parseNameAddr(request.get('contact') ?? '')?.uri ?? '';

/** Sets the fixed parts of a subscription's NOTIFYs from the SUBSCRIBE that opened or refreshed it. */
export function frameNotifies(
  subscription: Subscription,
  request: SipRequest,
  about: { eventId: string | undefined; gatewayHost: string; transport: string },
): void {
  const { id, resource } = subscription;
  const sender = parseNameAddr(request.get('from') ?? '')?.uri ?? '';
  // A refresh that names no Contact leaves the target as it was.
  const target = contactUriOf(request) || targetOf(subscription) || sender;
  const to = request.get('to') ?? '';
  const from = tagOf(to) === undefined ? `${to};tag=${id}` : to;
  const recorded = request.all('record-route').map((value) => `Route: ${value}\r\n`);
  const routes = recorded.length > 0 ? recorded.join('') : routesOf(subscription);
  const event = eventNameOf(request, resource.event);
  const eventId = about.eventId === undefined ? '' : `;id=${about.eventId}`;
  // RFC 4662: what only a client with support for lists can read must say so.
  const require = subscription.list === undefined ? '' : 'Require: eventlist\r\n';
  subscription.start = detach(
    `NOTIFY ${target} SIP/2.0\r\nVia: SIP/2.0/${about.transport} ${about.gatewayHost};branch=${NOTIFY_BRANCH_PREFIX}${id}.`,
  );
  subscription.middle = detach(
    `\r\nMax-Forwards: 70\r\n${routes}From: ${from}\r\nTo: ${request.get('from') ?? ''}\r\nCall-ID: ${subscription.callId}\r\nCSeq: `,
  );
  subscription.tail = detach(
    ` NOTIFY\r\nContact: ${contactOf(resource.presentity, request)}\r\n${require}Event: ${event}${eventId}\r\nSubscription-State: `,
  );
}

const targetOf = ({ start }: Subscription): string | undefined => /^NOTIFY (\S+) /.exec(start)?.[1];

/** The route set is that of the dialog's first request, not of its refreshes (RFC 3261 section 12.2). */
const routesOf = ({ middle }: Subscription): string =>
  /^\r\nMax-Forwards: 70\r\n((?:Route: [^\r]*\r\n)*)/.exec(middle)?.[1] ?? '';

/** As the watcher writes it: old clients say `Presence`, and compare byte by byte. */
function eventNameOf(request: SipRequest, event: string): string {
  const written = eventOf(request) ?? '';
  return written.toLowerCase() === event ? written : event;
}

/** Branch of the top Via and what else identifies a server transaction (RFC 3261 section 17.2.3). */
export function topVia(request: SipRequest): { branch: string; sentBy: string } {
  const via = parseVia(request.get('via') ?? '');
  return { branch: via?.branch ?? '', sentBy: via === undefined ? '' : `${via.host}:${via.port ?? ''}` };
}

/** Event package name of a request, for logs. */
export function eventOf(request: SipRequest): string | undefined {
  const value = request.get('event');
  return value === undefined ? undefined : parseParameterized(value).value;
}

/** What the log says of an answer. */
export const aboutAnswer = (flow: Flow, request: SipRequest, { status, reason }: EnvelopedResponse) => ({
  ...{ hop: 'answer', flow: flow.id, tenant: flow.identity?.domain, user: flow.identity?.user },
  ...{ method: request.method, callId: request.get('call-id'), cseq: request.get('cseq') },
  ...{ event: eventOf(request), status, reason },
});
