/** What a snapshot of a source makes of one presentity: what it names stands, what it lacks ends. */

import type { Dialog } from '#core/dialog.ts';
import { DependencyUnavailable } from '#core/error.ts';
import type { Address } from '#core/identity.ts';
import { type DialogWord, endOf, sourceMark, sourcePublisher, wordPublicationId } from '#core/ingest.ts';
import { isAsLate, standingOf, storedWordOf, wordAttribute } from './ingest-publication.ts';
import { dueShardOf, type Key, stateKey } from './keys.ts';
import { decodePresentity, floorAttribute, type StoredState } from './presentity-item.ts';
import { type Parts, stampOf, updateOf } from './publication-expression.ts';
import { updateWithin } from './publication-write.ts';
import type { Item, Table, Update } from './table.ts';

/** A snapshot as one presentity sees it. */
export interface SnapshotPart {
  readonly address: Address;
  readonly source: string;
  readonly sequence: number;
  readonly words: readonly DialogWord[];
  /** Nobody else can be about to write an older word: an idle presentity need not be remembered. */
  readonly isForgettable: boolean;
}

/** `busy`: the source has live dialogs here. `idle`: none, and late words are held off. `forgotten`: none, nothing left. */
export interface SnapshotResult {
  readonly kind: 'busy' | 'idle' | 'forgotten' | 'full' | 'overtaken';
  /** Dialogs that were set, and that were ended. */
  readonly set: number;
  readonly ended: number;
}

const MAX_ATTEMPTS = 8;
/** An update's text is bounded by DynamoDB: the rest comes in another one. */
const MAX_CHANGES = 100;

/**
 * One UpdateItem, none when there is nothing to change; conditional on the version that was read.
 * @param item the state as it was read, undefined when there is none
 * @throws {DependencyUnavailable} when others keep changing the item in between
 */
export async function saveSnapshotPart(
  table: Table,
  part: SnapshotPart,
  item: Item | undefined,
  tag: string,
  nowMs: number,
): Promise<SnapshotResult> {
  const key = stateKey(part.address.domain, part.address.user);
  let standing = item;
  let done = { set: 0, ended: 0 };
  for (let attempt = 0; attempt < MAX_ATTEMPTS; ) {
    const plan = planOf(part, standing, nowMs);
    if ('kind' in plan) return { ...done, kind: plan.kind };
    const result = await updateWithin(table, key, updateFor(plan, part, standing, key, tag, nowMs));
    if (result === 'tooLarge') return { ...done, kind: 'full' };
    if (result.kind === 'done') {
      done = { set: done.set + plan.set.length, ended: done.ended + plan.ended.length };
      if (!plan.isMore) return { ...done, kind: plan.outcome };
    } else attempt += 1;
    standing = await table.get(key, { consistent: true });
  }
  throw new DependencyUnavailable(`Snapshot in ${key.PK}: the item keeps changing`, { retryAfterSeconds: 1 });
}

interface Plan {
  readonly set: readonly DialogWord[];
  readonly ended: readonly DialogWord[];
  readonly isMore: boolean;
  /** The floor as it is to be; undefined: it goes. */
  readonly floor: number | undefined;
  readonly outcome: SnapshotResult['kind'];
}

function planOf(part: SnapshotPart, item: Item | undefined, nowMs: number): Plan | Pick<SnapshotResult, 'kind'> {
  const { source, sequence, words } = part;
  const floor = item?.[floorAttribute(sourceMark(source))];
  if (typeof floor === 'number' && floor > sequence) return { kind: 'overtaken' };
  const set = words.filter((word) => isChange(word, item, nowMs));
  const ended = liveDialogsOf(item, source)
    .filter(({ id }) => !words.some(({ dialog }) => dialog.id === id))
    .map((dialog) => endOf(dialog, { source, sequence, isOfSnapshot: true }, nowMs))
    .filter((word) => isChange(word, item, nowMs));
  const isBusy = words.some(({ dialog }) => dialog.state !== 'terminated') || hasLater(part, item);
  const isForgotten = !isBusy && part.isForgettable;
  const outcome = isBusy ? 'busy' : isForgotten ? 'forgotten' : 'idle';
  const isMore = set.length + ended.length > MAX_CHANGES;
  const next = isForgotten && !isMore ? undefined : sequence;
  if (set.length + ended.length === 0 && floor === next) return { kind: outcome };
  const some = set.slice(0, MAX_CHANGES);
  return { set: some, ended: ended.slice(0, MAX_CHANGES - some.length), isMore, floor: next, outcome };
}

function isChange(word: DialogWord, item: Item | undefined, nowMs: number): boolean {
  const standing = standingOf(item, word);
  return standing === undefined || !isAsLate(standing, storedWordOf(word, '', nowMs));
}

/** The live dialogs that the source has told of. */
function liveDialogsOf(item: Item | undefined, source: string): Dialog[] {
  const publications = item === undefined ? [] : decodePresentity(item).publications;
  const own = publications.filter(({ publisher }) => publisher === sourcePublisher(source));
  return own.flatMap(({ content }) => (content.kind === 'dialogs' ? content.live : []));
}

/** True when a dialog is live by a word that is later than the snapshot. */
function hasLater({ source, sequence }: SnapshotPart, item: Item | undefined): boolean {
  const ends = liveDialogsOf(item, source).map((dialog) => endOf(dialog, { source, sequence }, 0));
  return ends.some((end) => (standingOf(item, end)?.seq ?? 0) > sequence);
}

function updateFor(
  plan: Plan,
  part: SnapshotPart,
  item: Item | undefined,
  key: Key,
  tag: string,
  nowMs: number,
): Update {
  const known = item && decodePresentity(item);
  const words = [...plan.set, ...plan.ended];
  const parts = [stampOf(nowMs), wordsParts(words, known, tag, nowMs), floorParts(plan, part)];
  return updateOf(words.length === 0 ? parts : [...parts, dueParts(words, known, key)]);
}

function wordsParts(words: readonly DialogWord[], known: StoredState | undefined, tag: string, nowMs: number): Parts {
  const ids = new Set(known?.publications.map(({ id }) => id));
  const added = words.filter((word) => !ids.has(wordPublicationId(word)));
  return {
    set: [...words.map((_, index) => `#w${index} = :w${index}`), '#count = if_not_exists(#count, :none) + :added'],
    conditions: [known === undefined ? 'attribute_not_exists(#version)' : '#version = :seen'],
    names: {
      '#count': 'pubCount',
      ...Object.fromEntries(words.map((word, index) => [`#w${index}`, wordAttribute(word)])),
    },
    values: {
      ...{ ':none': 0, ':added': added.length, ...(known !== undefined && { ':seen': known.version }) },
      ...Object.fromEntries(words.map((word, index) => [`:w${index}`, storedWordOf(word, tag, nowMs)])),
    },
  };
}

function floorParts({ floor }: Plan, { source }: SnapshotPart): Parts {
  const names = { '#floor': floorAttribute(sourceMark(source)) };
  if (floor === undefined) return { set: [], remove: ['#floor'], conditions: [], names };
  return { set: ['#floor = :floor'], conditions: [], names, values: { ':floor': floor } };
}

/** Nothing that was read has changed, so the earliest of all is known. */
function dueParts(words: readonly DialogWord[], known: StoredState | undefined, { PK }: Key): Parts {
  const dueAtMs = Math.min(known?.dueAtMs ?? Number.POSITIVE_INFINITY, ...words.map(({ expiresAtMs }) => expiresAtMs));
  return {
    set: ['#due = :due', '#shard = :shard'],
    conditions: [],
    names: { '#due': 'dueAtMs', '#shard': 'dueShard' },
    values: { ':due': dueAtMs, ':shard': dueShardOf(PK) },
  };
}
