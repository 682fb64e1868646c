/** The table with a stream that the test holds in its hands: every write of a presentity's state is a record. */
import { marshall } from '@aws-sdk/util-dynamodb';
import { DependencyUnavailable } from '#core/error.ts';
import { STATE_SORT_KEY } from '#table/keys.ts';
import type { Item, Table, Update, WriteResult } from '#table/table.ts';

export class StreamedTable implements Table {
  readonly #table: Table;
  /** Records of the one shard, in the order of the writes. */
  readonly records: unknown[] = [];
  /** The table did not answer in time: what this case shows proves nothing. */
  hasFailed = false;
  readonly #images = new Map<string, Item>();
  readonly #writing = new Map<string, Promise<unknown>>();

  constructor(table: Table) {
    this.#table = table;
  }

  get: Table['get'] = (...given) => this.#watched(() => this.#table.get(...given));
  getBatch: Table['getBatch'] = (...given) => this.#watched(() => this.#table.getBatch(...given));
  transact: Table['transact'] = (...given) => this.#watched(() => this.#table.transact(...given));
  writeBatch: Table['writeBatch'] = (...given) => this.#watched(() => this.#table.writeBatch(...given));
  query: Table['query'] = (...given) => this.#watched(() => this.#table.query(...given));
  put: Table['put'] = (...given) => this.#watched(() => this.#table.put(...given));
  delete: Table['delete'] = (...given) => this.#watched(() => this.#table.delete(...given));
  update: Table['update'] = (key, update) =>
    key.SK === STATE_SORT_KEY
      ? this.#inTurn(key.PK, () => this.#recorded(key.PK, update))
      : this.#watched(() => this.#table.update(key, update));

  async #watched<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof DependencyUnavailable) this.hasFailed = true;
      throw error;
    }
  }

  /** Writes of one item one after the other, so that their images come in the order of the writes. */
  #inTurn<T>(partition: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#writing.get(partition) ?? Promise.resolve()).then(work);
    this.#writing.set(
      partition,
      turn.catch(() => undefined),
    );
    return turn;
  }

  async #recorded(partition: string, update: Update): Promise<WriteResult> {
    const key = { PK: partition, SK: STATE_SORT_KEY };
    const result = await this.#watched(() => this.#table.update(key, { ...update, returning: 'ALL_NEW' }));
    if (result.kind === 'refused' || result.item === undefined) return result;
    const before = this.#images.get(partition);
    this.#images.set(partition, result.item);
    this.records.push(this.#record(before, result.item));
    return update.returning === 'ALL_NEW' ? result : { kind: 'done' };
  }

  #record(before: Item | undefined, after: Item) {
    return {
      eventName: before ? 'MODIFY' : 'INSERT',
      dynamodb: {
        SequenceNumber: String(this.records.length),
        Keys: { PK: { S: after.PK }, SK: { S: after.SK } },
        ...(before && { OldImage: marshall(before) }),
        NewImage: marshall(after),
      },
    };
  }
}
