/** Where a key leads on a board of tiles that fills row by row. Pure. */

/**
 * @returns the index to go to, `undefined` when the key means nothing here or leads nowhere
 */
export function nextIndex(key: string, index: number, count: number, columns: number): number | undefined {
  const steps: Readonly<Record<string, number>> = {
    ArrowRight: index + 1,
    ArrowLeft: index - 1,
    ArrowDown: index + columns,
    ArrowUp: index - columns,
    Home: 0,
    End: count - 1,
  };
  const next = steps[key];
  return index >= 0 && next !== undefined && next >= 0 && next < count ? next : undefined;
}
