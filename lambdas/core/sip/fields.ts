/** Access to the header fields of one message. */
import type { HeaderEntries } from '#contract/schemas.ts';
import { bitOf, FIELD_WIDTH, type Head } from './head.ts';
import { headerIdOf, headerNameOf, longLowerName } from './header-name.ts';

export interface HeaderFields {
  /** First value of a field, trimmed and unfolded. `name` is the long form in lower case. */
  get(name: string): string | undefined;
  /** The value of each line in order; comma lists are not split. `name` is the long form in lower case. */
  all(name: string): readonly string[];
}

/** The fields of a parsed message: offsets of `readHead`, values cut when they are asked for. */
export class FieldIndex implements HeaderFields {
  readonly #text: string;
  readonly #fields: readonly number[];
  readonly #repeated: number;

  constructor(text: string, head: Head) {
    this.#text = text;
    this.#fields = head.fields;
    this.#repeated = head.repeated;
  }

  get(name: string): string | undefined {
    const at = this.#find(name, 0);
    return at < 0 ? undefined : this.#value(at);
  }

  all(name: string): readonly string[] {
    const values: string[] = [];
    for (let at = this.#find(name, 0); at >= 0; at = this.#find(name, at + FIELD_WIDTH)) values.push(this.#value(at));
    return values;
  }

  /** @returns whether the field stands on more than one line */
  isRepeated(name: string): boolean {
    const bit = bitOf(headerIdOf(name));
    return bit === 0 ? this.all(name).length > 1 : (this.#repeated & bit) !== 0;
  }

  /** Names as received, but compact forms in their long form. */
  entries(): [string, string][] {
    const entries: [string, string][] = [];
    const fields = this.#fields;
    for (let at = 0; at < fields.length; at += FIELD_WIDTH) {
      const name = this.#text.slice(fields[at + 1], fields[at + 2]);
      entries.push([name.length === 1 && fields[at] !== 0 ? headerNameOf(fields[at] ?? 0) : name, this.#value(at)]);
    }
    return entries;
  }

  #find(name: string, from: number): number {
    const fields = this.#fields;
    const id = headerIdOf(name);
    for (let at = from; at < fields.length; at += FIELD_WIDTH) {
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
