/** Header fields of one message: an index of offsets into its text, and values that are cut when they are asked for. */
import type { HeaderEntries } from '#contract/schemas.ts';
import { headerIdAt, headerIdOf, headerNameOf, longLowerName } from './header-name.ts';

export interface HeaderFields {
  /** First value of a field, trimmed and unfolded. `name` is the long form in lower case. */
  get(name: string): string | undefined;
  /** The value of each line in order; comma lists are not split. `name` is the long form in lower case. */
  all(name: string): readonly string[];
}

/** Numbers kept for each field: id of its name, start and end of the name, start and end of the value. */
const WIDTH = 5;
const COLON = 58;
const isBlank = (code: number): boolean => code === 32 || code === 9;
const NOT_TOKEN = /[^-A-Za-z0-9.!%*_+`'~]/;

export class FieldIndex implements HeaderFields {
  readonly #text: string;
  readonly #fields: number[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  /**
   * Takes in the field at `[start, end)`, folded lines included, without its line end.
   * @returns the id of its name, or -1 if this is no header field
   */
  add(start: number, end: number): number {
    const text = this.#text;
    let nameEnd = start;
    while (nameEnd < end && text.charCodeAt(nameEnd) > 32 && text.charCodeAt(nameEnd) !== COLON) nameEnd++;
    let at = nameEnd;
    while (at < end && isBlank(text.charCodeAt(at))) at++;
    if (nameEnd === start || at === end || text.charCodeAt(at) !== COLON) return -1;
    const id = headerIdAt(text, start, nameEnd);
    if (id === 0 && NOT_TOKEN.test(text.slice(start, nameEnd))) return -1;
    let valueEnd = end;
    do at++;
    while (at < end && text.charCodeAt(at) <= 32);
    while (valueEnd > at && text.charCodeAt(valueEnd - 1) <= 32) valueEnd--;
    this.#fields.push(id, start, nameEnd, at, valueEnd);
    return id;
  }

  get(name: string): string | undefined {
    const at = this.#find(name, 0);
    return at < 0 ? undefined : this.#value(at);
  }

  all(name: string): readonly string[] {
    const values: string[] = [];
    for (let at = this.#find(name, 0); at >= 0; at = this.#find(name, at + WIDTH)) values.push(this.#value(at));
    return values;
  }

  /** Names as received, but compact forms in their long form. */
  entries(): [string, string][] {
    const entries: [string, string][] = [];
    const fields = this.#fields;
    for (let at = 0; at < fields.length; at += WIDTH) {
      const name = this.#text.slice(fields[at + 1], fields[at + 2]);
      entries.push([name.length === 1 && fields[at] !== 0 ? headerNameOf(fields[at] ?? 0) : name, this.#value(at)]);
    }
    return entries;
  }

  #find(name: string, from: number): number {
    const fields = this.#fields;
    const id = headerIdOf(name);
    for (let at = from; at < fields.length; at += WIDTH) {
      if (fields[at] === id && (id !== 0 || this.#isNamed(at, name))) return at;
    }
    return -1;
  }

  #isNamed(at: number, name: string): boolean {
    const start = this.#fields[at + 1] ?? 0;
    const end = this.#fields[at + 2] ?? 0;
    return end - start === name.length && this.#text.slice(start, end).toLowerCase() === name;
  }

  #value(at: number): string {
    const value = this.#text.slice(this.#fields[at + 3], this.#fields[at + 4]);
    return value.includes('\n') ? unfold(value) : value;
  }
}

/** A line end with the white space around it is one space (RFC 3261 section 7.3.1). */
function unfold(value: string): string {
  return value
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join(' ');
}

/** Reads header fields that came as `[name, value]` pairs, such as those of an envelope; names in any form. */
export function headerFieldsOf(entries: HeaderEntries): HeaderFields {
  const values = new Map<string, string[]>();
  for (const [name, value] of entries) {
    const key = longLowerName(name);
    const had = values.get(key);
    if (had === undefined) values.set(key, [value]);
    else had.push(value);
  }
  return { get: (name) => values.get(name)?.[0], all: (name) => values.get(name) ?? [] };
}
