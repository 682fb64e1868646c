/** Lamps as a terminal shows them: a board of tiles, or a line for each change. Pure. */
import { clockText, durationText, fitted, harmless, textWidth } from '../format.ts';
import type { Colour } from '../output.ts';

/** The state of one lamp, as it was told. */
export interface Lamp {
  readonly user: string;
  readonly lamp: string;
  /** Only goes up; what is older or equal is no news. */
  readonly version: number;
  /** Who is at the other end, if it is told. */
  readonly remote?: string | undefined;
  readonly registered?: boolean | undefined;
}

export interface ShownLamp extends Lamp {
  readonly sinceMs: number;
}

/** A change, for those who want lines. */
export interface LampChange {
  readonly user: string;
  /** Undefined at the first sight. */
  readonly from: string | undefined;
  readonly to: string;
  readonly version: number;
  readonly remote?: string | undefined;
  readonly at: string;
}

export type Board = ReadonlyMap<string, ShownLamp>;
type Paint = (colour: Colour, text: string) => string;

const LOOKS: Readonly<Record<string, { readonly mark: string; readonly colour: Colour }>> = {
  idle: { mark: '●', colour: 'green' },
  ringing: { mark: '◉', colour: 'yellow' },
  busy: { mark: '■', colour: 'red' },
  held: { mark: '▣', colour: 'cyan' },
};
/** Of what is not known, and of words that a newer server may have. */
const OTHER = { mark: '○', colour: 'dim' } as const;
const TILE_WIDTH = 30;
const GAP = 2;

/** @returns the board with this news, and the change that it made, if any */
export function withLamp(board: Board, news: Lamp, nowMs: number): { board: Board; change?: LampChange } {
  const before = board.get(news.user);
  if (before !== undefined && news.version <= before.version) return { board };
  const isSame = before !== undefined && before.lamp === news.lamp && before.remote === news.remote;
  const shown = { ...news, sinceMs: before?.lamp === news.lamp ? before.sinceMs : nowMs };
  const next = new Map(board).set(news.user, shown);
  if (isSame) return { board: next };
  const { user, lamp: to, version, remote } = news;
  const at = new Date(nowMs).toISOString();
  return {
    board: next,
    change: { user, from: before?.lamp, to, version, ...(remote !== undefined && { remote }), at },
  };
}

export function withoutLamp(board: Board, user: string): Board {
  const next = new Map(board);
  next.delete(user);
  return next;
}

/** `18:01:02.123  1001  ringing → busy  sip:1002@acme.example`. */
export function changeText({ user, from, to, remote, at }: LampChange, paint: Paint): string {
  const { mark, colour } = LOOKS[to] ?? OTHER;
  const words = `${from === undefined ? '' : `${from} → `}${to}`;
  return [clockText(at), harmless(user).padEnd(12), paint(colour, `${mark} ${words}`), harmless(remote ?? '')]
    .join('  ')
    .trimEnd();
}

export interface Screen {
  readonly columns: number;
  readonly rows: number;
  readonly title: string;
  /** What is wrong with the line, if anything. */
  readonly status: string;
  readonly nowMs: number;
  readonly paint: Paint;
}

/** As many tiles as there is room for, by user. */
export function boardLines(board: Board, { columns, rows, title, status, nowMs, paint }: Screen): string[] {
  const lamps = [...board.values()].sort((a, b) => a.user.localeCompare(b.user, 'en', { numeric: true }));
  const across = Math.max(Math.floor((columns + GAP) / (TILE_WIDTH + GAP)), 1);
  const room = Math.max(rows - 3, 1) * across;
  const shown = lamps.slice(0, room);
  const height = Math.ceil(shown.length / across);
  const tiles = Array.from({ length: height }, (_, row) =>
    Array.from({ length: across }, (_, column) => shown[column * height + row])
      .map((lamp) => (lamp === undefined ? '' : tileOf(lamp, Math.min(TILE_WIDTH, columns), nowMs, paint)))
      .join(' '.repeat(GAP)),
  );
  const more = lamps.length > shown.length ? `, ${lamps.length - shown.length} more below` : '';
  const head = fitted(`${title}  ${countsText(lamps)}${more}`, columns);
  return [paint('bold', head), ...tiles, '', paint(status === '' ? 'dim' : 'red', fitted(status || 'q ends', columns))];
}

function countsText(lamps: readonly ShownLamp[]): string {
  const counts = new Map<string, number>();
  for (const { lamp } of lamps) counts.set(lamp, (counts.get(lamp) ?? 0) + 1);
  return [...counts]
    .sort()
    .map(([lamp, count]) => `${count} ${lamp}`)
    .join(', ');
}

function tileOf({ user, lamp, remote, sinceMs }: ShownLamp, width: number, nowMs: number, paint: Paint): string {
  const { mark, colour } = LOOKS[lamp] ?? OTHER;
  const isLive = lamp !== 'idle' && lamp !== 'unknown';
  const detail = isLive
    ? ` ${durationText(nowMs - sinceMs)}${remote ? ` ${harmless(remote).replace(/^sips?:/, '')}` : ''}`
    : '';
  const text = fitted(`${mark} ${harmless(user)} ${lamp}${detail}`, width);
  return paint(colour, text) + ' '.repeat(Math.max(width - textWidth(text), 0));
}
