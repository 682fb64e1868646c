/**
 * Source item: how far the snapshots of a source have come. Beside it stands one item for each presentity that the
 * source may have a word about, so that a snapshot finds what it ends.
 */
import * as v from 'valibot';
import { ContractError } from '#core/error.ts';
import { INGEST_LIMITS } from '#core/ingest.ts';
import { LISTED_INDEX, listedSources, REPORTED_PREFIX, reportedKey, sourceKey, sourcePartition } from './keys.ts';
import { type Item, partitionQuery, type Table } from './table.ts';

/** Names a source of a tenant. */
export interface SourceName {
  readonly domain: string;
  readonly source: string;
}

/** A presentity that a source may have a word about, and when it was last entered. */
export interface Reported {
  readonly user: string;
  readonly enteredAtMs: number;
}

/** Number of the latest snapshot when there was none. */
export const NO_SNAPSHOT = -1;

const sourceAttributes = v.object({ snapshot: v.optional(v.number(), NO_SNAPSHOT) });

/**
 * Enters a presentity, then reads how far the snapshots are: a later snapshot finds the entry, an earlier one is known.
 * One PutItem and one GetItem; the first word of a source costs one Query and one PutItem more.
 * @returns number of the latest snapshot; undefined when the tenant has too many sources
 */
export async function enterReported(
  table: Table,
  name: SourceName,
  user: string,
  nowMs: number,
): Promise<number | undefined> {
  await table.put({ ...reportedKey(name.domain, name.source, user), enteredAtMs: nowMs });
  return (await snapshotOf(table, name)) ?? ((await createSource(table, name)) ? snapshotOf(table, name) : undefined);
}

/** One consistent GetItem. @returns number of the latest snapshot; undefined for a source that nobody has heard of */
export async function snapshotOf(table: Table, { domain, source }: SourceName): Promise<number | undefined> {
  const item = await table.get(sourceKey(domain, source), { consistent: true });
  return item && decode(item).snapshot;
}

/** @returns false when there are too many */
async function createSource(table: Table, { domain, source }: SourceName): Promise<boolean> {
  const listedAs = listedSources(domain);
  const others = await table.query({
    index: LISTED_INDEX,
    keyCondition: 'listedAs = :sources',
    values: { ':sources': listedAs },
    limit: INGEST_LIMITS.sourcesPerTenant,
  });
  if (others.length >= INGEST_LIMITS.sourcesPerTenant) return false;
  const item = { ...sourceKey(domain, source), listedAs, listedBy: source };
  await table.put(item, { condition: 'attribute_not_exists(PK)' });
  return true;
}

/**
 * A snapshot begins: from now on what is older is late.
 * @returns number of the latest snapshot, this one or a later one; undefined when the tenant has too many sources
 */
export async function claimSnapshot(table: Table, name: SourceName, sequence: number): Promise<number | undefined> {
  const isKnown = (await snapshotOf(table, name)) !== undefined || (await createSource(table, name));
  if (!isKnown) return undefined;
  const result = await table.update(sourceKey(name.domain, name.source), {
    update: 'SET #snapshot = :snapshot, listedAs = :as, listedBy = :by',
    condition: '(attribute_not_exists(#snapshot) OR #snapshot <= :snapshot)',
    names: { '#snapshot': 'snapshot' },
    values: { ':snapshot': sequence, ':as': listedSources(name.domain), ':by': name.source },
  });
  return result.kind === 'refused' && result.item ? decode(result.item).snapshot : sequence;
}

/** One consistent Query: the presentities that the source may have a word about. */
export async function loadReported(table: Table, { domain, source }: SourceName): Promise<Reported[]> {
  const query = partitionQuery(sourcePartition(domain, source), REPORTED_PREFIX, { consistent: true });
  return (await table.query(query)).map((item) => ({
    user: item.SK.slice(REPORTED_PREFIX.length),
    enteredAtMs: Number(item.enteredAtMs),
  }));
}

/** One BatchWriteItem for 25. */
export async function enterAll(
  table: Table,
  { domain, source }: SourceName,
  users: readonly string[],
  nowMs: number,
): Promise<void> {
  const put = users.map((user) => ({ ...reportedKey(domain, source, user), enteredAtMs: nowMs }));
  await table.writeBatch({ put, delete: [] });
}

/** One DeleteItem, unless the presentity has been entered again. */
export async function removeReported(
  table: Table,
  { domain, source }: SourceName,
  { user, enteredAtMs }: Reported,
): Promise<void> {
  await table.delete(reportedKey(domain, source, user), {
    condition: 'enteredAtMs = :seen',
    values: { ':seen': enteredAtMs },
  });
}

function decode(item: Item): v.InferOutput<typeof sourceAttributes> {
  const result = v.safeParse(sourceAttributes, item);
  if (!result.success) throw new ContractError(`Item ${item.PK}: ${v.summarize(result.issues)}`);
  return result.output;
}
