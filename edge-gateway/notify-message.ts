/** The text of NOTIFYs, and which content each carries. PURE. */
import type { Content, Document, Subscription } from './subscription-table.ts';

/** The newest state known for a subscription, sent or not. */
export const newestOf = (subscription: Subscription): Document => subscription.waiting ?? subscription.delivered;

/** Value of Subscription-State while it lives (RFC 6665 section 4.1.3), with the rates that hold (RFC 6446). */
export const activeState = (subscription: Subscription, now: number): string =>
  `${subscription.isPending ? 'pending' : 'active'};expires=${secondsLeft(subscription, now)}${subscription.rate?.control.told ?? ''}`;

/** The difference to what the subscription was sent last, if there is one and it fits; else the whole. */
export function newsFor({ delivered, needsWhole }: Subscription, document: Document): Content {
  const { partial } = document;
  return partial !== undefined && !needsWhole && delivered.entityTag === partial.base ? partial.content : document;
}

export const secondsLeft = (subscription: Subscription, now: number): number =>
  Math.max(0, Math.round((subscription.expiresAtMs - now) / 1000));

/** The branch of a NOTIFY is its subscription's id and its CSeq number: an answer finds both without a table. */
export const NOTIFY_BRANCH_PREFIX = 'z9hG4bK';

/** A NOTIFY that tells only that the state is still this one (RFC 5839). */
export const bodiless = ({ entityTag }: Content): Content => ({
  ...{ contentType: '', entityTag, before: '', after: undefined, bytes: 0 },
});

/** Text of the next NOTIFY of a subscription. */
export function composeNotify(subscription: Subscription, document: Content, state: string): string {
  const { start, middle, tail, cseq } = subscription;
  const tag = document.entityTag === undefined ? '' : `SIP-ETag: ${document.entityTag}\r\n`;
  const head = `${start}${cseq}${middle}${cseq}${tail}${state}\r\n${tag}Content-Type: ${document.contentType}\r\nContent-Length: `;
  if (document.contentType === '')
    return `${start}${cseq}${middle}${cseq}${tail}${state}\r\n${tag}Content-Length: 0\r\n\r\n`;
  if (document.after === undefined) return `${head}${document.bytes}\r\n\r\n${document.before}`;
  const version = String(subscription.documentVersion);
  return `${head}${document.bytes + version.length}\r\n\r\n${document.before}${version}${document.after}`;
}
