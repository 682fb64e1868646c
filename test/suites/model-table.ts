/** The table with a stream that the test holds in its hands: every write that the product's filter lets through is a record. */
import { isDeepStrictEqual } from 'node:util';
import { marshall } from '@aws-sdk/util-dynamodb';
import { matchesFilter } from '#cdk/local/streams/filter-criteria.ts';
import { STREAM_MAPPING } from '#cdk/system.ts';
import { DependencyUnavailable } from '#core/error.ts';
import { type Key, STATE_SORT_KEY, WATCHER_PREFIX } from '#table/keys.ts';
import type { Item, Table, Update, WriteResult } from '#table/table.ts';
import type { Traffic } from './model-traffic.ts';

export class StreamedTable implements Table {
  readonly #table: Table;
  readonly #traffic: Traffic;
  readonly #onRecord: () => void;
  /** Records of the one shard, in the order of the writes. */
  readonly records: unknown[] = [];
  /** The table did not answer in time: what this case shows proves nothing. */
  hasFailed = false;
  /** Requests without an answer. */
  underWay = 0;
  readonly #images = new Map<string, object>();
  readonly #writing = new Map<string, Promise<unknown>>();

  constructor(table: Table, traffic: Traffic, onRecord: () => void) {
    this.#table = table;
    this.#onRecord = onRecord;
    this.#traffic = traffic;
  }

  get: Table['get'] = (...given) => this.#sent(() => this.#table.get(...given));
  getBatch: Table['getBatch'] = (...given) => this.#sent(() => this.#table.getBatch(...given));
  transact: Table['transact'] = (...given) => this.#sent(() => this.#table.transact(...given));
  writeBatch: Table['writeBatch'] = (...given) => this.#sent(() => this.#table.writeBatch(...given));
  query: Table['query'] = (...given) => this.#sent(() => this.#table.query(...given));
  put: Table['put'] = (...given) => this.#sent(() => this.#table.put(...given));
  delete: Table['delete'] = (...given) => this.#sent(() => this.#table.delete(...given));
  update: Table['update'] = (key, update) =>
    this.#sent(() => {
      const isRecorded = key.SK === STATE_SORT_KEY || key.SK.startsWith(WATCHER_PREFIX);
      return isRecorded
        ? this.#inTurn(`${key.PK} ${key.SK}`, () => this.#recorded(key, update))
        : this.#table.update(key, update);
    });

  /** The request and its answer take their time. */
  async #sent<T>(work: () => Promise<T>): Promise<T> {
    this.underWay++;
    try {
      await this.#traffic.travel();
      const answer = await this.#watched(work);
      await this.#traffic.travel();
      return answer;
    } finally {
      this.underWay--;
    }
  }

  async #watched<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof DependencyUnavailable) this.hasFailed = true;
      throw error;
    }
  }

  /** Writes of one item one after the other, so that their images come in the order of the writes. */
  #inTurn<T>(item: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#writing.get(item) ?? Promise.resolve()).then(work);
    this.#writing.set(
      item,
      turn.catch(() => undefined),
    );
    return turn;
  }

  async #recorded(key: Key, update: Update): Promise<WriteResult> {
    const result = await this.#table.update(key, { ...update, returning: 'ALL_NEW' });
    if (result.kind === 'refused' || result.item === undefined) return result;
    this.#record(result.item);
    return update.returning === 'ALL_NEW' ? result : { kind: 'done' };
  }

  #record(after: Item): void {
    const name = `${after.PK} ${after.SK}`;
    const before = this.#images.get(name);
    const image = marshall(after, { removeUndefinedValues: true });
    this.#images.set(name, image);
    // A watcher's item is made by a PutItem: what updates it finds it there.
    const isNew = before === undefined && after.SK === STATE_SORT_KEY;
    const record = {
      eventName: isNew ? 'INSERT' : 'MODIFY',
      dynamodb: {
        SequenceNumber: String(this.records.length),
        Keys: { PK: { S: after.PK }, SK: { S: after.SK } },
        ...(before && { OldImage: before }),
        NewImage: image,
      },
    };
    if (!matchesFilter(STREAM_MAPPING.filterPattern, record)) return;
    this.records.push(record);
    this.#onRecord();
  }
}

/** Carries out everything on both tables, one after the other. @throws when they do not answer the same */
export function twinTable(real: Table, memory: Table): Table {
  let last: Promise<unknown> = Promise.resolve();
  async function both<T>(name: string, given: readonly unknown[], work: (table: Table) => Promise<T>): Promise<T> {
    const [answer, copy] = [await work(real), await work(memory)];
    if (!isDeepStrictEqual(answer, copy))
      throw new Error(`${name} ${JSON.stringify(given)}: ${JSON.stringify(answer)}, in memory ${JSON.stringify(copy)}`);
    return answer;
  }
  const compared =
    <Name extends 'get' | 'getBatch' | 'put' | 'update' | 'delete' | 'transact' | 'writeBatch'>(name: Name) =>
    (...given: Parameters<Table[Name]>): ReturnType<Table[Name]> => {
      const call = (table: Table): Promise<unknown> =>
        (table[name] as (...all: unknown[]) => Promise<unknown>)(...given);
      const turn = last.then(() => both(name, given, call));
      last = turn.catch(() => undefined);
      return turn as ReturnType<Table[Name]>;
    };
  return {
    ...{ get: compared('get'), getBatch: compared('getBatch'), put: compared('put'), update: compared('update') },
    ...{ delete: compared('delete'), transact: compared('transact'), writeBatch: compared('writeBatch') },
    query(query) {
      // An index of the shared table shows other cases, too.
      if (query.index !== undefined) return memory.query(query);
      const turn = last.then(() => both('query', [query], (table) => table.query(query)));
      last = turn.catch(() => undefined);
      return turn;
    },
  };
}
