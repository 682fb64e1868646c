/** Where commands write: one JSON document, JSON lines, or words and tables for a person. */
import { type Column, factLines, tableLines } from './format.ts';

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, cyan: 36, inverse: 7 } as const;
export type Colour = keyof typeof CODES;

export interface Streams {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

export class Output {
  readonly isJson: boolean;
  readonly #streams: Streams;
  readonly #hasColour: boolean;

  constructor(streams: Streams, { json, env }: { json: boolean; env: NodeJS.ProcessEnv }) {
    this.#streams = streams;
    this.isJson = json;
    this.#hasColour = !json && wantsColour(env, streams.stdout.isTTY);
  }

  get isTerminal(): boolean {
    return this.#streams.stdout.isTTY && !this.isJson;
  }

  get columns(): number {
    return this.#streams.stdout.columns || 80;
  }

  get rows(): number {
    return this.#streams.stdout.rows || 24;
  }

  paint(colour: Colour, text: string): string {
    return this.#hasColour ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text;
  }

  /** Text as it is. */
  write(text: string): void {
    this.#streams.stdout.write(text);
  }

  line(text = ''): void {
    this.write(`${text}\n`);
  }

  /** A word beside the result, for a person only: it does not stand where a script reads. */
  note(text: string): void {
    if (!this.isJson) this.#streams.stderr.write(`${text}\n`);
  }

  /** The result: this document, or these lines for a person. */
  document(value: unknown, lines: () => readonly string[] | string): void {
    const text = this.isJson ? JSON.stringify(value ?? {}, undefined, 2) : lines();
    this.line(typeof text === 'string' ? text : text.join('\n'));
  }

  /** One of many results: a line of JSON, or a line for a person. */
  event(value: unknown, text: () => string): void {
    this.line(this.isJson ? JSON.stringify(value) : text());
  }

  /** A list: `{items}`, or a table. */
  list<T>(items: readonly T[], columns: readonly Column<T>[], nothing: string): void {
    this.document({ items }, () => (items.length === 0 ? nothing : this.table(items, columns)));
  }

  table<T>(items: readonly T[], columns: readonly Column<T>[]): string[] {
    return tableLines(items, columns, (text) => this.paint('dim', text));
  }

  facts(facts: Parameters<typeof factLines>[0]): string[] {
    return factLines(facts);
  }
}

/** https://no-color.org; FORCE_COLOR for those who page. */
export function wantsColour(env: NodeJS.ProcessEnv, isTerminal: boolean): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR && env.FORCE_COLOR !== '0') return true;
  return isTerminal && env.TERM !== 'dumb';
}

/** All of a list that comes in pages. */
export async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
