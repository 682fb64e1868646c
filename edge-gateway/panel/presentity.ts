/** What the panel knows of one colleague: the dialogs of the last document, and whether they can be trusted. Pure. */
import type { Dialog, DialogInfo, Party } from '#gateway/panel/dialog-info.ts';

/** `waiting`: no answer yet or the line is down; `refused`: the server does not let us watch. */
export type Watching = 'waiting' | 'active' | 'refused';

export interface TrackedDialog extends Dialog {
  /** When the dialog came into this state (epoch). */
  readonly sinceMs: number;
  /** False when it had begun before we looked, and nobody said when. */
  readonly sinceKnown: boolean;
}

export interface Presentity {
  readonly extension: string;
  readonly watching: Watching;
  /** What the server said when it refused. */
  readonly refusal: string;
  /** Version of the last document of this subscription; `undefined` before the first. */
  readonly version: number | undefined;
  readonly dialogs: readonly TrackedDialog[];
  readonly updatedAtMs: number | undefined;
}

export function unknownPresentity(extension: string): Presentity {
  return { extension, watching: 'waiting', refusal: '', version: undefined, dialogs: [], updatedAtMs: undefined };
}

/** The subscription waits: what was known is kept aside for its times, but no longer shown as true. */
export function suspended(presentity: Presentity): Presentity {
  return { ...presentity, watching: 'waiting', refusal: '' };
}

export function refused(presentity: Presentity, refusal: string): Presentity {
  return { ...presentity, watching: 'refused', refusal };
}

/** A new subscription counts its documents from the start. */
export function resubscribed(presentity: Presentity): Presentity {
  return { ...suspended(presentity), version: undefined };
}

export type Applied =
  | { readonly kind: 'applied'; readonly presentity: Presentity }
  | { readonly kind: 'old' }
  /** A partial document came after a gap: only a full one can repair it. */
  | { readonly kind: 'gap' };

/** Takes a document in, by the version rules of RFC 4235 section 4.3. */
export function applyDocument(presentity: Presentity, document: DialogInfo, nowMs: number): Applied {
  const { version } = presentity;
  if (version !== undefined && document.version <= version) return { kind: 'old' };
  if (!document.full && document.version !== (version ?? -1) + 1) return { kind: 'gap' };
  const named = document.dialogs.map((dialog) => track(dialog, presentity, nowMs));
  const dialogs = document.full ? named : merged(presentity.dialogs, named);
  const next = {
    ...presentity,
    watching: 'active',
    refusal: '',
    version: document.version,
    updatedAtMs: nowMs,
  } as const;
  return { kind: 'applied', presentity: { ...next, dialogs } };
}

/** The colleague's own name, when a document told it. */
export function localPartyOf(presentity: Presentity): Party | undefined {
  return presentity.dialogs.find((dialog) => dialog.local.displayName !== '')?.local;
}

function merged(before: readonly TrackedDialog[], named: readonly TrackedDialog[]): TrackedDialog[] {
  const names = new Set(named.map((dialog) => dialog.id));
  return [...before.filter((dialog) => !names.has(dialog.id) && dialog.state !== 'terminated'), ...named];
}

function track(dialog: Dialog, presentity: Presentity, nowMs: number): TrackedDialog {
  const before = presentity.dialogs.find((known) => known.id === dialog.id);
  if (before?.state === dialog.state) return { ...dialog, sinceMs: before.sinceMs, sinceKnown: before.sinceKnown };
  const watched = presentity.watching === 'active';
  if (before !== undefined && watched) return { ...dialog, sinceMs: nowMs, sinceKnown: true };
  if (dialog.durationSeconds !== undefined)
    return { ...dialog, sinceMs: nowMs - dialog.durationSeconds * 1000, sinceKnown: true };
  return { ...dialog, sinceMs: nowMs, sinceKnown: watched };
}
