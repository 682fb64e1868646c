/** Event packages as data (RFC 6665 section 5): what each one reads, composes and renders. Pure. */
import type { Notification } from '#contract/schemas.ts';
import type { Dialog } from './dialog.ts';
import { DIALOG_INFO_TYPE, parseDialogInfo } from './dialog-info.ts';
import { dialogView } from './dialog-view.ts';
import { SipRejection } from './error.ts';
import { composeDialogs, type Presentity } from './presentity.ts';
import type { PublishedDocument } from './publication.ts';
import type { RenderingProfile } from './rendering-profile.ts';
import { parseParameterized } from './sip/header.ts';

/** What a presentity's state means in one event package, before it is a document. */
export interface ComposedState {
  /** Equal for states that need no NOTIFY between them. */
  readonly fingerprint: string;
  /**
   * @param contentType one of the package's `notifiedTypes`
   * @param entity AOR of the presentity
   */
  render(contentType: string, entity: string, nowMs: number): Notification['body'];
  /** The state as a watcher with this profile sees it; a package without it looks the same to all. */
  inProfile?(profile: RenderingProfile): ComposedState;
  /**
   * A partial document: what differs from an earlier state, seen in the same profile.
   * @returns undefined when nothing does
   */
  renderSince?(base: ComposedState, entity: string, nowMs: number): Notification['body'] | undefined;
  /** What a dialog state is made of. */
  readonly dialogs?: readonly Dialog[];
}

export interface EventPackage {
  readonly name: string;
  /** Content types of a PUBLISH. */
  readonly publishedTypes: readonly string[];
  /** Content types of a NOTIFY; the first when the watcher does not say. */
  readonly notifiedTypes: readonly [string, ...string[]];
  /** @throws {SipRejection} 400 or 413 */
  parse(body: string, nowMs: number): PublishedDocument;
  /** @param asOfMs what has expired by then does not count */
  compose(presentity: Presentity, asOfMs: number): ComposedState;
}

const DIALOG: EventPackage = {
  name: 'dialog',
  publishedTypes: [DIALOG_INFO_TYPE],
  notifiedTypes: [DIALOG_INFO_TYPE],
  parse(body, nowMs) {
    const { state, dialogs } = parseDialogInfo(body, nowMs);
    return { kind: 'dialogs', scope: state, dialogs };
  },
  compose: (presentity, asOfMs) => dialogView(composeDialogs(presentity.publications, asOfMs)),
};

export const EVENT_PACKAGES: readonly EventPackage[] = [DIALOG];

/** Value of Allow-Events. */
export const ALLOW_EVENTS = EVENT_PACKAGES.map(({ name }) => name).join(', ');

/**
 * The event package that a request names, and the Event's `id`.
 * @throws {SipRejection} 489 with Allow-Events when Event is missing or unknown
 */
export function requestedPackage(event: string | undefined): { eventPackage: EventPackage; eventId?: string } {
  const { value, params } = parseParameterized(event ?? '');
  const eventPackage = EVENT_PACKAGES.find(({ name }) => name === value);
  if (!eventPackage) throw new SipRejection(489, 'Bad Event', [['Allow-Events', ALLOW_EVENTS]]);
  const eventId = params.get('id');
  return eventId === undefined ? { eventPackage } : { eventPackage, eventId };
}
