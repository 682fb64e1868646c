/** The panel's composition root: form, line, board, calls, messages and views put together. */
import { Announcer } from '#gateway/panel/announcer.ts';
import { Board } from '#gateway/panel/board.ts';
import { BoardView } from '#gateway/panel/board-view.ts';
import { CallDesk } from '#gateway/panel/call/call-desk.ts';
import { CallPanel } from '#gateway/panel/call/call-panel.ts';
import { IceServers } from '#gateway/panel/call/ice.ts';
import { mediaFactory } from '#gateway/panel/call/media.ts';
import { NoticesView } from '#gateway/panel/call/notices-view.ts';
import { ChatPanel } from '#gateway/panel/chat/chat-panel.ts';
import { Connection, type ConnectionState, type Credentials } from '#gateway/panel/connection.ts';
import { byId } from '#gateway/panel/dom.ts';
import { lampOf } from '#gateway/panel/lamp.ts';
import { ListDialog } from '#gateway/panel/list-dialog.ts';
import { askPortal, PortalToken, readFragment } from '#gateway/panel/portal-token.ts';
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
import { lampSentence, partyName } from '#gateway/panel/wording.ts';

interface Session {
  readonly user: string;
  readonly domain: string;
  readonly connection: Connection;
  readonly board: Board;
  readonly desk: CallDesk;
}

const local = ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname);
const server = new URL('/', location.href.replace(/^http/, 'ws'));
const announcer = new Announcer();
const notices = new NoticesView();
const calls = new CallPanel({ announcer, notices, onChange: onCallsChange });
const chat = new ChatPanel({
  announcer,
  notices,
  chosen: () => boardView.selected,
  nameOf: (who) => session?.board.nameOf(who) ?? '',
  onChange: onConversation,
  onOpen: (who) => boardView.openMessages(who),
});
const boardView: BoardView = new BoardView({
  actionOf: (presentity) => calls.lampAction(presentity),
  onLamp: (extension) => calls.pressLamp(extension),
  canWrite: (who) => who !== session?.user,
  onMessage: (who, text) => chat.send(who, text),
  conversations: () => chat.conversations,
  onChosen: (extension) => chat.chosen(extension),
});
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
  calls.open(opened);
  opened.board.setExtensions(initialExtensions(credentials.domain));
  signInView.hide();
  status.showAccount(`${credentials.user}@${credentials.domain}`);
  boardView.show(opened.board);
  opened.connection.watch(opened.board.extensions);
}

function openSession(credentials: Credentials): Session {
  const { user, domain } = credentials;
  const board = new Board(loadNames(domain), {
    onChange: onLampChange,
    onNames: (names) => {
      saveNames(domain, names);
      boardView.showAll();
      calls.showNames();
    },
  });
  const ice = new IceServers(new URL('/', location.href));
  const device = { instanceId: tabInstanceId(), media: mediaFactory(ice) };
  const connection: Connection = new Connection(server, credentials, device, {
    onState: (state) => onConnectionState(state, opened),
    onStart: (extension) => board.started(extension),
    onLost: (extension) => board.lost(extension),
    onRefused: (extension, reason) => board.refused(extension, reason),
    onDocument: (extension, xml) => {
      if (!board.receive(extension, xml, Date.now())) connection.refresh(extension);
    },
    onInvite: (invitation) => desk.invited(invitation),
    onMessage: (message) => messenger.receive(message),
  });
  const desk = new CallDesk(connection.agent, ice, calls.deskEvents(board.nameOf));
  const messenger = chat.open(connection.agent, `${user}@${domain}`);
  const opened: Session = { user, domain, connection, board, desk };
  return opened;
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
  calls.showNames();
}

function onConnectionState(state: ConnectionState, { board, desk }: Session): void {
  status.show(state);
  if (state.kind === 'online') desk.lineBack();
  if (state.kind === 'offline') {
    desk.lineLost();
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

function onConversation(who: string): void {
  boardView.showOne(who);
  showTitle();
}

function onCallsChange(): void {
  boardView.showAll();
  showTitle();
}

/** Who looks at another tab sees there that somebody calls or has written. */
function showTitle(): void {
  const ringing = calls.calls.find(({ phase }) => phase === 'incoming');
  const name = ringing && partyName(ringing.party, session?.board.nameOf ?? (() => ''));
  const news = chat.unread === 0 ? '' : `(${chat.unread}) `;
  document.title = name === undefined ? `${news}Lampfield` : `Call from ${name} · Lampfield`;
}

async function signOut(): Promise<void> {
  const connection = session?.connection;
  leave(() => signInView.show());
  await connection?.close();
}

function leave(then: () => void): void {
  calls.close();
  if (session !== undefined) chat.close(`${session.user}@${session.domain}`);
  session = undefined;
  status.showAccount(undefined);
  boardView.show(undefined);
  then();
}

byId('edit', HTMLButtonElement).addEventListener('click', () => listDialog.open(session?.board.extensions ?? []));
/** The token leaves the address, and with it the history, before anything else happens. */
function signInFromPortal(): void {
  const given = readFragment(location.hash);
  if (given === undefined) return;
  history.replaceState(null, '', location.pathname + location.search);
  const { user, domain, token } = given;
  void signIn({ user, domain, password: '', token: new PortalToken(token, () => askPortal(user, domain)) });
}

addEventListener('online', () => session?.connection.retryNow());
addEventListener('offline', () => session?.connection.networkLost());
// Nothing can be awaited any more, but what is written to the line now still leaves.
addEventListener('pagehide', () => {
  calls.close();
  void session?.connection.close();
});
// Who closes the page by mistake in mid-call is asked first.
addEventListener('beforeunload', (event) => calls.calls.length > 0 && event.preventDefault());
// A page that the browser kept and brings back has no line any more.
addEventListener('pageshow', (event) => event.persisted && location.reload());
setInterval(() => {
  status.tick(Date.now());
  boardView.tick(Date.now());
  calls.tick(Date.now());
}, 1_000);
signInView.show();
signInFromPortal();
