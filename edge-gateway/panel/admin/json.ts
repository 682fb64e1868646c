/** Checks of what an answer holds: only what is read here is declared, and what else comes is left alone. Pure. */

/** An answer is not as it is declared: console and API do not belong together. */
export class ShapeError extends Error {
  override readonly name = 'ShapeError';
}

/** @throws {ShapeError} naming the place */
export type Check<T> = (value: unknown, place: string) => T;
export type Checked<C> = C extends Check<infer T> ? T : never;

export const text: Check<string> = (value, place) => {
  if (typeof value === 'string') return value;
  throw new ShapeError(`${place} is no text`);
};

export const number: Check<number> = (value, place) => {
  if (typeof value === 'number') return value;
  throw new ShapeError(`${place} is no number`);
};

export const flag: Check<boolean> = (value, place) => {
  if (typeof value === 'boolean') return value;
  throw new ShapeError(`${place} is neither true nor false`);
};

/** Any object, as it came. */
export const record: Check<Readonly<Record<string, unknown>>> = (value, place) => {
  if (isRecord(value)) return value;
  throw new ShapeError(`${place} is no object`);
};

export const anything: Check<unknown> = (value) => value;

/** What may be absent; null counts as absent. */
export const maybe =
  <T>(check: Check<T>): Check<T | undefined> =>
  (value, place) =>
    value === undefined || value === null ? undefined : check(value, place);

export const list =
  <T>(check: Check<T>): Check<readonly T[]> =>
  (value, place) => {
    if (!Array.isArray(value)) throw new ShapeError(`${place} is no list`);
    return value.map((each: unknown, index) => check(each, `${place}[${index}]`));
  };

type Members<S> = { readonly [Name in keyof S]: Checked<S[Name]> };

export const object =
  <S extends Readonly<Record<string, Check<unknown>>>>(members: S): Check<Members<S>> =>
  (value, place) => {
    const given = record(value, place);
    const entries = Object.entries(members).map(([name, check]) => [name, check(given[name], `${place}.${name}`)]);
    return Object.fromEntries(entries) as Members<S>;
  };

export interface Page<T> {
  readonly items: readonly T[];
  /** Cursor of what follows. */
  readonly next: string | undefined;
}

export const page = <T>(item: Check<T>): Check<Page<T>> => object({ items: list(item), next: maybe(text) });

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
