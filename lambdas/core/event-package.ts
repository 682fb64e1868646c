/** Event packages as data (RFC 6665 section 5): what each one reads, composes and renders. Pure. */
import type { Notification } from '#contract/schemas.ts';
import type { Dialog } from './dialog.ts';
import { DIALOG_INFO_TYPE } from './dialog-info.ts';
import { dialogView } from './dialog-view.ts';
import { SipRejection } from './error.ts';
import { MESSAGES_JSON_TYPE, PRESENCE_JSON_TYPE, renderMessagesJson, renderPresenceJson } from './json-documents.ts';
import { LAMP_TYPE } from './lamp-document.ts';
import {
  composeMessageSummary,
  MESSAGE_SUMMARY_TYPE,
  type MessageSummary,
  NO_MESSAGES,
  redactedSummary,
  renderMessageSummary,
} from './message-summary.ts';
import { CPIM_PIDF_TYPE, PIDF_TYPE, renderPidf } from './pidf.ts';
import { composePresence, NO_PRESENCE, type Presence, presenceFingerprint, redactedPresence } from './presence.ts';
import { composeDialogs, type Presentity } from './presentity.ts';
import { REGINFO_TYPE, renderRegInfo } from './reginfo.ts';
import type { DialogName, RenderingProfile } from './rendering-profile.ts';
import { type Params, parseParameterized } from './sip/header.ts';
import { isHidden, type WatchAccess } from './watch-policy.ts';
import { renderWatcherInfo, WATCHERINFO_TYPE } from './winfo.ts';
import { renderXpidf, XPIDF_TYPE } from './xpidf.ts';

/** What a presentity's state means in one event package, before it is a document. */
export interface ComposedState {
  /** Equal for states that need no NOTIFY between them. */
  readonly fingerprint: string;
  /**
   * @param contentType one of the package's `notifiedTypes`, or what a webhook is told in (core/webhook-event)
   * @param entity AOR of the presentity
   * @param version of the presentity: what it is in a document that counts by it
   */
  render(contentType: string, entity: string, nowMs: number, version: number): Notification['body'];
  /** The state as a watcher with this profile sees it; a package without it looks the same to all. */
  inProfile?(profile: RenderingProfile): ComposedState;
  /** The state as a watcher with this access sees it; a package without it is only for those who see all. */
  inAccess?(access: Exclude<WatchAccess, 'full'>): ComposedState;
  /**
   * A partial document: what differs from an earlier state, seen in the same profile.
   * @returns undefined when nothing does
   */
  renderSince?(base: ComposedState, entity: string, nowMs: number): Notification['body'] | undefined;
  /** What a dialog state is made of. */
  readonly dialogs?: readonly Dialog[];
}

/** What a package's documents are made of: the presentity's own state, its bindings, or watchers of a package. */
export type PackageSource =
  | { readonly kind: 'state' }
  | { readonly kind: 'bindings' }
  | { readonly kind: 'watchers'; readonly of: string };

export interface EventPackage {
  readonly name: string;
  /** Content types of a NOTIFY; the first when the watcher does not say. */
  readonly notifiedTypes: readonly [string, ...string[]];
  /** What of a presentity must be loaded before it is composed. */
  readonly source: PackageSource;
  /** Who may watch: everyone in the tenant, or only who may publish for the presentity. */
  readonly access: 'tenant' | 'owner';
  /** Who names no user means itself: so some phones ask for their messages (Cisco SPA504G). */
  readonly isOwnByDefault?: true;
  /** @param asOfMs what has expired by then does not count */
  compose(presentity: Presentity, asOfMs: number): ComposedState;
}

const OF_STATE = { source: { kind: 'state' }, access: 'tenant' } as const;

export const DIALOG: EventPackage = {
  ...OF_STATE,
  name: 'dialog',
  notifiedTypes: [DIALOG_INFO_TYPE, LAMP_TYPE],
  compose: (presentity, asOfMs) => dialogView(composeDialogs(presentity.publications, asOfMs)),
};

function presenceView(presence: Presence): ComposedState {
  return {
    fingerprint: presenceFingerprint(presence),
    render(contentType, entity, _nowMs, version) {
      if (contentType === PRESENCE_JSON_TYPE) return renderPresenceJson(presence, version);
      return (contentType === XPIDF_TYPE ? renderXpidf : renderPidf)(entity, presence);
    },
    inAccess: (access) => presenceView(isHidden(access) ? NO_PRESENCE : redactedPresence(presence, access)),
  };
}

export const PRESENCE: EventPackage = {
  ...OF_STATE,
  name: 'presence',
  notifiedTypes: [PIDF_TYPE, CPIM_PIDF_TYPE, XPIDF_TYPE],
  compose: (presentity, asOfMs) => presenceView(composePresence(presentity, asOfMs)),
};

function messagesView(summary: MessageSummary): ComposedState {
  return {
    fingerprint: JSON.stringify(summary),
    render: (contentType, entity, _nowMs, version) =>
      contentType === MESSAGES_JSON_TYPE ? renderMessagesJson(summary, version) : renderMessageSummary(entity, summary),
    inAccess: (access) => messagesView(isHidden(access) ? NO_MESSAGES : redactedSummary(summary, access)),
  };
}

export const MESSAGES: EventPackage = {
  ...OF_STATE,
  name: 'message-summary',
  isOwnByDefault: true,
  notifiedTypes: [MESSAGE_SUMMARY_TYPE],
  compose: (presentity, asOfMs) => messagesView(composeMessageSummary(presentity, asOfMs)),
};

const REGISTRATION: EventPackage = {
  name: 'reg',
  notifiedTypes: [REGINFO_TYPE],
  source: { kind: 'bindings' },
  access: 'owner',
  compose({ changes, registered, bindings = [] }) {
    const info = { bindings, wasRegistered: registered !== undefined };
    return {
      fingerprint: String(changes?.reg ?? 0),
      render: (_contentType, entity, nowMs) => renderRegInfo(entity, info, nowMs),
    };
  },
};

/** The template package of RFC 3857 for one package. */
function watcherInfoOf(packageName: string): EventPackage {
  const name = watcherInfoName(packageName);
  return {
    name,
    notifiedTypes: [WATCHERINFO_TYPE],
    source: { kind: 'watchers', of: packageName },
    access: 'owner',
    compose({ changes, watchers = [] }) {
      return {
        fingerprint: String(changes?.[name] ?? 0),
        render: (_contentType, entity, nowMs) => renderWatcherInfo(entity, packageName, watchers, nowMs),
      };
    },
  };
}

/** Name of the package that tells who watches another one; there need not be one. */
export const watcherInfoName = (packageName: string): string => `${packageName}.winfo`;

export const EVENT_PACKAGES: readonly EventPackage[] = [
  DIALOG,
  PRESENCE,
  MESSAGES,
  REGISTRATION,
  watcherInfoOf(DIALOG.name),
  watcherInfoOf(PRESENCE.name),
];

/** Value of Allow-Events. */
export const ALLOW_EVENTS = namesOf(EVENT_PACKAGES);

/** What the Event of a SUBSCRIBE names. */
export interface RequestedPackage {
  readonly eventPackage: EventPackage;
  /** Its `id`. */
  readonly eventId?: string;
  /** The dialog that is asked for, if not all are. */
  readonly only?: DialogName;
}

/**
 * Reads the Event of a SUBSCRIBE.
 * @throws {SipRejection} 489 with Allow-Events when it is missing or unknown, 400 for a dialog whose names are too long
 */
export function requestedPackage(event: string | undefined): RequestedPackage {
  const { value, params } = parseParameterized(event ?? '');
  const eventPackage = packageNamed(value, EVENT_PACKAGES);
  const eventId = params.get('id');
  const only = eventPackage === DIALOG ? requestedDialog(params) : undefined;
  return { eventPackage, ...(eventId !== undefined && { eventId }), ...(only && { only }) };
}

/** Call-IDs and tags are of free length; stored with a subscription they must not be. */
const MAX_DIALOG_NAME = 512;

/** RFC 4235 section 3.2: `to-tag` is the presentity's own, `from-tag` the other side's. */
function requestedDialog(params: Params): DialogName | undefined {
  const [callId, localTag, remoteTag] = ['call-id', 'to-tag', 'from-tag'].map((name) => params.get(name) || undefined);
  if (callId === undefined) return undefined;
  if (`${callId}${localTag}${remoteTag}`.length > MAX_DIALOG_NAME)
    throw new SipRejection(400, 'Call-ID or Tag of Event Too Long');
  return { callId, ...(localTag && { localTag }), ...(remoteTag && { remoteTag }) };
}

/**
 * Finds a package by its name, in any case: old clients write `Presence`.
 * @throws {SipRejection} 489 with Allow-Events
 */
export function packageNamed<Package extends EventPackage>(name: string, packages: readonly Package[]): Package {
  const eventPackage = packages.find((each) => each.name === name.toLowerCase());
  if (!eventPackage) throw new SipRejection(489, 'Bad Event', [['Allow-Events', namesOf(packages)]]);
  return eventPackage;
}

function namesOf(packages: readonly EventPackage[]): string {
  return packages.map(({ name }) => name).join(', ');
}
