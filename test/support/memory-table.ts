/** The table port in memory, for tests that make thousands of cases: no network, and a table of its own for each. */
import { TABLE } from '#cdk/system.ts';
import type { Key } from '#table/keys.ts';
import type { Attributes, Condition, Deletion, Item, Table, TableQuery, Update, WriteBatch } from '#table/table.ts';
import { isMap, namesIn, numberOf, readCondition, readUpdate, requirePlaceholders, type Scope } from './expression.ts';

export interface MemoryTable extends Table {
  /** Everything in it. */
  items(): Item[];
}

/** Opens an empty table. Expressions are carried out as DynamoDB does; a test holds both against each other. */
export function openMemoryTable(): MemoryTable {
  const partitions = new Map<string, Map<string, Item>>();
  const find = ({ PK, SK }: Key): Item | undefined => partitions.get(PK)?.get(SK);
  const store = (item: Item): void => {
    const partition = partitions.get(item.PK) ?? new Map<string, Item>();
    partitions.set(item.PK, partition.set(item.SK, item));
  };
  const remove = ({ PK, SK }: Key): boolean => partitions.get(PK)?.delete(SK) ?? false;

  return {
    items: () => [...partitions.values()].flatMap((partition) => [...partition.values()]),
    get: async (key) => find(key),
    getBatch: async (keys) => keys.flatMap((key) => find(key) ?? []),
    query: async (query) => select(candidates(partitions, query), query),

    async put(item, condition) {
      const standing = find(item);
      if (!holds(condition, standing)) return refused(standing);
      store(plain(item));
      return { kind: 'done' };
    },

    async update(key, update) {
      const standing = find(key);
      if (!holds(update, standing, update.update)) return refused(standing);
      const after = updated(standing ?? { PK: key.PK, SK: key.SK }, update);
      store(after);
      const returned = update.returning === 'ALL_NEW' ? after : update.returning === 'ALL_OLD' ? standing : undefined;
      return { kind: 'done', ...(returned && { item: returned }) };
    },

    async delete(key, condition?: Deletion) {
      const standing = find(key);
      if (!holds(condition, standing)) return refused(standing);
      remove(key);
      return { kind: 'done', ...(condition?.returning === 'ALL_OLD' && standing && { item: standing }) };
    },

    async transact(writes) {
      const refusals = writes.flatMap((write, index) => {
        const standing = find(write.kind === 'put' ? write.item : write.key);
        const isHeld = holds(write, standing, write.kind === 'update' ? write.update : undefined);
        return isHeld ? [] : [{ index, ...(standing && { item: standing }) }];
      });
      if (refusals.length > 0) return { kind: 'refused', refusals };
      for (const write of writes) {
        if (write.kind === 'put') store(plain(write.item));
        else if (write.kind === 'delete') remove(write.key);
        else store(updated(find(write.key) ?? { ...write.key }, write));
      }
      return { kind: 'done' };
    },

    async writeBatch(batch: WriteBatch) {
      for (const item of batch.put) store(plain(item));
      for (const key of batch.delete) remove(key);
    },
  };
}

const refused = (item: Item | undefined) => ({ kind: 'refused' as const, ...(item && { item }) });

function holds(given: Condition | undefined, item: Item | undefined, update?: string): boolean {
  if (given === undefined) return true;
  const { condition, names = {}, values = {} } = given;
  for (const map of [given.names, given.values]) {
    if (map !== undefined && Object.keys(map).length === 0) throw new Error('ValidationException: empty placeholders');
  }
  const isGiven = condition !== undefined || update !== undefined;
  if (isGiven) requirePlaceholders([condition, update], names, plain(values));
  return condition === undefined || readCondition(condition)({ item: item ?? {}, names, values });
}

function updated(item: Item, { update, names = {}, values = {} }: Update): Item {
  const { set, remove, add } = readUpdate(update);
  const scope: Scope = { item, names, values: plain(values) };
  const changes: [string[], unknown][] = [
    ...set.map(({ path, value }): [string[], unknown] => [namesIn(path, names), givenOf(value(scope))]),
    ...remove.map((path): [string[], unknown] => [namesIn(path, names), undefined]),
    ...add.map(({ path, value }): [string[], unknown] => {
      const place = namesIn(path, names);
      return [place, numberOf(item[place[0] ?? ''] ?? 0) + numberOf(value(scope))];
    }),
  ];
  return changes.reduce((changed, [path, value]) => changedAt(changed, path, value), item);
}

function givenOf(value: unknown): unknown {
  if (value === undefined) throw new Error('ValidationException: an attribute is not there');
  return value;
}

/** A copy with another value at the path; `undefined` takes it away. */
function changedAt<T extends Attributes>(map: T, [name = '', ...inner]: readonly string[], value: unknown): T {
  if (inner.length === 0) {
    if (value !== undefined) return { ...map, [name]: value };
    const { [name]: _gone, ...others } = map;
    return others as T;
  }
  const within = map[name];
  if (!isMap(within)) throw new Error('ValidationException: the document path is invalid for update');
  return { ...map, [name]: changedAt(within, inner, value) };
}

function candidates(partitions: ReadonlyMap<string, ReadonlyMap<string, Item>>, query: TableQuery): Item[] {
  if (query.index === undefined) {
    const partition = query.values?.[/^PK = (:\w+)/.exec(query.keyCondition)?.[1] ?? ''];
    return [...(partitions.get(String(partition))?.values() ?? [])].sort(byText(({ SK }) => SK));
  }
  const index = Object.values(TABLE.indexes).find(({ name }) => name === query.index);
  if (index === undefined) throw new Error(`ValidationException: no index ${query.index}`);
  const { partitionKey: partition, sortKey: sort } = index;
  return [...partitions.values()]
    .flatMap((items) => [...items.values()])
    .filter((item) => item[partition] !== undefined && item[sort] !== undefined)
    .sort((a, b) => (numberOrText(a[sort]) < numberOrText(b[sort]) ? -1 : 1))
    .map((item) => ({ PK: item.PK, SK: item.SK, [partition]: item[partition], [sort]: item[sort] }));
}

const byText = (textOf: (item: Item) => string) => (a: Item, b: Item) =>
  Buffer.compare(Buffer.from(textOf(a)), Buffer.from(textOf(b)));
const numberOrText = (value: unknown): string | number => (typeof value === 'number' ? value : String(value));

function select(items: readonly Item[], query: TableQuery): Item[] {
  const { keyCondition, filter, projection, names = {}, values = {}, limit } = query;
  requirePlaceholders([keyCondition, filter, projection], names, values);
  const [isMeant, isKept] = [readCondition(keyCondition), filter === undefined ? () => true : readCondition(filter)];
  const meant = items.filter((item) => isMeant({ item, names, values }));
  const found = (query.descending === true ? meant.toReversed() : meant).slice(0, limit);
  const attributes = projection?.split(',').map((name) => namesIn([name.trim()], names)[0] ?? '');
  const kept = found.filter((item) => isKept({ item, names, values }));
  if (attributes === undefined) return kept;
  return kept.map(
    (item) => Object.fromEntries(Object.entries(item).filter(([name]) => attributes.includes(name))) as Item,
  );
}

/** A copy without what is undefined, so that no one changes what is stored. */
function plain<T>(value: T): T {
  if (Array.isArray(value)) return value.filter((inner) => inner !== undefined).map(plain) as T;
  if (!isMap(value)) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(entries.map(([name, inner]) => [name, plain(inner)])) as T;
}
