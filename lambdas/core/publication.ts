/** Publications (RFC 3903): what a PUBLISH asks for, and what it makes of a presentity's state. Pure. */

import type { Dialog } from './dialog.ts';
import { SipRejection } from './error.ts';
import type { MessageSummary } from './message-summary.ts';
import type { Presence } from './presence.ts';
import { parseSeconds, splitList } from './sip/header.ts';
import type { HeaderFields } from './sip/message.ts';

/** Dialogs of one publication. */
export interface DialogContent {
  readonly kind: 'dialogs';
  readonly live: readonly Dialog[];
  /** Those that its latest document called terminated. */
  readonly terminated: readonly Dialog[];
  /** Keys of dialogs that it has called terminated some time ago (core/dialog). */
  readonly tombstones: readonly string[];
}

/** What a publication says, as its event package reads it. */
export type PublicationContent =
  | DialogContent
  | { readonly kind: 'presence'; readonly presence: Presence }
  | { readonly kind: 'messages'; readonly summary: MessageSummary };

/** State that one publisher keeps alive. */
export interface Publication {
  readonly id: string;
  readonly entityTag: string;
  readonly event: string;
  /** AOR of who published. */
  readonly publisher: string;
  readonly expiresAtMs: number;
  readonly updatedAtMs: number;
  readonly content: PublicationContent;
}

/** Dialogs as they are published. */
export interface DialogDocument {
  readonly kind: 'dialogs';
  /** `partial` changes the dialogs that it names and leaves the others. */
  readonly scope: 'full' | 'partial';
  readonly dialogs: readonly Dialog[];
}

/** A document as its event package reads it; one without dialogs replaces what stands. */
export type PublishedDocument = DialogDocument | Exclude<PublicationContent, DialogContent>;

/** What a PUBLISH asks for (RFC 3903 section 4). */
export type PublishOperation =
  | { readonly kind: 'initial' }
  | { readonly kind: 'modify'; readonly entityTag: string; readonly publicationId: string }
  | { readonly kind: 'refresh'; readonly entityTag: string; readonly publicationId: string }
  | { readonly kind: 'remove'; readonly entityTag: string; readonly publicationId: string };

export const PUBLICATION_LIMITS = { bodyBytes: 65_536, perPresentity: 200, liveDialogs: 64 } as const;

const ENTITY_TAG = /^([0-9a-f]{12})\.[0-9a-f]{16}$/;

/**
 * Decides the operation by the presence of SIP-If-Match, a body, and the requested time (RFC 3903 section 4.1, table 1).
 * @throws {SipRejection} 400 for several entity-tags; 412 for one that is not ours
 */
export function publishOperation(
  headers: HeaderFields,
  hasBody: boolean,
  requestedSeconds: number | undefined,
): PublishOperation {
  const values = headers.all('sip-if-match');
  if (values.length === 0) return { kind: 'initial' };
  const [entityTag = '', ...more] = values.flatMap(splitList);
  if (entityTag === '' || more.length > 0) throw new SipRejection(400, 'Not One Entity-Tag');
  const publicationId = ENTITY_TAG.exec(entityTag)?.[1];
  if (publicationId === undefined) throw conditionalRequestFailed();
  if (requestedSeconds === 0) return { kind: 'remove', entityTag, publicationId };
  return { kind: hasBody ? 'modify' : 'refresh', entityTag, publicationId };
}

/** @param random 14 random bytes or more; the first six become the id */
export function newPublicationId(random: Uint8Array): string {
  return Buffer.from(random.subarray(0, 6)).toString('hex');
}

/**
 * An entity-tag names its publication, so that the next PUBLISH finds it without a read.
 * @param random 14 random bytes or more; the last eight make the tag
 */
export function newEntityTag(publicationId: string, random: Uint8Array): string {
  return `${publicationId}.${Buffer.from(random.subarray(-8)).toString('hex')}`;
}

export const conditionalRequestFailed = (): SipRejection => new SipRejection(412, 'Conditional Request Failed');

/**
 * Requested time of a request in seconds.
 * @returns undefined when it has no Expires
 * @throws {SipRejection} 400 when Expires is no number
 */
export function requestedExpiry(headers: HeaderFields): number | undefined {
  const value = headers.get('expires');
  if (value === undefined) return undefined;
  const seconds = parseSeconds(value);
  if (seconds === undefined) throw new SipRejection(400, 'Bad Expires');
  return seconds;
}
