/** The console's composition root: configuration, key, places, and the view that is shown. */
import { Api } from '#gateway/panel/admin/api.ts';
import { isRecord } from '#gateway/panel/admin/json.ts';
import { refusalOfError } from '#gateway/panel/admin/parts.ts';
import { hrefOf, type Place, readPlace } from '#gateway/panel/admin/place.ts';
import { Places, placeFor } from '#gateway/panel/admin/places.ts';
import { Refusal } from '#gateway/panel/admin/refusal.ts';
import { type Account, loadKey, openAccount, saveKey } from '#gateway/panel/admin/session.ts';
import { SignIn } from '#gateway/panel/admin/sign-in.ts';
import type { View, ViewPorts } from '#gateway/panel/admin/view.ts';
import { viewOf } from '#gateway/panel/admin/views.ts';
import { byId, setText } from '#gateway/panel/dom.ts';

const SAID_FOR_MS = 8_000;

const main = byId('main-view', HTMLElement);
const frame = byId('view', HTMLElement);
const said = byId('said', HTMLElement);
const signIn = new SignIn((key) => void open(key));
const places = new Places(() => leave());
const apiUrl = await readApiUrl();
let session: { readonly api: Api; readonly account: Account } | undefined;
let shown: View | undefined;
let silence: ReturnType<typeof setTimeout> | undefined;

/** Where the API is; undefined when the gateway does not say so. */
async function readApiUrl(): Promise<string | undefined> {
  const answer = await fetch('/panel-config.json').catch(() => undefined);
  const config: unknown = answer?.ok ? await answer.json() : undefined;
  return isRecord(config) && typeof config.apiUrl === 'string' ? config.apiUrl : undefined;
}

async function open(key: string): Promise<void> {
  signIn.busy(true);
  try {
    if (apiUrl === undefined)
      throw new Refusal(0, 'This gateway does not say where the HTTP API is.', { advice: 'Set its API_URL.' });
    const api = new Api(apiUrl, key, leave);
    session = { api, account: await openAccount(api) };
  } catch (error) {
    leave(refusalOfError(error));
    return;
  }
  saveKey(key);
  signIn.hide();
  showPlace();
}

/** @param refusal why the key is not good any more; undefined: its user signs out */
function leave(refusal?: Refusal): void {
  if (refusal === undefined || refusal.status === 401) saveKey(undefined);
  session = undefined;
  for (const dialog of document.querySelectorAll('dialog')) dialog.close();
  show(undefined);
  places.hide();
  say('');
  signIn.show(refusal);
}

function showPlace(): void {
  if (session === undefined) return;
  const { account } = session;
  const place = placeFor(readPlace(location.hash), account);
  const ports: ViewPorts = { ...session, go, say };
  document.title = `${places.show(place, account)} · Lampfield console`;
  show(viewOf(ports, place));
}

function show(view: View | undefined): void {
  shown?.stop();
  shown = view;
  frame.hidden = view === undefined;
  frame.replaceChildren(...(view === undefined ? [] : [view.node]));
}

function go(place: Place): void {
  const href = hrefOf(place);
  if (location.hash === href) showPlace();
  else location.hash = href;
}

function say(text: string): void {
  clearTimeout(silence);
  said.hidden = text === '';
  setText(said, text);
  if (text !== '') silence = setTimeout(() => say(''), SAID_FOR_MS);
}

addEventListener('hashchange', () => {
  showPlace();
  main.focus({ preventScroll: true });
});
// A page that the browser kept and brings back must not show what a signed-out user saw.
addEventListener('pageshow', (event) => event.persisted && location.reload());

const kept = loadKey();
if (kept === undefined) signIn.show();
else void open(kept);
