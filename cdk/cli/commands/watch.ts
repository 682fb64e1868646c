/** `lampfield watch`: a live board in the terminal. */
import type { Command } from 'commander';
import { path } from '../api-client.ts';
import type { Cli, Session } from '../cli.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { collected } from '../output.ts';
import type { Account } from '../resources.ts';
import {
  type Board,
  boardLines,
  changeText,
  type Lamp,
  type LampChange,
  withLamp,
  withoutLamp,
} from '../watch/lamps.ts';
import { type FeedEvents, pollLamps, readLamps } from '../watch/polling-feed.ts';
import { type BoardScreen, openScreen } from '../watch/screen.ts';
import { MOST_STREAMED, streamLamps } from '../watch/stream-feed.ts';
import { seconds } from './arguments.ts';

interface WatchOptions {
  readonly every: number;
  readonly once?: boolean;
  readonly as?: string;
}

const REDRAW_EVERY_MS = 1_000;
/** The connection is renewed with a fresh one when it ends. */
const TOKEN_SECONDS = 86_400;

export function addWatchCommand(program: Command, cli: Cli): void {
  program
    .command('watch')
    .description('a live board of lamps; where there is no terminal, a line for each change')
    .argument('[users...]', 'only these')
    .option('--every <time>', 'how often to look', seconds, 1)
    .option('--as <user>', 'what this user may see, as it changes: by the stream of the gateway, not by looking again')
    .option('--once', 'look once and end')
    .action(cli.action(watch));
}

async function watch(session: Session, named: readonly string[], { every, once, as }: WatchOptions): Promise<void> {
  const places = await Promise.all(named.map((name) => session.userAt(name)));
  const tenant = places[0]?.tenant ?? (await session.tenant());
  const users = places.map(({ user }) => user);
  if (once === true) return showOnce(session, await readLamps(session.api, { tenant, users }));
  const stop = new AbortController();
  const quit = (): void => stop.abort();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, quit);
  const view = session.out.isTerminal ? new BoardView(session, tenant, quit) : new LineView(session);
  try {
    if (as !== undefined && (await isStreamed(session, { tenant, users, as, signal: stop.signal }, view))) return;
    await pollLamps(session.api, { tenant, users, everyMs: every * 1_000, signal: stop.signal }, view);
  } finally {
    view.close();
  }
}

interface StreamWish {
  readonly tenant: string;
  /** Empty: everybody. */
  readonly users: readonly string[];
  readonly as: string;
  readonly signal: AbortSignal;
}

/** @returns false when there is no stream for it, which is said */
async function isStreamed(session: Session, wish: StreamWish, view: FeedEvents): Promise<boolean> {
  const { api, gatewayUrl: gateway } = session;
  const { tenant, users, as, signal } = wish;
  const newToken = async (): Promise<string> => {
    const body = { user: as, expiresSeconds: TOKEN_SECONDS };
    return (await api.request<{ token: string }>('POST', path`/tenants/${tenant}/tokens`, { body })).body.token;
  };
  try {
    const everybody = users.length > 0 ? users : await usersOf(session, tenant);
    await streamLamps({ gateway, newToken, users: everybody.slice(0, MOST_STREAMED), signal }, view);
    return true;
  } catch (error) {
    if (!(error instanceof CliFailure) || error.details.exitCode !== EXIT.refused) throw error;
    session.out.note(`No stream of lamps as ${as}: ${error.message} The HTTP API is asked instead.`);
    return false;
  }
}

const usersOf = async ({ api }: Session, tenant: string): Promise<string[]> =>
  (await collected(api.items<Account>(path`/tenants/${tenant}/users`))).map(({ user }) => user);

function showOnce({ out }: Session, lamps: readonly Lamp[]): void {
  const columns = [
    { title: 'user', of: ({ user }: Lamp) => user },
    { title: 'lamp', of: ({ lamp }: Lamp) => lamp },
    { title: 'with', of: ({ remote }: Lamp) => remote },
    { title: 'signed in', of: ({ registered }: Lamp) => registered },
    { title: 'version', of: ({ version }: Lamp) => version, align: 'right' as const },
  ];
  out.list(lamps, columns, 'Nobody has a lamp yet.');
}

/** Takes what the feed tells, and forgets who is no longer there. */
function takeLamps(
  session: Session,
  before: Board,
  lamps: readonly Lamp[],
  isAll: boolean,
  tell: (change: LampChange) => void,
): Board {
  let board = before;
  for (const lamp of lamps) {
    const news = withLamp(board, lamp, session.now());
    board = news.board;
    if (news.change) tell(news.change);
  }
  if (!isAll) return board;
  const there = new Set(lamps.map(({ user }) => user));
  for (const user of before.keys()) if (!there.has(user)) board = withoutLamp(board, user);
  return board;
}

class LineView {
  readonly #session: Session;
  #board: Board = new Map();
  #status = '';

  constructor(session: Session) {
    this.#session = session;
  }

  onLamps(lamps: readonly Lamp[], isAll: boolean): void {
    const { out } = this.#session;
    const tell = (change: LampChange): void => out.event(change, () => changeText(change, out.paint.bind(out)));
    this.#board = takeLamps(this.#session, this.#board, lamps, isAll, tell);
  }

  onStatus(text: string): void {
    if (text !== this.#status && text !== '') process.stderr.write(`${text}\n`);
    this.#status = text;
  }

  close(): void {}
}

class BoardView {
  readonly #session: Session;
  readonly #title: string;
  readonly #screen: BoardScreen;
  readonly #timer: NodeJS.Timeout;
  #board: Board = new Map();
  #status = 'connecting';

  constructor(session: Session, title: string, quit: () => void) {
    this.#session = session;
    this.#title = title;
    this.#screen = openScreen(session.world.streams.stdout, quit, () => this.#draw());
    this.#timer = setInterval(() => this.#draw(), REDRAW_EVERY_MS);
    this.#draw();
  }

  onLamps(lamps: readonly Lamp[], isAll: boolean): void {
    this.#board = takeLamps(this.#session, this.#board, lamps, isAll, () => undefined);
    this.#draw();
  }

  onStatus(text: string): void {
    const isNew = text !== this.#status;
    this.#status = text;
    if (isNew) this.#draw();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#screen.close();
  }

  #draw(): void {
    const { out } = this.#session;
    const { columns, rows } = out;
    const about = { columns, rows, title: this.#title, status: this.#status, nowMs: this.#session.now() };
    this.#screen.draw(boardLines(this.#board, { ...about, paint: out.paint.bind(out) }));
  }
}
