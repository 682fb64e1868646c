/** Why a lamp is as it is: its changes, each with what made it. Pure. */
import type { Dialog } from './dialog.ts';
import { type LampState, lampOf } from './lamp.ts';
import { type Activity, basicStatusOf, composePresence } from './presence.ts';
import { composeDialogs, dialogsFingerprint, type Presentity } from './presentity.ts';
import type { Publication } from './publication.ts';

/**
 * What made a change: a PUBLISH, a call of the system itself, a source that says it over HTTP; a publication that ran out,
 * was removed by its publisher, or by an operator; a binding that came or went.
 */
export const CAUSES = ['publication', 'call', 'source', 'expiry', 'removal', 'reset', 'registration'] as const;
export type Cause = (typeof CAUSES)[number];

export interface ChangeSource {
  readonly cause: Cause;
  /** Of all causes but registration. */
  readonly publication?: string;
  readonly publisher?: string;
  readonly entityTag?: string;
  readonly event?: string;
  /** Of a reset: the key that asked for it. */
  readonly by?: string;
}

/** A dialog, as far as it explains a lamp. */
export type ToldDialog = Pick<Dialog, 'state' | 'direction' | 'callId'> & { readonly remote?: string };

export interface LampChange {
  readonly version: number;
  readonly atMs: number;
  readonly from: LampState;
  readonly to: LampState;
  readonly sources: readonly ChangeSource[];
  /** Live dialogs after the change; the first few. */
  readonly dialogs: readonly ToldDialog[];
  readonly registered?: boolean;
  /** The presence's basic status, after the change. */
  readonly presence?: 'open' | 'closed';
}

const MAX_SOURCES = 8;
const MAX_DIALOGS = 4;
const MAX_TEXT = 128;

/** @returns undefined when nothing has changed that shows: a refresh, a count of other items */
export function lampChange(before: Presentity, after: Presentity): LampChange | undefined {
  const [old, now] = [viewOf(before), viewOf(after)];
  if (old.fingerprint === now.fingerprint) return undefined;
  return {
    version: after.version,
    atMs: after.changedAtMs,
    from: old.lamp,
    to: now.lamp,
    sources: sourcesOf(before, after).slice(0, MAX_SOURCES),
    dialogs: now.dialogs.slice(0, MAX_DIALOGS).map(told),
    ...(after.registered !== undefined && { registered: after.registered }),
    presence: now.presence,
  };
}

interface View {
  readonly lamp: LampState;
  readonly dialogs: readonly Dialog[];
  readonly presence: 'open' | 'closed';
  /** Equal for two views between which nothing has changed that shows. */
  readonly fingerprint: string;
}

/** As it was told when it was written. */
function viewOf(presentity: Presentity): View {
  const { publications, changedAtMs, registered } = presentity;
  const dialogs = composeDialogs(publications, changedAtMs);
  const presence = composePresence(presentity, changedAtMs);
  const basic = basicStatusOf(presence);
  const activities = presence.activities.map(({ name }: Activity) => name);
  const fingerprint = JSON.stringify([dialogsFingerprint(dialogs), basic, activities, registered ?? false]);
  return { lamp: lampOf(presentity, changedAtMs), dialogs: dialogs.filter(isShown), presence: basic, fingerprint };
}

const isShown = ({ state }: Dialog): boolean => state !== 'terminated';

function told({ state, direction, callId, remote }: Dialog): ToldDialog {
  const uri = remote?.identity?.uri ?? remote?.target?.uri;
  return {
    state,
    ...(direction !== undefined && { direction }),
    ...(callId !== undefined && { callId: callId.slice(0, MAX_TEXT) }),
    ...(uri !== undefined && { remote: uri.slice(0, MAX_TEXT) }),
  };
}

function sourcesOf(before: Presentity, after: Presentity): ChangeSource[] {
  const known = new Map(before.publications.map((publication) => [publication.id, publication]));
  const standing = new Set(after.publications.map(({ id }) => id));
  const written = after.publications
    .filter(({ id, entityTag }) => known.get(id)?.entityTag !== entityTag)
    .map((publication) => sourceOf(publication, writerOf(publication)));
  const gone = before.publications
    .filter(({ id }) => !standing.has(id))
    .map((publication) => goneOf(publication, after));
  const runOut = before.publications
    .filter(({ id, expiresAtMs }) => standing.has(id) && before.changedAtMs < expiresAtMs && isOver(expiresAtMs, after))
    .filter(({ id }) => after.publications.some((each) => each.id === id && isOver(each.expiresAtMs, after)))
    .map((publication) => sourceOf(publication, 'expiry'));
  const registration: ChangeSource[] =
    (before.registered ?? false) === (after.registered ?? false) ? [] : [{ cause: 'registration' }];
  return [...written, ...gone, ...runOut, ...registration];
}

const isOver = (expiresAtMs: number, { changedAtMs }: Presentity): boolean => expiresAtMs <= changedAtMs;

/** Publishers are AORs; the system itself and sources over HTTP are none. */
function writerOf({ publisher }: Publication): Cause {
  if (publisher.startsWith('sip:')) return 'publication';
  return publisher === 'system' ? 'call' : 'source';
}

function goneOf(publication: Publication, after: Presentity): ChangeSource {
  if (isOver(publication.expiresAtMs, after)) return sourceOf(publication, 'expiry');
  const { reset } = after;
  if (reset?.atMs !== after.changedAtMs) return sourceOf(publication, 'removal');
  return { ...sourceOf(publication, 'reset'), by: reset.by };
}

const sourceOf = ({ id, publisher, entityTag, event }: Publication, cause: Cause): ChangeSource => ({
  cause,
  publication: id,
  publisher,
  entityTag,
  event,
});
