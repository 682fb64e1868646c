/**
 * What a source (a PBX, a portal) says of its users without SIP: words about dialogs and presence, each with a number
 * of the source's own. Pure.
 */
import { createHash } from 'node:crypto';
import { DIALOG_RANK, type Dialog, type DialogState, isLive } from './dialog.ts';
import type { Presence } from './presence.ts';

/** Names of a source and of its dialogs, in paths and in items. */
export const SOURCE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export const INGEST_LIMITS = {
  eventsPerRequest: 500,
  dialogsPerSnapshot: 2_000,
  /** Of one user in a snapshot. */
  dialogsPerUser: 64,
  sourcesPerTenant: 50,
  leaseSeconds: 86_400,
} as const;

/** What ended stands so long, so that an older word of it which comes late finds it. */
const KEEP_ENDED_MS = 300_000;

/** Activities of RFC 4480 section 3.2. */
export const ACTIVITIES = [
  ...['appointment', 'away', 'breakfast', 'busy', 'dinner', 'holiday', 'in-transit', 'looking-for-work', 'lunch'],
  ...['meal', 'meeting', 'on-the-phone', 'performance', 'permanent-absence', 'playing', 'presentation', 'shopping'],
  ...['sleeping', 'spectator', 'steering', 'travel', 'tv', 'unknown', 'vacation', 'working', 'worship'],
] as const;

/** What a source says of one dialog or of a presence. */
export type Word = Readonly<{
  source: string;
  /** The source's own order: a later word has a higher number. */
  sequence: number;
  expiresAtMs: number;
  /** Said by a snapshot, which knows all that happened up to its number. */
  isOfSnapshot?: boolean;
}> &
  (
    | { readonly kind: 'dialog'; readonly dialog: Dialog }
    | { readonly kind: 'presence'; readonly presence: Presence }
    | { readonly kind: 'presenceEnd' }
  );

export type DialogWord = Extract<Word, { kind: 'dialog' }>;

/** A party as sources name it. */
export interface GivenParty {
  readonly uri: string;
  readonly displayName?: string | undefined;
  /** Where it can be reached, if not at `uri`. */
  readonly target?: string | undefined;
}

export interface GivenDialog {
  readonly id: string;
  readonly state: DialogState;
  readonly direction?: Dialog['direction'] | undefined;
  readonly local?: GivenParty | undefined;
  readonly remote?: GivenParty | undefined;
  readonly callId?: string | undefined;
  readonly tags?: { readonly local?: string | undefined; readonly remote?: string | undefined } | undefined;
}

export interface GivenPresence {
  readonly basic: 'open' | 'closed';
  readonly activities?: readonly string[] | undefined;
  readonly note?: string | undefined;
}

interface Said {
  readonly source: string;
  readonly sequence: number;
  readonly leaseSeconds?: number | undefined;
  readonly isOfSnapshot?: boolean | undefined;
}

/** A dialog that is over has no lease: it stands as long as late words of it may come. */
export function dialogWord(given: GivenDialog, said: Said, nowMs: number): DialogWord {
  const dialog = dialogOf(given);
  if (!isLive(dialog)) return endOf(dialog, said, nowMs);
  const { leaseSeconds = 0 } = said;
  return { kind: 'dialog', ...originOf(said), expiresAtMs: nowMs + leaseSeconds * 1_000, dialog };
}

/** The end of a dialog that is known. */
export function endOf(dialog: Dialog, said: Said, nowMs: number): DialogWord {
  const { callId, localTag, remoteTag, event: _event, code: _code, ...rest } = dialog;
  const names = { ...(callId && { callId }), ...(localTag && { localTag }), ...(remoteTag && { remoteTag }) };
  // Without tags a Call-ID may be that of several dialogs, and the end of one must not be the end of the others.
  const isNamed = localTag !== undefined || remoteTag !== undefined;
  const ended: Dialog = { ...rest, state: 'terminated', ...(isNamed && names) };
  return { kind: 'dialog', ...originOf(said), expiresAtMs: nowMs + KEEP_ENDED_MS, dialog: ended };
}

const originOf = ({ source, sequence, isOfSnapshot }: Said) => ({
  source,
  sequence,
  ...(isOfSnapshot === true && { isOfSnapshot }),
});

/** @param given undefined when it is taken back */
export function presenceWord(given: GivenPresence | undefined, said: Said, nowMs: number): Word {
  const { source, sequence, leaseSeconds = 0 } = said;
  if (given === undefined) return { kind: 'presenceEnd', source, sequence, expiresAtMs: nowMs + KEEP_ENDED_MS };
  const presence = presenceOf(given, source);
  return { kind: 'presence', source, sequence, expiresAtMs: nowMs + leaseSeconds * 1_000, presence };
}

function dialogOf({ id, state, direction, local, remote, callId, tags }: GivenDialog): Dialog {
  return {
    id,
    state,
    ...(callId !== undefined && { callId }),
    ...(tags?.local !== undefined && { localTag: tags.local }),
    ...(tags?.remote !== undefined && { remoteTag: tags.remote }),
    ...(direction !== undefined && { direction }),
    ...(local !== undefined && { local: participantOf(local) }),
    ...(remote !== undefined && { remote: participantOf(remote) }),
  };
}

const participantOf = ({ uri, displayName, target }: GivenParty): NonNullable<Dialog['local']> => ({
  identity: { uri, ...(displayName !== undefined && { displayName }) },
  ...(target !== undefined && { target: { uri: target, params: [] } }),
});

function presenceOf({ basic, activities = [], note }: GivenPresence, source: string): Presence {
  const notes = note === undefined ? [] : [note];
  return {
    tuples: [{ id: `source-${source}`, basic, notes, statusExtensions: [], extensions: [] }],
    activities: activities.map((name) => ({ namespace: '', name, text: '' })),
    ...{ notes: [], personNotes: [], personExtensions: [], extensions: [] },
  };
}

/** What a snapshot says comes after all else of its number. */
const SNAPSHOT_RANK = 10;

/** Decides between two words with the same number, such as a time in seconds: what goes further counts. */
export function rankOf(word: Word): number {
  const rank = word.kind === 'dialog' ? DIALOG_RANK[word.dialog.state] : word.kind === 'presenceEnd' ? 1 : 0;
  return word.isOfSnapshot === true ? SNAPSHOT_RANK + rank : rank;
}

/** The publication that a word is about. Longer than those of PUBLISH, so that no entity-tag can name it. */
export function wordPublicationId(word: Word): string {
  const named = word.kind === 'dialog' ? ['dialog', word.dialog.id] : ['presence'];
  return `s${hashOf([word.source, ...named]).slice(0, 20)}`;
}

/** A short name of a source inside a presentity's item. */
export const sourceMark = (source: string): string => hashOf([source]).slice(0, 12);

const SOURCE_PUBLISHER = 'source:';
/** Publisher of what a source says: no AOR, so nobody else's. */
export const sourcePublisher = (source: string): string => `${SOURCE_PUBLISHER}${source}`;
export const isSourcePublisher = (publisher: string): boolean => publisher.startsWith(SOURCE_PUBLISHER);

const hashOf = (parts: readonly string[]): string => createHash('sha256').update(JSON.stringify(parts)).digest('hex');
