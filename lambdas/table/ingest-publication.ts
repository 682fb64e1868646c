/** What a source says, as publications in the item of a presentity; the rules which word counts. */
import * as v from 'valibot';
import { isLive } from '#core/dialog.ts';
import { rankOf, sourcePublisher, type Word, wordPublicationId } from '#core/ingest.ts';
import { PUBLICATION_LIMITS } from '#core/publication.ts';
import { dialogField, publicationAttribute, type StoredDialogs, type StoredDocument } from './presentity-item.ts';
import type { Parts } from './publication-expression.ts';
import type { Item } from './table.ts';

/** `seq` and `rank` say which word is later. */
interface Order {
  readonly seq: number;
  readonly rank: number;
  /** What it adds to the count of publications when it is replaced. */
  readonly adds: 0;
}
export type StoredWord = (StoredDialogs | StoredDocument) & Order;

/** @param tag tells this write from the same word in another request */
export function storedWordOf(word: Word, tag: string, nowMs: number): StoredWord {
  const { source, sequence, expiresAtMs } = word;
  const stored = {
    ...{ tag, by: sourcePublisher(source), expMs: expiresAtMs, atMs: nowMs },
    ...{ seq: sequence, rank: rankOf(word), adds: 0 as const },
  };
  switch (word.kind) {
    case 'dialog': {
      const { dialog } = word;
      const content = isLive(dialog)
        ? { live: { [dialogField(dialog)]: dialog }, over: [] }
        : { live: {}, over: [dialog] };
      return { ...stored, event: 'dialog', ...content, gone: {} };
    }
    case 'presence':
      return { ...stored, event: 'presence', doc: { kind: 'presence', presence: word.presence } };
    case 'presenceEnd':
      // No document, so nothing is shown; it only holds the place against late words.
      return { ...stored, event: 'presence', live: {}, over: [], gone: {} };
    default:
      return word satisfies never;
  }
}

export const wordAttribute = (word: Word): string => publicationAttribute(wordPublicationId(word));

const NAMES = { '#seq': 'seq', '#rank': 'rank', '#adds': 'adds', '#count': 'pubCount' } as const;

/** Puts a word into its place unless one that is as late stands there. */
export function wordParts(word: Word, stored: StoredWord): Parts {
  const hasRoom = '(attribute_not_exists(#count) OR #count < :most)';
  const isLater = '#pub.#seq < :seq OR (#pub.#seq = :seq AND #pub.#rank < :rank)';
  return {
    // A new publication adds one to their count, one that is replaced what it says itself.
    set: ['#pub = :pub', '#count = if_not_exists(#count, :none) + if_not_exists(#pub.#adds, :one)'],
    conditions: [`((attribute_not_exists(#pub) AND ${hasRoom}) OR ${isLater})`],
    names: { ...NAMES, '#pub': wordAttribute(word) },
    values: {
      ...{ ':pub': stored, ':seq': stored.seq, ':rank': stored.rank, ':none': 0 },
      ':most': PUBLICATION_LIMITS.perPresentity,
    },
  };
}

const order = v.object({ seq: v.number(), rank: v.number(), tag: v.string() });

/** The word that stands in the place of this one. */
export function standingOf(item: Item | undefined, word: Word): v.InferOutput<typeof order> | undefined {
  const result = v.safeParse(order, item?.[wordAttribute(word)]);
  return result.success ? result.output : undefined;
}

/** True when what stands is as late as this word, or later. */
export const isAsLate = (standing: { seq: number; rank: number }, { seq, rank }: StoredWord): boolean =>
  standing.seq > seq || (standing.seq === seq && standing.rank >= rank);
