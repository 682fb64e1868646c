/**
 * Two regions with replicas of one table (DynamoDB global tables, eventual consistency): each write travels as the whole item, the
 * last writer's stands, and each replica has a stream of what has changed in it.
 */
import { isDeepStrictEqual } from 'node:util';
import { marshall } from '@aws-sdk/util-dynamodb';
import type { Key } from '#table/keys.ts';
import type { Item, Table, TransactionWrite } from '#table/table.ts';
import { type MemoryTable, openMemoryTable } from './memory-table.ts';

/** One write on its way to the other replica; without an item it was a deletion. */
interface Arrival {
  readonly key: Key;
  readonly item: Item | undefined;
  readonly writtenAt: number;
}

/** Orders all writes, as DynamoDB's internal timestamps do. */
export class WriteClock {
  #last = 0;
  next(): number {
    this.#last += 1;
    return this.#last;
  }
}

export class Replica implements Table {
  readonly region: string;
  readonly #clock: WriteClock;
  readonly #table: MemoryTable = openMemoryTable();
  readonly #writtenAt = new Map<string, number>();
  readonly #leaving: Arrival[] = [];
  /** As Lambda would hand them over. */
  readonly records: unknown[] = [];

  constructor(region: string, clock: WriteClock) {
    this.region = region;
    this.#clock = clock;
  }

  get: Table['get'] = (...given) => this.#table.get(...given);
  getBatch: Table['getBatch'] = (...given) => this.#table.getBatch(...given);
  query: Table['query'] = (...given) => this.#table.query(...given);
  put: Table['put'] = (item, condition) => this.#written([item], () => this.#table.put(item, condition));
  update: Table['update'] = (key, update) => this.#written([key], () => this.#table.update(key, update));
  delete: Table['delete'] = (key, condition) => this.#written([key], () => this.#table.delete(key, condition));
  writeBatch: Table['writeBatch'] = (batch) =>
    this.#written([...batch.put, ...batch.delete], () => this.#table.writeBatch(batch));
  transact: Table['transact'] = (writes) => this.#written(writes.map(keyOfWrite), () => this.#table.transact(writes));

  /** How many writes have not left yet. */
  get leaving(): number {
    return this.#leaving.length;
  }

  /** The oldest of them arrives at the other replica; that of who wrote later stands in both. */
  async replicateTo(other: Replica, count: number): Promise<void> {
    for (const arrival of this.#leaving.splice(0, count)) await other.#take(arrival);
  }

  async #take({ key, item, writtenAt }: Arrival): Promise<void> {
    if ((this.#writtenAt.get(nameOf(key)) ?? 0) > writtenAt) return;
    const before = await this.#table.get(key);
    await (item === undefined ? this.#table.delete(key) : this.#table.put(item));
    this.#writtenAt.set(nameOf(key), writtenAt);
    this.#record(key, before, item);
  }

  async #written<T>(keys: readonly Key[], write: () => Promise<T>): Promise<T> {
    const before = await Promise.all(keys.map((key) => this.#table.get(key)));
    const result = await write();
    for (const [index, key] of keys.entries()) {
      const item = await this.#table.get(key);
      if (isDeepStrictEqual(before[index], item)) continue;
      const writtenAt = this.#clock.next();
      this.#writtenAt.set(nameOf(key), writtenAt);
      this.#leaving.push({ key: { PK: key.PK, SK: key.SK }, item, writtenAt });
      this.#record(key, before[index], item);
    }
    return result;
  }

  #record({ PK, SK }: Key, before: Item | undefined, after: Item | undefined): void {
    const images = {
      ...(before && { OldImage: marshall(before, { removeUndefinedValues: true }) }),
      ...(after && { NewImage: marshall(after, { removeUndefinedValues: true }) }),
    };
    const eventName = before === undefined ? 'INSERT' : after === undefined ? 'REMOVE' : 'MODIFY';
    const SequenceNumber = String(this.records.length);
    this.records.push({ eventName, dynamodb: { SequenceNumber, Keys: marshall({ PK, SK }), ...images } });
  }
}

const nameOf = ({ PK, SK }: Key): string => JSON.stringify([PK, SK]);
const keyOfWrite = (write: TransactionWrite): Key => (write.kind === 'put' ? write.item : write.key);
