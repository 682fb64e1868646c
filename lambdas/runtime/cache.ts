/** A small cache of what a function read, kept for seconds between its invocations. */

/** Answers the value for a key, from the cache while it is fresh. A load that fails is not kept. */
export type CachedLoader<Value> = (key: string) => Promise<Value>;

/**
 * @param load reads the value; simultaneous callers of one key share one load
 * @param options.keepMs how long a value stands; "nothing there" is kept like any other value
 * @param options.maxEntries the oldest entry goes when there are more
 */
export function createCache<Value>(
  load: (key: string) => Promise<Value>,
  options: { readonly keepMs: number; readonly maxEntries: number; readonly now?: () => number },
): CachedLoader<Value> {
  const { keepMs, maxEntries, now = Date.now } = options;
  const entries = new Map<string, { readonly value: Promise<Value>; readonly untilMs: number }>();
  return (key) => {
    const known = entries.get(key);
    if (known && now() < known.untilMs) return known.value;
    const entry = { value: load(key), untilMs: now() + keepMs };
    entries.delete(key);
    entries.set(key, entry);
    for (const oldest of entries.keys()) {
      if (entries.size <= maxEntries) break;
      entries.delete(oldest);
    }
    entry.value.catch(() => {
      if (entries.get(key) === entry) entries.delete(key);
    });
    return entry.value;
  };
}
