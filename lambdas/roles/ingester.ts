/** Ingester: takes what a source says of its users over HTTP, one word at a time, many at once, or all of it. */
import { DependencyUnavailable } from '#core/error.ts';
import { type DialogWord, rankOf, type Word } from '#core/ingest.ts';
import { saveWord, type WordResult } from '#table/ingest-write.ts';
import { presentityOfKey, profileKey, stateKey, userOfKey } from '#table/keys.ts';
import { type SnapshotPart, type SnapshotResult, saveSnapshotPart } from '#table/snapshot-write.ts';
import {
  claimSnapshot,
  enterAll,
  loadReported,
  type Reported,
  removeReported,
  snapshotOf,
} from '#table/source-item.ts';
import type { Item, Table } from '#table/table.ts';
import { inParallel } from './batches.ts';

export interface IngesterPorts {
  readonly table: Table;
  /** Text that nobody else makes. */
  readonly uniqueText: () => string;
}

/** A word about one user of the tenant. */
export interface WordOf<W extends Word = Word> {
  readonly user: string;
  readonly word: W;
}

/** `unavailable`: nothing is known of it; say it again. */
export type IngestResult = WordResult | { readonly kind: 'unknownUser' | 'unavailable' };

/** Presentities that are written at once. */
const PARALLEL = 16;
/** No function runs so long: a word that was under way before has been written, or never will be. */
const WORD_UNDER_WAY_MS = 60_000;
/** An entry that is to be relied on is younger: nobody forgets it while this function runs. */
const ENTER_AGAIN_MS = 30_000;

/**
 * Takes words in their order for each presentity, those of different ones side by side. One BatchGetItem a hundred users,
 * then one UpdateItem a word.
 * @returns one result for each word, in their order
 */
export async function ingest(
  words: readonly WordOf[],
  domain: string,
  { table, uniqueText }: IngesterPorts,
  nowMs: number,
): Promise<IngestResult[]> {
  const known = await knownUsers(table, domain, new Set(words.map(({ user }) => user)));
  const results: IngestResult[] = words.map(() => ({ kind: 'unknownUser' }));
  const byUser = Map.groupBy(words.keys(), (index) => words[index]?.user ?? '');
  await inParallel([...byUser], PARALLEL, async ([user, indexes]) => {
    if (!known.has(user)) return;
    for (const index of indexes) {
      const word = words[index]?.word;
      if (word) results[index] = await saved(() => saveWord(table, { domain, user }, word, uniqueText(), nowMs));
    }
  });
  return results;
}

async function saved(save: () => Promise<WordResult>): Promise<IngestResult> {
  try {
    return await save();
  } catch (error) {
    if (error instanceof DependencyUnavailable) return { kind: 'unavailable' };
    throw error;
  }
}

async function knownUsers(table: Table, domain: string, users: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  const items = await table.getBatch([...users].map((user) => profileKey(domain, user)));
  return new Set(items.flatMap(({ PK }) => userOfKey(PK)?.user ?? []));
}

/** All live dialogs of a source at one moment. */
export interface Snapshot {
  readonly domain: string;
  readonly source: string;
  readonly sequence: number;
  readonly words: readonly WordOf<DialogWord>[];
}

export type SnapshotAnswer =
  | { readonly kind: 'late'; readonly sequence: number }
  | { readonly kind: 'tooManySources' }
  | {
      readonly kind: 'applied';
      readonly set: number;
      readonly ended: number;
      readonly unknownUsers: readonly string[];
      /** Users whose state has no room for all of it. */
      readonly fullUsers: readonly string[];
    };

/**
 * Brings what a source has said in line with its snapshot: its dialogs stand, all others that it has told of before end.
 * What it cuts short is done by the same snapshot again: each presentity is one conditional write.
 * @throws {DependencyUnavailable} when it must be said again
 */
export async function reconcile(snapshot: Snapshot, ports: IngesterPorts, nowMs: number): Promise<SnapshotAnswer> {
  const { table } = ports;
  const { sequence, domain } = snapshot;
  const latest = await claimSnapshot(table, snapshot, sequence);
  if (latest === undefined) return { kind: 'tooManySources' };
  if (latest > sequence) return { kind: 'late', sequence: latest };
  const byUser = Map.groupBy(snapshot.words, ({ user }) => user);
  const [reported, known] = await Promise.all([
    loadReported(table, snapshot),
    knownUsers(table, domain, new Set(byUser.keys())),
  ]);
  const before = new Map(reported.map((each) => [each.user, each]));
  const named = [...byUser.keys()].filter((user) => known.has(user));
  await enterAll(
    table,
    snapshot,
    named.filter((user) => (before.get(user)?.enteredAtMs ?? 0) <= nowMs - ENTER_AGAIN_MS),
    nowMs,
  );
  // A later snapshot that has begun by now may not know of these entries; one that begins after this does.
  const newest = await snapshotOf(table, snapshot);
  if (newest !== undefined && newest > sequence) return { kind: 'late', sequence: newest };
  const users = [...new Set([...before.keys(), ...named])];
  const states = await statesOf(table, domain, users);
  const total = { set: 0, ended: 0, fullUsers: [] as string[] };
  await inParallel(users, PARALLEL, async (user) => {
    const words = known.has(user) ? furthest((byUser.get(user) ?? []).map(({ word }) => word)) : [];
    const isForgettable = (before.get(user)?.enteredAtMs ?? nowMs) < nowMs - WORD_UNDER_WAY_MS;
    const part = { address: { domain, user }, source: snapshot.source, sequence, words, isForgettable };
    const result = await savePart(part, states.get(user), before.get(user), ports, nowMs);
    total.set += result.set;
    total.ended += result.ended;
    if (result.kind === 'full') total.fullUsers.push(user);
  });
  return { kind: 'applied', ...total, unknownUsers: [...byUser.keys()].filter((user) => !known.has(user)) };
}

async function savePart(
  part: SnapshotPart,
  state: Item | undefined,
  reported: Reported | undefined,
  { table, uniqueText }: IngesterPorts,
  nowMs: number,
): Promise<SnapshotResult> {
  const result = await saveSnapshotPart(table, part, state, uniqueText(), nowMs);
  if (result.kind === 'forgotten' && reported) {
    await removeReported(table, { domain: part.address.domain, source: part.source }, reported);
  }
  return result;
}

async function statesOf(table: Table, domain: string, users: readonly string[]): Promise<ReadonlyMap<string, Item>> {
  const items = await table.getBatch(
    users.map((user) => stateKey(domain, user)),
    { consistent: true },
  );
  return new Map(items.map((item) => [presentityOfKey(item.PK)?.user ?? '', item]));
}

/** One word a dialog: the furthest of those that name the same. */
function furthest(words: readonly DialogWord[]): DialogWord[] {
  const byId = new Map<string, DialogWord>();
  for (const word of words) {
    const other = byId.get(word.dialog.id);
    if (other === undefined || rankOf(other) < rankOf(word)) byId.set(word.dialog.id, word);
  }
  return [...byId.values()];
}
