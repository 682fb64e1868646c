/** The panel's composition root: form, line, board and views put together. */
import { Announcer } from '#gateway/panel/announcer.ts';
import { Board } from '#gateway/panel/board.ts';
import { BoardView } from '#gateway/panel/board-view.ts';
import { Connection, type ConnectionState, type Credentials } from '#gateway/panel/connection.ts';
import { byId } from '#gateway/panel/dom.ts';
import { lampOf } from '#gateway/panel/lamp.ts';
import { ListDialog } from '#gateway/panel/list-dialog.ts';
import {
  loadNames,
  loadWatchList,
  saveAccount,
  saveNames,
  saveWatchList,
  tabInstanceId,
} from '#gateway/panel/preferences.ts';
import type { Presentity } from '#gateway/panel/presentity.ts';
import { SignInView } from '#gateway/panel/sign-in-view.ts';
import { StatusView } from '#gateway/panel/status-view.ts';
import { formatWatchList, LOCAL_WATCH_LIST, parseWatchList } from '#gateway/panel/watch-list.ts';
import { lampSentence } from '#gateway/panel/wording.ts';

interface Session {
  readonly domain: string;
  readonly connection: Connection;
  readonly board: Board;
}

const local = ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname);
const server = new URL('/', location.href.replace(/^http/, 'ws'));
const announcer = new Announcer();
const boardView = new BoardView();
const signInView = new SignInView(local, (credentials) => void signIn(credentials));
const status = new StatusView({ onRetry: () => session?.connection.retryNow(), onSignOut: () => void signOut() });
const listDialog = new ListDialog(saveList);
let session: Session | undefined;

async function signIn(credentials: Credentials): Promise<void> {
  signInView.busy(true);
  const opened = openSession(credentials);
  const problem = await opened.connection.signIn();
  if (problem !== undefined) return signInView.show(problem);
  saveAccount(credentials);
  session = opened;
  opened.board.setExtensions(initialExtensions(credentials.domain));
  signInView.hide();
  status.showAccount(`${credentials.user}@${credentials.domain}`);
  boardView.show(opened.board);
  opened.connection.watch(opened.board.extensions);
}

function openSession(credentials: Credentials): Session {
  const { domain } = credentials;
  const board = new Board(loadNames(domain), {
    onChange: onLampChange,
    onNames: (names) => {
      saveNames(domain, names);
      boardView.showAll();
    },
  });
  const connection: Connection = new Connection(server, credentials, tabInstanceId(), {
    onState: (state) => onConnectionState(state, board),
    onStart: (extension) => board.started(extension),
    onLost: (extension) => board.lost(extension),
    onRefused: (extension, reason) => board.refused(extension, reason),
    onDocument: (extension, xml) => {
      if (!board.receive(extension, xml, Date.now())) connection.refresh(extension);
    },
  });
  return { domain, connection, board };
}

function initialExtensions(domain: string): readonly string[] {
  const list = parseWatchList(loadWatchList(domain) ?? (local ? LOCAL_WATCH_LIST : ''));
  return 'extensions' in list ? list.extensions : [];
}

function saveList(extensions: readonly string[]): void {
  if (session === undefined) return;
  saveWatchList(session.domain, formatWatchList(extensions));
  session.board.setExtensions(extensions);
  session.connection.watch(extensions);
  boardView.rebuild();
}

function onConnectionState(state: ConnectionState, board: Board): void {
  status.show(state);
  if (state.kind === 'offline') {
    board.lostAll();
    announcer.say('line', 'Connection lost. The lamps are unknown until it is back');
  }
  if (state.kind === 'online') announcer.say('line', 'Connected');
  if (state.kind === 'refused') leave(() => signInView.show(state.problem));
}

/** Only what a listener may act on is spoken: a phone that starts to ring, and all of the chosen colleague. */
function onLampChange(presentity: Presentity, before: Presentity): void {
  boardView.showOne(presentity.extension);
  const [lamp, was] = [lampOf(presentity), lampOf(before)];
  if (lamp.state === was.state || lamp.state === 'unknown' || session === undefined) return;
  const chosen = presentity.extension === boardView.selected;
  const sentence = lampSentence(presentity.extension, lamp, session.board.nameOf);
  if (chosen || (lamp.state === 'ringing' && was.state !== 'unknown')) announcer.say(presentity.extension, sentence);
  else announcer.forget(presentity.extension);
}

async function signOut(): Promise<void> {
  const connection = session?.connection;
  leave(() => signInView.show());
  await connection?.close();
}

function leave(then: () => void): void {
  session = undefined;
  status.showAccount(undefined);
  boardView.show(undefined);
  then();
}

byId('edit', HTMLButtonElement).addEventListener('click', () => listDialog.open(session?.board.extensions ?? []));
addEventListener('online', () => session?.connection.retryNow());
addEventListener('offline', () => session?.connection.networkLost());
addEventListener('pagehide', () => void session?.connection.close());
// A page that the browser kept and brings back has no line any more.
addEventListener('pageshow', (event) => event.persisted && location.reload());
setInterval(() => {
  status.tick(Date.now());
  boardView.tick(Date.now());
}, 1_000);
signInView.show();
