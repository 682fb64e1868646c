/** Dialogs as data (RFC 4235 section 3.7): what a publication holds and a document shows. Pure. */
import { hash } from 'node:crypto';

/** Ranks of the states: among sources without an order of their own, the highest one counts. */
export const DIALOG_RANK = { trying: 0, proceeding: 1, early: 2, confirmed: 3, terminated: 4 } as const;
export type DialogState = keyof typeof DIALOG_RANK;

/** Why a state was entered (RFC 4235 section 4.1.3). */
export const STATE_EVENTS = [
  'cancelled',
  'rejected',
  'replaced',
  'local-bye',
  'remote-bye',
  'error',
  'timeout',
] as const;
export type StateEvent = (typeof STATE_EVENTS)[number];

/** A URI with its display name. */
export interface NamedUri {
  readonly uri: string;
  readonly displayName?: string;
}

/** One side of a dialog: who, and where to reach it, with the target's parameters such as `+sip.rendering`. */
export interface Participant {
  readonly identity?: NamedUri;
  readonly target?: { readonly uri: string; readonly params: readonly (readonly [name: string, value: string])[] };
}

export interface Dialog {
  /** Unique in its document, as its publisher chose it. */
  readonly id: string;
  readonly callId?: string;
  readonly localTag?: string;
  readonly remoteTag?: string;
  readonly direction?: 'initiator' | 'recipient';
  readonly state: DialogState;
  readonly event?: StateEvent;
  readonly code?: number;
  /** Start of the dialog, from the duration that was published. */
  readonly startedAtMs?: number;
  readonly replaces?: { readonly callId: string; readonly localTag: string; readonly remoteTag: string };
  readonly referredBy?: NamedUri;
  readonly local?: Participant;
  readonly remote?: Participant;
}

/** Where a dialog was heard of. */
export interface DialogSource {
  /** AOR of the publisher. */
  readonly publisher: string;
  readonly publicationId: string;
}

/**
 * Names a dialog across publications of one source: its Call-ID and both tags, never the Call-ID alone, so that the
 * loser of a fork does not clear the lamp of the winner. Without a Call-ID only its own publication can mean it.
 */
export function dialogKey(dialog: Dialog, source: DialogSource): string {
  const { callId, localTag = '', remoteTag = '', id } = dialog;
  const parts =
    callId === undefined
      ? ['id', source.publisher, source.publicationId, id]
      : ['dialog', source.publisher, callId, localTag, remoteTag];
  return hash('sha256', JSON.stringify(parts), 'base64url').slice(0, 16);
}

/** The further of two states of one dialog. */
export function isFurther(state: DialogState, than: DialogState): boolean {
  return DIALOG_RANK[state] > DIALOG_RANK[than];
}

export const isLive = (dialog: Dialog): boolean => dialog.state !== 'terminated';
