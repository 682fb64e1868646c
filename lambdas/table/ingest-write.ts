/** A word of a source as one conditional UpdateItem of its presentity. */
import { DependencyUnavailable } from '#core/error.ts';
import type { Address } from '#core/identity.ts';
import { sourceMark, type Word } from '#core/ingest.ts';
import { PUBLICATION_LIMITS } from '#core/publication.ts';
import { isAsLate, type StoredWord, standingOf, storedWordOf, wordParts } from './ingest-publication.ts';
import { stateKey } from './keys.ts';
import { decodePresentity, floorAttribute } from './presentity-item.ts';
import { type Parts, type SweepRule, stampOf, sweepOf, updateOf } from './publication-expression.ts';
import { updateWithin } from './publication-write.ts';
import { enterReported } from './source-item.ts';
import type { Item, Table } from './table.ts';

/**
 * `late`: a word of this number or a later one stands, which changed nothing. `full`: too many publications.
 * `tooManySources`: of the tenant.
 */
export type WordResult =
  | { readonly kind: 'applied' | 'full' | 'tooManySources' }
  | { readonly kind: 'late'; readonly sequence: number };

const MAX_ATTEMPTS = 5;

/**
 * One UpdateItem; for the first word of a source about a presentity since it was last idle in a snapshot, two more
 * requests, for a snapshot must know where to look.
 * @param tag tells this write from the same word in another request
 * @throws {DependencyUnavailable} when others keep changing the item in between
 */
export async function saveWord(
  table: Table,
  { domain, user }: Address,
  word: Word,
  tag: string,
  nowMs: number,
): Promise<WordResult> {
  const key = stateKey(domain, user);
  const stored = storedWordOf(word, tag, nowMs);
  let floor: FloorRule = word.kind === 'dialog' ? { kind: 'standing' } : { kind: 'none' };
  let sweep: SweepRule = 'keepEarlier';
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const parts = [stampOf(nowMs), ...wordAndFloor(word, stored, floor), sweepOf(stored.expMs, key.PK, sweep)];
    const result = await updateWithin(table, key, updateOf(parts));
    if (result === 'tooLarge') return { kind: 'full' };
    if (result.kind === 'done') return { kind: 'applied' };
    const refusal = refusalOf(word, stored, result.item);
    if (refusal) return refusal;
    const state = result.item && decodePresentity(result.item);
    sweep = state?.dueAtMs !== undefined && state.dueAtMs > stored.expMs ? 'moveForward' : 'keepEarlier';
    if (floor.kind === 'none') continue;
    const next = await nextFloor(table, { domain, user }, word, result.item, nowMs);
    if ('refusal' in next) return next.refusal;
    floor = next.floor;
  }
  throw new DependencyUnavailable(`Word of a source in ${key.PK}: the item keeps changing`, { retryAfterSeconds: 1 });
}

/** `none`: snapshots are not about this. `standing`: the item has it. `new`: the item gets it. */
type FloorRule =
  | { readonly kind: 'none' }
  | { readonly kind: 'standing' }
  | { readonly kind: 'new'; readonly sequence: number };
type NextFloor = { readonly floor: FloorRule } | { readonly refusal: WordResult };

function wordAndFloor(word: Word, stored: StoredWord, floor: FloorRule): Parts[] {
  if (floor.kind === 'none') return [wordParts(word, stored)];
  const names = { '#floor': floorAttribute(sourceMark(word.source)) };
  if (floor.kind === 'standing') {
    return [wordParts(word, stored), { set: [], conditions: ['#floor < :seq'], names }];
  }
  const values = { ':floor': floor.sequence };
  return [
    wordParts(word, stored),
    { set: ['#floor = :floor'], conditions: ['attribute_not_exists(#floor)'], names, values },
  ];
}

function refusalOf(word: Word, stored: StoredWord, item: Item | undefined): WordResult | undefined {
  const standing = standingOf(item, word);
  if (standing !== undefined) {
    // The answer to a first attempt was lost: what stands is our own.
    if (standing.tag === stored.tag) return { kind: 'applied' };
    return isAsLate(standing, stored) ? { kind: 'late', sequence: standing.seq } : undefined;
  }
  const isFull = item !== undefined && decodePresentity(item).publicationCount >= PUBLICATION_LIMITS.perPresentity;
  return isFull ? { kind: 'full' } : undefined;
}

async function nextFloor(
  table: Table,
  { domain, user }: Address,
  word: Word,
  item: Item | undefined,
  nowMs: number,
): Promise<NextFloor> {
  const standing = item?.[floorAttribute(sourceMark(word.source))];
  if (typeof standing === 'number') {
    const isLate = standing >= word.sequence;
    return isLate ? { refusal: { kind: 'late', sequence: standing } } : { floor: { kind: 'standing' } };
  }
  const sequence = await enterReported(table, { domain, source: word.source }, user, nowMs);
  if (sequence === undefined) return { refusal: { kind: 'tooManySources' } };
  const isLate = sequence >= word.sequence;
  return isLate ? { refusal: { kind: 'late', sequence } } : { floor: { kind: 'new', sequence } };
}
