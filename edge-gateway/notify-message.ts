/** Text of a NOTIFY: the fixed parts of its subscription, the numbers of this one, a document. PURE. */
import type { Document, Subscription } from './subscription-table.ts';

/** The branch of a NOTIFY is its subscription's id and its CSeq number: an answer finds both without a table. */
export const NOTIFY_BRANCH_PREFIX = 'z9hG4bK';

/** Text of the next NOTIFY of a subscription. */
export function composeNotify(subscription: Subscription, document: Document, state: string): string {
  const { start, middle, tail, cseq } = subscription;
  const head = `${start}${cseq}${middle}${cseq}${tail}${state}\r\nContent-Type: ${document.contentType}\r\nContent-Length: `;
  if (document.after === undefined) return `${head}${document.bytes}\r\n\r\n${document.before}`;
  const version = String(subscription.documentVersion);
  return `${head}${document.bytes + version.length}\r\n\r\n${document.before}${version}${document.after}`;
}

export const secondsLeft = ({ expiresAtMs }: Subscription, nowMs: number): number =>
  Math.max(0, Math.round((expiresAtMs - nowMs) / 1000));
