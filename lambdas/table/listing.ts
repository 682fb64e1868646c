/** Lists over the index `listed`, from a place on: a page costs what it shows. */
import { LISTED_INDEX } from './keys.ts';
import type { Item, Table } from './table.ts';

/** Which part of a list is wanted. */
export interface ListWish {
  readonly limit: number;
  /** The place of the last that was seen; undefined for the beginning. */
  readonly after?: string | undefined;
  /** Only places that begin so. */
  readonly prefix?: string | undefined;
}

/** What was found, and the place of the last of it; no place when that was all. */
export interface ListedItems {
  readonly items: readonly Item[];
  readonly place?: string | undefined;
}

/** One Query of the index, one consistent BatchGetItem a hundred; items in the order of their places. */
export async function listItems(table: Table, listedAs: string, wish: ListWish): Promise<ListedItems> {
  const { limit } = wish;
  const keys = await keysOf(table, listedAs, wish);
  const shown = keys.slice(0, limit);
  const found = await table.getBatch(
    shown.map(({ PK, SK }) => ({ PK, SK })),
    { consistent: true },
  );
  const byKey = new Map(found.map((item) => [`${item.PK} ${item.SK}`, item]));
  return {
    items: shown.flatMap(({ PK, SK }) => byKey.get(`${PK} ${SK}`) ?? []),
    place: keys.length > limit ? String(shown.at(-1)?.listedBy) : undefined,
  };
}

/** One more than wanted, so that the end is known. */
async function keysOf(table: Table, listedAs: string, { limit, after, prefix = '' }: ListWish): Promise<Item[]> {
  // A place before the prefix, which no page of ours ends with, is taken for the beginning.
  const from = after !== undefined && after > prefix ? after : prefix;
  const keys = await table.query({
    index: LISTED_INDEX,
    keyCondition: `listedAs = :list${from === '' ? '' : ' AND listedBy > :from'}`,
    values: { ':list': listedAs, ...(from !== '' && { ':from': from }) },
    limit: limit + 1,
  });
  return keys.filter(({ listedBy }) => String(listedBy).startsWith(prefix));
}
