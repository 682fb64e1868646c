/** DynamoDB's expressions, as far as the table's items use them: read once into functions. What is not known is an error. */
import type { Attributes } from '#table/table.ts';

/** What an expression is evaluated against: the item, and the placeholders' values. */
export interface Scope {
  readonly item: Attributes;
  readonly names: Readonly<Record<string, string>>;
  readonly values: Attributes;
}

type Value = (scope: Scope) => unknown;
export type Test = (scope: Scope) => boolean;
type Path = readonly string[];

/** An update as the steps that it takes; all values are read from the item as it was. */
export interface Steps {
  readonly set: readonly { readonly path: Path; readonly value: Value }[];
  readonly remove: readonly Path[];
  readonly add: readonly { readonly path: Path; readonly value: Value }[];
}

const TOKEN = /\s*(<>|<=|>=|[=<>(),+-]|[#:]?\w+(?:\.[#:]?\w+)*)/y;

class Reader {
  readonly #text: string;
  readonly #tokens: string[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < text.trimEnd().length) {
      const match = TOKEN.exec(text);
      if (match === null) throw this.#unknown();
      this.#tokens.push(match[1] ?? '');
    }
  }

  #unknown(): Error {
    return new Error(`ValidationException: cannot read the expression: ${this.#text}`);
  }

  get isOver(): boolean {
    return this.#at === this.#tokens.length;
  }

  takes(token: string): boolean {
    if (this.#tokens[this.#at] !== token) return false;
    this.#at++;
    return true;
  }

  need(token: string): void {
    if (!this.takes(token)) throw this.#unknown();
  }

  next(): string {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw this.#unknown();
    return token;
  }

  list<T>(read: () => T): T[] {
    const all = [read()];
    while (this.takes(',')) all.push(read());
    return all;
  }
}

const conditions = new Map<string, Test>();
const updates = new Map<string, Steps>();

function remembered<T>(known: Map<string, T>, text: string, read: (reader: Reader) => T): T {
  const before = known.get(text);
  if (before !== undefined) return before;
  const reader = new Reader(text);
  const result = read(reader);
  if (!reader.isOver) throw new Error(`ValidationException: more than an expression: ${text}`);
  known.set(text, result);
  return result;
}

export const readCondition = (text: string): Test => remembered(conditions, text, readAny);
export const readUpdate = (text: string): Steps => remembered(updates, text, readSteps);

function readAny(reader: Reader): Test {
  const tests = [readAll(reader)];
  while (reader.takes('OR')) tests.push(readAll(reader));
  return tests.length === 1 && tests[0] ? tests[0] : (scope) => tests.some((test) => test(scope));
}

function readAll(reader: Reader): Test {
  const tests = [readOne(reader)];
  while (reader.takes('AND')) tests.push(readOne(reader));
  return (scope) => tests.every((test) => test(scope));
}

function readOne(reader: Reader): Test {
  if (reader.takes('(')) {
    const test = readAny(reader);
    reader.need(')');
    return test;
  }
  if (reader.takes('attribute_exists')) return readExists(reader, true);
  if (reader.takes('attribute_not_exists')) return readExists(reader, false);
  if (reader.takes('begins_with')) return readBeginsWith(reader);
  const left = readOperand(reader);
  const operator = reader.next();
  const right = readOperand(reader);
  return (scope) => compares(left(scope), operator, right(scope));
}

function readExists(reader: Reader, isWanted: boolean): Test {
  reader.need('(');
  const value = pathValue(reader.next());
  reader.need(')');
  return (scope) => (value(scope) !== undefined) === isWanted;
}

function readBeginsWith(reader: Reader): Test {
  reader.need('(');
  const text = readOperand(reader);
  reader.need(',');
  const prefix = readOperand(reader);
  reader.need(')');
  return (scope) => {
    const [whole, start] = [text(scope), prefix(scope)];
    return typeof whole === 'string' && typeof start === 'string' && whole.startsWith(start);
  };
}

function readOperand(reader: Reader): Value {
  if (!reader.takes('size')) return pathValue(reader.next());
  reader.need('(');
  const value = pathValue(reader.next());
  reader.need(')');
  return (scope) => sizeOf(value(scope));
}

function sizeOf(value: unknown): number | undefined {
  if (typeof value === 'string') return Buffer.byteLength(value);
  return typeof value === 'object' && value !== null ? Object.keys(value).length : undefined;
}

function compares(left: unknown, operator: string, right: unknown): boolean {
  if (operator === '<>') return left !== right;
  if (left === undefined || typeof left !== typeof right) return false;
  const [a, b] = [left as number, right as number];
  switch (operator) {
    case '=':
      return a === b;
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    case '>=':
      return a >= b;
    default:
      throw new Error(`ValidationException: no operator ${operator}`);
  }
}

/** A value's placeholder, or the path of an attribute. */
function pathValue(token: string): Value {
  if (token.startsWith(':')) return ({ values }) => values[token];
  const path = token.split('.');
  return ({ item, names }) =>
    namesIn(path, names).reduce<unknown>((value, name) => (isMap(value) ? value[name] : undefined), item);
}

export const namesIn = (path: Path, names: Scope['names']): string[] =>
  path.map((part) => (part.startsWith('#') ? (names[part] ?? '') : part));

export const isMap = (value: unknown): value is Attributes =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function readSteps(reader: Reader): Steps {
  const set: Steps['set'][number][] = [];
  const remove: Path[] = [];
  const add: Steps['add'][number][] = [];
  while (!reader.isOver) {
    if (reader.takes('SET')) set.push(...reader.list(() => readAssignment(reader)));
    else if (reader.takes('REMOVE')) remove.push(...reader.list(() => reader.next().split('.')));
    else {
      reader.need('ADD');
      add.push(...reader.list(() => ({ path: reader.next().split('.'), value: readOperand(reader) })));
    }
  }
  return { set, remove, add };
}

function readAssignment(reader: Reader): Steps['set'][number] {
  const path = reader.next().split('.');
  reader.need('=');
  const first = readSetOperand(reader);
  const sign = reader.takes('+') ? 1 : reader.takes('-') ? -1 : 0;
  if (sign === 0) return { path, value: first };
  const second = readSetOperand(reader);
  return { path, value: (scope) => numberOf(first(scope)) + sign * numberOf(second(scope)) };
}

function readSetOperand(reader: Reader): Value {
  if (!reader.takes('if_not_exists')) return readOperand(reader);
  reader.need('(');
  const standing = pathValue(reader.next());
  reader.need(',');
  const otherwise = readSetOperand(reader);
  reader.need(')');
  return (scope) => standing(scope) ?? otherwise(scope);
}

export function numberOf(value: unknown): number {
  if (typeof value !== 'number') throw new Error('ValidationException: an operand is no number');
  return value;
}

/** All placeholders are given, and all that are given are used, as DynamoDB wants it. */
export function requirePlaceholders(texts: readonly (string | undefined)[], names: object, values: object): void {
  const used = new Set(texts.flatMap((text) => text?.match(/[#:]\w+/g) ?? []));
  const given = new Set([...Object.keys(names), ...Object.keys(values)]);
  const wrong = [...used, ...given].filter((name) => !used.has(name) || !given.has(name));
  if (wrong.length > 0) throw new Error(`ValidationException: ${wrong.join(', ')}: used and not given, or the reverse`);
}
