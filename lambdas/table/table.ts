/** The table as roles see it: a port, so that they can be tested without DynamoDB. */
import type { Key } from './keys.ts';

/** Attributes of an item as plain values; item files decode them. */
export type Attributes = Readonly<Record<string, unknown>>;
export type Item = Key & Attributes;

/** DynamoDB expression with its placeholders; `undefined` values inside `values` are left out of maps. */
export interface Condition {
  /** ConditionExpression, such as `attribute_not_exists(PK) OR cseq < :cseq`. */
  readonly condition?: string;
  readonly names?: Readonly<Record<string, string>>;
  readonly values?: Attributes;
}

export interface Update extends Condition {
  /** UpdateExpression, such as `SET etag = :etag ADD version :one`. */
  readonly update: string;
  /** Attributes returned in `written`: none (default), the whole new item, or the whole item that stood there. */
  readonly returning?: 'NONE' | 'ALL_NEW' | 'ALL_OLD';
}

export interface Deletion extends Condition {
  /** Attributes returned when it is done: none (default) or the whole item that stood there. */
  readonly returning?: 'NONE' | 'ALL_OLD';
}

/**
 * `done`: written; `item` only when `returning` asks for it.
 * `refused`: the condition did not hold; `item` is what stands in the table, undefined if nothing does.
 * A write that was repeated after a lost answer is refused by its own first attempt: compare a value that
 * only this write carries (a new entity-tag, say) with `item` before taking it for someone else's.
 */
export type WriteResult =
  | { readonly kind: 'done'; readonly item?: Item }
  | { readonly kind: 'refused'; readonly item?: Item };

export interface TableQuery extends Pick<Condition, 'names' | 'values'> {
  /** KeyConditionExpression; for a partition with a prefix use {@link partitionQuery}. */
  readonly keyCondition: string;
  readonly index?: string;
  /** Strongly consistent; not possible on an index. */
  readonly consistent?: boolean;
  readonly filter?: string;
  readonly projection?: string;
  /** From the last sort key to the first. */
  readonly descending?: boolean;
  /** Stops after this many items; all pages otherwise. */
  readonly limit?: number;
}

export interface WriteBatch {
  readonly put: readonly Item[];
  readonly delete: readonly Key[];
}

/** One write of a transaction. */
export type TransactionWrite =
  | ({ readonly kind: 'put'; readonly item: Item } & Condition)
  | ({ readonly kind: 'update'; readonly key: Key } & Omit<Update, 'returning'>)
  | ({ readonly kind: 'delete'; readonly key: Key } & Condition);

/** `refused`: nothing was written; which conditions did not hold, by their place, and what stood there. */
export type TransactionResult =
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly refusals: readonly { readonly index: number; readonly item?: Item }[] };

/**
 * All methods throw {@link DependencyUnavailable} when DynamoDB throttles, fails, cannot be reached or does not
 * answer in time, and let any other error (a malformed expression: a defect) through.
 */
export interface Table {
  /** One GetItem. @param options.consistent default false */
  get(key: Key, options?: { readonly consistent?: boolean }): Promise<Item | undefined>;
  /** One BatchGetItem a hundred keys, none of them twice; what is not there is left out, the order is any. */
  getBatch(keys: readonly Key[], options?: { readonly consistent?: boolean }): Promise<Item[]>;
  /** One Query a page of 1 MB; items in sort-key order. */
  query(query: TableQuery): Promise<Item[]>;
  /** One PutItem. */
  put(item: Item, condition?: Condition): Promise<WriteResult>;
  /** One UpdateItem; creates the item when its condition allows. */
  update(key: Key, update: Update): Promise<WriteResult>;
  /** One DeleteItem; done also when nothing stood there, unless the condition says otherwise. */
  delete(key: Key, condition?: Deletion): Promise<WriteResult>;
  /**
   * One TransactWriteItems of a hundred items at most, none of them twice: all are written or none. When another
   * transaction is at the same item it waits a moment and tries again.
   */
  transact(writes: readonly TransactionWrite[]): Promise<TransactionResult>;
  /** One BatchWriteItem 25 items, none of them twice. Unconditional, and not one transaction. */
  writeBatch(batch: WriteBatch): Promise<void>;
}

/** Query of one partition, optionally only the sort keys with a prefix. */
export function partitionQuery(
  partition: string,
  sortPrefix?: string,
  options: Pick<TableQuery, 'consistent' | 'filter' | 'projection' | 'limit' | 'names'> = {},
): TableQuery {
  if (sortPrefix === undefined) return { ...options, keyCondition: 'PK = :pk', values: { ':pk': partition } };
  return {
    ...options,
    keyCondition: 'PK = :pk AND begins_with(SK, :prefix)',
    values: { ':pk': partition, ':prefix': sortPrefix },
  };
}
