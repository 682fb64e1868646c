/** Does one thing for each of many, some at once, in order of their beginnings; a signal lets nothing new begin. */

export async function inParallel<T>(
  many: readonly T[],
  { width, signal }: { readonly width: number; readonly signal?: AbortSignal },
  work: (one: T) => Promise<void>,
): Promise<void> {
  const queue = many.values();
  await Promise.all(
    Array.from({ length: Math.min(width, many.length) }, async () => {
      for (const one of queue) {
        if (signal?.aborted) return;
        await work(one);
      }
    }),
  );
}
