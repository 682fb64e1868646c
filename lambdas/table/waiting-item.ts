/**
 * Waiting item: news of one presentity that one webhook has not been told yet. There is one, whatever happens meanwhile: it
 * says what has changed, and what is told is the state as it is then.
 */
import * as v from 'valibot';
import { ContractError } from '#core/error.ts';
import { GIVE_UP_AFTER_MS } from '#core/webhook.ts';
import { CHANGED_VIEWS, type Happening } from '#core/webhook-event.ts';
import { dueShardOf, type Key, waitingKey, waitingOfKey, waitingPartition, waitingPrefix } from './keys.ts';
import { type Item, partitionQuery, type Table } from './table.ts';

export interface WaitingNews extends Happening {
  /** '' for a test. */
  readonly user: string;
  /** Of the newest change in it: what has another one by now is not done. */
  readonly mark: string;
  readonly sinceMs: number;
  /** The presentity is no more. */
  readonly isGone: boolean;
  /** Id of the test message. */
  readonly testId?: string | undefined;
  /** How often its receiver has refused just this. */
  readonly attempts: number;
  /** True for one that waits for its own next try. */
  readonly isPostponed: boolean;
}

/** What is added to the news of a presentity. */
export interface Addition extends Partial<Happening> {
  readonly mark: string;
  readonly atMs: number;
  readonly isGone?: boolean;
  readonly testId?: string;
}

/** TTL is the broom behind what nobody tried to the end. */
const KEEP_SECONDS = GIVE_UP_AFTER_MS / 1_000 + 24 * 3_600;

const yes = v.optional(v.boolean(), false);
const waitingAttributes = v.object({
  ...{ mark: v.string(), atMs: v.number(), sinceMs: v.number(), testId: v.optional(v.string()) },
  ...{ isDecidedAnew: yes, isGone: yes, attempts: v.optional(v.number(), 0), dueAtMs: v.optional(v.number()) },
});

/** One UpdateItem. */
export async function addNews(table: Table, { domain, id, user }: NewsName, added: Addition): Promise<void> {
  const { mark, atMs, changed = [], isDecidedAnew, isGone, testId } = added;
  const flags = [...changed, ...(isDecidedAnew ? ['isDecidedAnew'] : []), ...(isGone ? ['isGone'] : [])];
  const always = ['#mark = :mark', 'atMs = :at', 'sinceMs = if_not_exists(sinceMs, :at)', '#ttl = :ttl'];
  const set = [...always, ...(testId ? ['testId = :test'] : []), ...flags.map((_, index) => `#f${index} = :yes`)];
  await table.update(waitingKey(domain, id, user), {
    update: `SET ${set.join(', ')} REMOVE attempts, dueAtMs, dueShard`,
    names: { ...Object.fromEntries(flags.map((flag, index) => [`#f${index}`, flag])), '#mark': 'mark', '#ttl': 'ttl' },
    values: {
      ...{ ':mark': mark, ':at': atMs, ':ttl': Math.floor(atMs / 1_000) + KEEP_SECONDS },
      ...(testId && { ':test': testId }),
      ...(flags.length > 0 && { ':yes': true }),
    },
  });
}

export interface NewsName {
  readonly domain: string;
  /** Of the webhook. */
  readonly id: string;
  readonly user: string;
}

/** One Query: some of the news of a webhook, by user. @returns with where the next page begins; undefined at the end */
export async function newsPage(
  table: Table,
  { domain, id }: Omit<NewsName, 'user'>,
  after: string | undefined,
  limit: number,
): Promise<{ readonly news: readonly WaitingNews[]; readonly next: string | undefined }> {
  const prefix = waitingPrefix(id);
  const items = await table.query({
    keyCondition: `PK = :waiting AND SK ${after === undefined ? '>=' : '>'} :from`,
    values: { ':waiting': waitingPartition(domain), ':from': after ?? prefix },
    ...{ consistent: true, limit },
  });
  // What follows in the partition is another webhook's.
  const own = items.slice(0, limit).filter(({ SK }) => SK.startsWith(prefix));
  return { news: own.map(decodeNews), next: own.length < limit ? undefined : own.at(-1)?.SK };
}

/** @throws {ContractError} when the item is none */
function decodeNews(item: Item): WaitingNews {
  const result = v.safeParse(waitingAttributes, item);
  const name = waitingOfKey(item);
  if (!result.success || name === undefined) throw new ContractError(`Item ${item.PK} ${item.SK} is no news`);
  const { dueAtMs, ...rest } = result.output;
  const changed = CHANGED_VIEWS.filter((view) => item[view] === true);
  return { ...rest, changed, user: name.user, isPostponed: dueAtMs !== undefined };
}

/** One Query of keys. @param enough counting ends there */
export async function countNews(table: Table, domain: string, id: string, enough: number): Promise<number> {
  const options = { projection: 'SK', limit: enough };
  return (await table.query(partitionQuery(waitingPartition(domain), waitingPrefix(id), options))).length;
}

const asSeen = (mark: string) => ({
  condition: '#mark = :mark',
  names: { '#mark': 'mark' },
  values: { ':mark': mark },
});

/** One DeleteItem. Refused, which is fine, when there are newer news. */
export async function removeNews(table: Table, { domain, id, user }: NewsName, mark: string): Promise<void> {
  await table.delete(waitingKey(domain, id, user), asSeen(mark));
}

/** One UpdateItem: it is tried by itself later. Refused, which is fine, when there are newer news. */
export async function postponeNews(
  table: Table,
  { domain, id, user }: NewsName,
  { mark, attempts }: Pick<WaitingNews, 'mark' | 'attempts'>,
  untilMs: number,
): Promise<void> {
  const key = waitingKey(domain, id, user);
  const { condition, names, values } = asSeen(mark);
  await table.update(key, {
    update: 'SET attempts = :attempts, dueAtMs = :until, dueShard = :shard',
    ...{ condition, names },
    values: { ...values, ':attempts': attempts + 1, ':until': untilMs, ':shard': dueShardOf(key.PK + key.SK) },
  });
}

/** One UpdateItem: what was postponed is news again. @returns false when it is gone */
export async function resumeNews(table: Table, key: Key): Promise<boolean> {
  const result = await table.update(key, {
    update: 'REMOVE dueAtMs, dueShard',
    condition: 'attribute_exists(PK)',
  });
  return result.kind === 'done';
}

/** One DeleteItem, whatever it says. */
export async function dropNews(table: Table, key: Key): Promise<void> {
  await table.delete(key);
}

/** All of a webhook that is gone: one Query a page, one BatchWriteItem 25 items. */
export async function removeAllNews(table: Table, domain: string, id: string): Promise<void> {
  const keys = await table.query(
    partitionQuery(waitingPartition(domain), waitingPrefix(id), { projection: 'PK, SK', consistent: true }),
  );
  await table.writeBatch({ put: [], delete: keys.map(({ PK, SK }) => ({ PK, SK })) });
}
