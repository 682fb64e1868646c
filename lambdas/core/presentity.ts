/** A presentity's state: its publications, and how their dialogs become one view. Pure. */
import type { Binding } from './binding.ts';
import { DIALOG_RANK, type Dialog, dialogKey, isFurther, isLive } from './dialog.ts';
import { withUniqueIds } from './dialog-info.ts';
import type { DialogContent, Publication } from './publication.ts';
import type { Watcher } from './winfo.ts';

export interface Presentity {
  /**
   * Grows with every write; 0 when nothing was ever written. What a version looks like never changes: all watchers that
   * were told of it were told the same, so the next one is measured by it.
   */
  readonly version: number;
  /** When the newest write was made: what had expired by then was no part of what watchers were told. */
  readonly changedAtMs: number;
  readonly publications: readonly Publication[];
  /** Call-ID of the PUBLISH or the call that made the newest write, if one did. */
  readonly causedBy?: string;
  /** True while it has a binding, false after the last one; absent before the first one. */
  readonly registered?: boolean;
  /** By event package: counts the changes of what stands in other items (bindings, watchers). */
  readonly changes?: Readonly<Record<string, number>>;
  /** By event package whose changes are counted: until when somebody watches it, epoch ms. */
  readonly watchedUntilMs?: Readonly<Record<string, number>>;
  /** When who may watch it was last decided anew: what was decided before, from a cache, may be old. */
  readonly accessChangedAtMs?: number;
  /** Counts how often that was: a decision that begins later has seen what this one has not. */
  readonly decisions?: number;
  /** When publications were last removed by an operator, and by whom. */
  readonly reset?: { readonly atMs: number; readonly by: string };
  /** Present when they were loaded. */
  readonly bindings?: readonly Binding[];
  /** Who watches it in the event package that was asked for; present when they were loaded. */
  readonly watchers?: readonly Watcher[];
}

/** True when somebody watches an event package whose changes are counted. */
export const isCounted = ({ watchedUntilMs }: Presentity, event: string, nowMs: number): boolean =>
  (watchedUntilMs?.[event] ?? 0) > nowMs;

/** Caches of the functions are younger than this, and their clocks nearer to each other. */
const DECISIONS_AGE_MS = 30_000;

/** True when an access that was decided from a cache may be an old one. */
export const isDecidedAnew = ({ accessChangedAtMs }: Presentity, nowMs: number): boolean =>
  (accessChangedAtMs ?? 0) > nowMs - DECISIONS_AGE_MS;

/** True when something has expired since the newest write: its removal will be the next version. */
export const hasRunOut = ({ publications, changedAtMs }: Presentity, nowMs: number): boolean =>
  publications.some(({ expiresAtMs }) => expiresAtMs > changedAtMs && expiresAtMs <= nowMs);

export const NO_STATE: Presentity = { version: 0, changedAtMs: 0, publications: [] };

/** Shown when there is nothing else: some phones do not take a document without a dialog. */
export const IDLE: Dialog = { id: '0000', state: 'terminated' };

type DialogPublication = Publication & { readonly content: DialogContent };

const isOfDialogs = (publication: Publication): publication is DialogPublication =>
  publication.event === 'dialog' && publication.content.kind === 'dialogs';

interface Claim {
  readonly key: string;
  readonly dialog: Dialog;
  readonly publication: DialogPublication;
}

/**
 * The dialogs to show: all live ones; when there are none, all terminated ones, at least one. A dialog that stands in
 * several publications shows with its highest rank; one that any publication has called terminated stays
 * terminated, except by that publication's own later word.
 * @param asOfMs publications that have expired by then do not count
 */
export function composeDialogs(publications: readonly Publication[], asOfMs: number): readonly Dialog[] {
  const known = composed.get(publications);
  if (known?.asOfMs === asOfMs) return known.dialogs;
  const dialogs = composeAnew(publications, asOfMs);
  composed.set(publications, { asOfMs, dialogs });
  return dialogs;
}

/** One state is looked at by several event packages, and by who writes the history of its lamp. */
const composed = new WeakMap<
  readonly Publication[],
  { readonly asOfMs: number; readonly dialogs: readonly Dialog[] }
>();

function composeAnew(publications: readonly Publication[], asOfMs: number): Dialog[] {
  const current = publications.filter(isOfDialogs).filter(({ expiresAtMs }) => expiresAtMs > asOfMs);
  const claims = current.flatMap(claimsOf);
  const terminatedKeys = new Set(current.flatMap((publication) => tombstonesOf(publication, claims)));
  const strongest = new Map<string, Claim>();
  for (const claim of claims) {
    const known = strongest.get(claim.key);
    if (known === undefined || outweighs(claim, known)) strongest.set(claim.key, claim);
  }
  const inKeyOrder = [...strongest.values()].sort((left, right) => compareText(left.key, right.key));
  const dialogs = withUniqueIds(
    inKeyOrder.map(({ key, dialog }) => (terminatedKeys.has(key) ? asTerminated(dialog) : dialog)),
  );
  const shown = dialogs.some(isLive) ? dialogs.filter(isLive) : dialogs;
  return shown.length === 0 ? [IDLE] : shown.sort((left, right) => DIALOG_RANK[right.state] - DIALOG_RANK[left.state]);
}

/** Equal for two views that look the same, whatever the time. */
export function dialogsFingerprint(dialogs: readonly Dialog[]): string {
  return JSON.stringify(dialogs, (name, value: unknown) => (name === 'startedAtMs' ? undefined : value));
}

function claimsOf(publication: DialogPublication): Claim[] {
  const source = { publisher: publication.publisher, publicationId: publication.id };
  const { live, terminated } = publication.content;
  return [...live, ...terminated].map((dialog) => ({ key: dialogKey(dialog, source), dialog, publication }));
}

/** Tombstones of a publication, without those that its own live dialogs have overruled. */
function tombstonesOf(publication: DialogPublication, claims: readonly Claim[]): string[] {
  const own = claims.filter((claim) => claim.publication === publication && isLive(claim.dialog));
  const revived = new Set(own.map(({ key }) => key));
  return publication.content.tombstones.filter((key) => !revived.has(key));
}

// Rank first; the rest only makes the choice the same for every order of the claims.
function outweighs(claim: Claim, known: Claim): boolean {
  if (isFurther(claim.dialog.state, known.dialog.state)) return true;
  if (isFurther(known.dialog.state, claim.dialog.state)) return false;
  if (claim.publication.updatedAtMs !== known.publication.updatedAtMs) {
    return claim.publication.updatedAtMs > known.publication.updatedAtMs;
  }
  return compareText(nameOf(claim), nameOf(known)) < 0;
}

const nameOf = ({ publication, dialog }: Claim): string => `${publication.id} ${dialog.id}`;

function asTerminated(dialog: Dialog): Dialog {
  if (!isLive(dialog)) return dialog;
  const { event: _event, code: _code, ...rest } = dialog;
  return { ...rest, state: 'terminated' };
}

function compareText(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
