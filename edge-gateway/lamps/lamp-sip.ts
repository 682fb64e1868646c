/** The SIP that a stream of lamps speaks inside the gateway: SUBSCRIBEs, and answers to NOTIFYs. PURE. */
import { type Address, addressOf } from '#core/identity.ts';
import { LAMP_TYPE } from '#core/lamp-document.ts';
import type { SipRequest } from '#core/sip/message.ts';
import { serializeRequest, serializeResponse } from '#core/sip/serialize.ts';
import { formatAor, parseUri } from '#core/sip/uri.ts';
import { echoedOf } from '../envelope.ts';

const HOST = 'lamps.invalid';
const EVENT = 'dialog';
const EXPIRES_SECONDS = 3_600;

/** One subscription of a stream, as its client side knows it. */
export interface LampDialog {
  readonly address: Address;
  readonly callId: string;
  readonly fromTag: string;
  readonly toTag: string | undefined;
  readonly cseq: number;
}

export interface SubscribeOptions {
  readonly transport: string;
  readonly from: Address;
  /** 0 ends it. */
  readonly expiresSeconds?: number | undefined;
  /** The state that the client has. */
  readonly entityTag?: string | undefined;
  readonly token?: string | undefined;
}

export function composeSubscribe(dialog: LampDialog, options: SubscribeOptions): string {
  const { address, callId, fromTag, toTag, cseq } = dialog;
  const { transport, from, expiresSeconds = EXPIRES_SECONDS, entityTag, token } = options;
  const [watcher, presentity] = [formatAor(from.user, from.domain), formatAor(address.user, address.domain)];
  const headers: [string, string][] = [
    ['Via', `SIP/2.0/${transport} ${HOST};branch=z9hG4bK${callId}.${cseq}`],
    ['Max-Forwards', '70'],
    ['From', `<${watcher}>;tag=${fromTag}`],
    ['To', toTag === undefined ? `<${presentity}>` : `<${presentity}>;tag=${toTag}`],
    ['Call-ID', callId],
    ['CSeq', `${cseq} SUBSCRIBE`],
    ['Contact', `<sip:lamps@${HOST};transport=ws>`],
    ['Event', EVENT],
    ['Expires', String(expiresSeconds)],
    ['Accept', LAMP_TYPE],
    ['User-Agent', 'lampfield-lamps/1'],
  ];
  if (entityTag !== undefined) headers.push(['Suppress-If-Match', entityTag]);
  if (token !== undefined) headers.push(['Authorization', `Bearer ${token}`]);
  return serializeRequest('SUBSCRIBE', presentity, headers, '');
}

/** Text of an answer to a NOTIFY. */
export function composeAnswer(notify: SipRequest, status: number, reason: string): string {
  const vias = notify.all('via').map((via): [string, string] => ['Via', via]);
  return serializeResponse(status, reason, [...vias, ...echoedOf(notify)], '');
}

/**
 * Whom a client names: a user of its own tenant, or a whole address.
 * @returns undefined for what is neither
 */
export function addressNamed(name: string, ownDomain: string): Address | undefined {
  if (!name.includes('@')) return /[\s"<>:]/.test(name) ? undefined : { user: name, domain: ownDomain };
  const uri = parseUri(/^sips?:/i.test(name) ? name : `sip:${name}`);
  return uri === undefined || uri.user === '' ? undefined : addressOf(uri);
}
