/** A table with its stream: every write that the product's filter lets through is a record. */
import { marshall } from '@aws-sdk/util-dynamodb';
import { matchesFilter } from '#cdk/local/streams/filter-criteria.ts';
import { STREAM_MAPPING } from '#cdk/system.ts';
import type { Key } from '#table/keys.ts';
import type { Item, Table } from '#table/table.ts';
import { openMemoryTable } from './memory-table.ts';

export interface RecordedTable extends Table {
  /** In the order of the writes. */
  readonly records: unknown[];
  /** Requests by method. */
  readonly counts: Record<keyof Table, number>;
}

/** @param table what is written to; one in memory without it */
export function openRecordedTable(table: Table = openMemoryTable()): RecordedTable {
  const records: unknown[] = [];
  const counts = { get: 0, getBatch: 0, query: 0, put: 0, update: 0, delete: 0, transact: 0, writeBatch: 0 };
  let last: Promise<unknown> = Promise.resolve();

  /** One write after the other, so that images come in the order of the writes. */
  function recorded<T>(keys: readonly Key[], write: () => Promise<T>): Promise<T> {
    const turn = last.then(async () => {
      const before = await Promise.all(keys.map((key) => table.get(key)));
      const result = await write();
      for (const [index, key] of keys.entries()) keep(key, before[index], await table.get(key));
      return result;
    });
    last = turn.catch(() => undefined);
    return turn;
  }

  function keep({ PK, SK }: Key, before: Item | undefined, after: Item | undefined): void {
    if (before === after) return;
    const eventName = before === undefined ? 'INSERT' : after === undefined ? 'REMOVE' : 'MODIFY';
    const imageOf = (item: Item) => marshall(item, { removeUndefinedValues: true });
    const record = {
      eventName,
      dynamodb: {
        SequenceNumber: String(records.length),
        Keys: { PK: { S: PK }, SK: { S: SK } },
        ...(before && { OldImage: imageOf(before) }),
        ...(after && { NewImage: imageOf(after) }),
      },
    };
    if (matchesFilter(STREAM_MAPPING.filterPattern, record)) records.push(record);
  }

  const counted = <Given extends unknown[], T>(name: keyof Table, work: (...given: Given) => Promise<T>) => {
    return (...given: Given): Promise<T> => {
      counts[name] += 1;
      return work(...given);
    };
  };
  return {
    records,
    counts,
    get: counted('get', table.get),
    getBatch: counted('getBatch', table.getBatch),
    query: counted('query', table.query),
    put: counted('put', (item, condition) => recorded([item], () => table.put(item, condition))),
    update: counted('update', (key, update) => recorded([key], () => table.update(key, update))),
    delete: counted('delete', (key, condition) => recorded([key], () => table.delete(key, condition))),
    transact: counted('transact', (writes) =>
      recorded(
        writes.map((write) => (write.kind === 'put' ? write.item : write.key)),
        () => table.transact(writes),
      ),
    ),
    writeBatch: counted('writeBatch', (batch) =>
      recorded([...batch.put, ...batch.delete], () => table.writeBatch(batch)),
    ),
  };
}
