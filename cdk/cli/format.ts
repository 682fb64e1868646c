/** Tables, times and texts for a terminal. Pure. */

/** A column of a table: its title, and the text of a row in it. */
export interface Column<T> {
  readonly title: string;
  readonly of: (row: T) => string | number | boolean | undefined | null;
  readonly align?: 'right';
  /** Colours the text after it has been padded. */
  readonly paint?: (padded: string, row: T) => string;
}

const GAP = '  ';

/** Lines of a table; the last column is not padded. */
export function tableLines<T>(
  rows: readonly T[],
  columns: readonly Column<T>[],
  header = (text: string) => text,
): string[] {
  const cells = rows.map((row) => columns.map(({ of }) => cellText(of(row))));
  const widths = columns.map(({ title }, index) =>
    Math.max(textWidth(title), ...cells.map((line) => textWidth(line[index] ?? ''))),
  );
  const padded = (text: string, index: number): string => {
    const space = ' '.repeat(Math.max((widths[index] ?? 0) - textWidth(text), 0));
    if (columns[index]?.align === 'right') return space + text;
    return index === columns.length - 1 ? text : text + space;
  };
  const titles = columns.map(({ title }, index) => padded(title.toUpperCase(), index)).join(GAP);
  const lines = rows.map((row, at) =>
    columns
      .map(({ paint }, index) => {
        const text = padded(cells[at]?.[index] ?? '', index);
        return paint === undefined ? text : paint(text, row);
      })
      .join(GAP),
  );
  return [header(titles.trimEnd()), ...lines.map((line) => line.trimEnd())];
}

/** Lines `name  value`, without what is not there. */
export function factLines(facts: Readonly<Record<string, string | number | boolean | undefined | null>>): string[] {
  const given = Object.entries(facts).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const width = Math.max(...given.map(([name]) => name.length), 0);
  return given.map(([name, value]) => `${name.padEnd(width)}  ${cellText(value)}`);
}

function cellText(value: string | number | boolean | undefined | null): string {
  if (value === undefined || value === null) return '-';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return harmless(String(value)) || '-';
}

/** A text from elsewhere must not steer the terminal. */
export function harmless(text: string): string {
  return text.replaceAll(/\p{Cc}|\p{Cf}/gu, ' ').trim();
}

/** Columns that a text takes: wide scripts and emoji take two. */
export function textWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/\p{Mn}/u.test(character)) continue;
    width += WIDE.test(character) ? 2 : 1;
  }
  return width;
}
const WIDE = /[ᄀ-ᅟ⺀-꓏가-힣豈-﫿︰-﹏＀-｠￠-￦]|\p{Emoji_Presentation}/u;

/** Cuts a text to a width, with an ellipsis. */
export function fitted(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let kept = '';
  for (const character of text) {
    if (textWidth(kept) + textWidth(character) > width - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

const UNITS = [
  { name: 'd', seconds: 86_400 },
  { name: 'h', seconds: 3_600 },
  { name: 'min', seconds: 60 },
  { name: 's', seconds: 1 },
] as const;

/** `2 d 3 h`, `5 min`, `12 s`: the two largest units. */
export function durationText(ms: number): string {
  let seconds = Math.max(Math.round(ms / 1_000), 0);
  const parts: string[] = [];
  for (const unit of UNITS) {
    const count = Math.floor(seconds / unit.seconds);
    if (count === 0 && (parts.length === 0 || unit.seconds > 1)) continue;
    if (parts.length === 2) break;
    if (count > 0) parts.push(`${count} ${unit.name}`);
    seconds -= count * unit.seconds;
  }
  return parts.join(' ') || '0 s';
}

/** `5 min ago`, `in 2 h`; undefined stays undefined. */
export function relativeText(time: string | number | undefined | null, nowMs: number): string | undefined {
  const ms = timeMs(time);
  if (ms === undefined) return undefined;
  const difference = ms - nowMs;
  if (Math.abs(difference) < 1_000) return 'now';
  return difference < 0 ? `${durationText(-difference)} ago` : `in ${durationText(difference)}`;
}

/** Epoch milliseconds of what the API calls a time: ISO text, or milliseconds. */
export function timeMs(time: string | number | undefined | null): number | undefined {
  if (time === undefined || time === null) return undefined;
  const ms = typeof time === 'number' ? time : Date.parse(time);
  return Number.isFinite(ms) ? ms : undefined;
}

/** The time of day here, with milliseconds. */
export function clockText(time: string | number, isExact = true): string {
  const date = new Date(timeMs(time) ?? 0);
  const two = (value: number): string => String(value).padStart(2, '0');
  const text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return isExact ? `${text}.${String(date.getMilliseconds()).padStart(3, '0')}` : text;
}

/** One of many, or many of them. */
export const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;
