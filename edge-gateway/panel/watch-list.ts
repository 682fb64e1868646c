/** The list of extensions on the board, as people type it: `1001-1010, 1015`. Pure. */

export const WATCH_LIST_LIMIT = 200;
export const LOCAL_WATCH_LIST = '1001-1010';

export type WatchList = { readonly extensions: readonly string[] } | { readonly problem: string };

/** Reads extensions and ranges, separated by commas, spaces or lines; order stays, repeats go. */
export function parseWatchList(text: string): WatchList {
  const extensions = new Set<string>();
  for (const word of text
    .replace(/\s*(?:-|–|\.\.)\s*/g, '-')
    .split(/[\s,;]+/)
    .filter(Boolean)) {
    const members = membersOf(word);
    if (members === undefined)
      return { problem: `“${word}” is not an extension. Write for example 1001, or 1001-1010 for a range.` };
    for (const member of members) extensions.add(member);
    if (extensions.size > WATCH_LIST_LIMIT)
      return { problem: `The board holds at most ${WATCH_LIST_LIMIT} extensions. Leave some out.` };
  }
  return { extensions: [...extensions] };
}

/** A word is a range when both ends are numbers of the same length; otherwise a hyphen is part of a name. */
function membersOf(word: string): string[] | undefined {
  const range = /^(\d{1,10})-(\d{1,10})$/.exec(word);
  const [first = '', last = ''] = range === null ? [] : range.slice(1);
  if (range === null) return /^[\p{L}\p{N}._+*#~-]{1,64}$/u.test(word) ? [word] : undefined;
  const count = Number(last) - Number(first) + 1;
  if (first.length !== last.length || count < 1 || count > WATCH_LIST_LIMIT) return undefined;
  return Array.from({ length: count }, (_, offset) => String(Number(first) + offset).padStart(first.length, '0'));
}

/** Writes extensions back, with runs as ranges. */
export function formatWatchList(extensions: readonly string[]): string {
  const runs: string[][] = [];
  for (const extension of extensions) {
    const run = runs.at(-1);
    if (run !== undefined && follows(run.at(-1) ?? '', extension)) run.push(extension);
    else runs.push([extension]);
  }
  return runs.flatMap((run) => (run.length < 3 ? run : [`${run[0]}-${run.at(-1)}`])).join(', ');
}

function follows(before: string, extension: string): boolean {
  const numbers = /^\d{1,10}$/.test(before) && /^\d{1,10}$/.test(extension);
  return numbers && before.length === extension.length && Number(extension) === Number(before) + 1;
}
