/** Cursor of a stream of lamps: the subscriptions of a connection, and the state of each that its client has. PURE. */
import { LAMP_LIMITS } from './lamp-messages.ts';

/** A watched user in a cursor. */
export interface CursorEntry {
  /** As the client names it. */
  readonly name: string;
  readonly callNumber: number;
  /** Our tag in the dialog of its subscription; '' when it has none yet. */
  readonly toTag: string;
  /** Entity-tag of the state that the client has (RFC 5839); '' for none. */
  readonly entityTag: string;
}

export interface Cursor {
  readonly madeAtMs: number;
  /** What the Call-IDs of the connection have in common. */
  readonly seed: string;
  readonly entries: readonly CursorEntry[];
}

/** Subscriptions are parked so long; after it they are gone, and all states are told anew. */
const KEEP_MS = 300_000;
const VERSION = 'v1';
const TEXT = /^[A-Za-z0-9_-]{1,64}$/;
const TAG = /^[A-Za-z0-9_-]{0,64}$/;

/** It holds nothing that its client does not know, and proves nothing: it needs no signature. */
export function writeCursor({ madeAtMs, seed, entries }: Cursor): string {
  const parts = entries.map(({ name, callNumber, toTag, entityTag }) =>
    [encodeURIComponent(name), callNumber.toString(36), toTag, entityTag].join(','),
  );
  return [VERSION, madeAtMs.toString(36), seed, ...parts].join(';');
}

/** @returns undefined for what is no cursor */
export function readCursor(text: string): Cursor | undefined {
  const [version, madeAt = '', seed = '', ...parts] = text.split(';');
  const madeAtMs = Number.parseInt(madeAt, 36);
  if (version !== VERSION || !Number.isSafeInteger(madeAtMs) || !TEXT.test(seed)) return undefined;
  const entries = parts.map(readEntry);
  const isWhole = entries.length <= LAMP_LIMITS.usersPerConnection && entries.every((entry) => entry !== undefined);
  return isWhole ? { madeAtMs, seed, entries: entries.filter((entry) => entry !== undefined) } : undefined;
}

export const isCursorFresh = ({ madeAtMs }: Cursor, nowMs: number): boolean => Math.abs(nowMs - madeAtMs) <= KEEP_MS;

function readEntry(part: string): CursorEntry | undefined {
  const [name = '', number = '', toTag = '', entityTag = ''] = part.split(',');
  const callNumber = Number.parseInt(number, 36);
  const isRight = Number.isSafeInteger(callNumber) && TAG.test(toTag) && TAG.test(entityTag);
  try {
    return isRight ? { name: decodeURIComponent(name), callNumber, toTag, entityTag } : undefined;
  } catch {
    return undefined;
  }
}
