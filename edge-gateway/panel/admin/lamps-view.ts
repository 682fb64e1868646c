/** All lamps of a tenant as they are now. */
import { type Api, path } from '#gateway/panel/admin/api.ts';
import { Pager } from '#gateway/panel/admin/pager.ts';
import { lampStateOf, setEmpty, setProblem, viewHead } from '#gateway/panel/admin/parts.ts';
import { hrefOf } from '#gateway/panel/admin/place.ts';
import { LAMP, type LampOfUser, USER } from '#gateway/panel/admin/shapes.ts';
import { repeat, type View, type ViewPorts } from '#gateway/panel/admin/view.ts';
import { timeText } from '#gateway/panel/admin/words.ts';
import { element, setAttribute, setText } from '#gateway/panel/dom.ts';
import { lampIcon } from '#gateway/panel/icons.ts';
import { LAMP_NAMES } from '#gateway/panel/lamp.ts';

const REFRESH_MS = 2_000;
const LAMPS_A_PAGE = 100;
const NAMES_A_PAGE = 200;
/** Names of more users are not looked up: their numbers are shown. */
const MOST_NAMES = 2_000;

export function lampsView({ api }: ViewPorts, domain: string): View {
  const names = new Map<string, string>();
  const board = element('ul', { class: 'lamps', 'aria-label': `Lamps of ${domain}` });
  const notice = element('div', {});
  const tiles = new Map<string, HTMLElement>();
  let stop: () => void = () => undefined;
  const load = async (signal: AbortSignal): Promise<void> => {
    try {
      const query = { cursor: pager.cursor, limit: LAMPS_A_PAGE };
      const { items, next } = await api.page(path`/tenants/${domain}/presentities`, LAMP, { query, signal });
      if (signal.aborted) return;
      if (!pager.arrived(items.length, next)) return start();
      setEmpty(notice, items.length === 0 ? EMPTY : undefined);
      showTiles(board, tiles, items, { domain, names });
    } catch (error) {
      if (!signal.aborted) setProblem(notice, error, start);
    }
  };
  const start = (): void => {
    stop();
    stop = repeat(load, REFRESH_MS);
  };
  const pager = new Pager(start);
  const stopNames = repeat(async (signal) => {
    await readNames(api, domain, names, signal).catch(() => undefined);
    if (!signal.aborted) start();
  }, undefined);
  start();
  const node = element('section', {}, viewHead('Lamps'), board, notice, pager.node);
  return {
    node,
    stop: () => {
      stop();
      stopNames();
    },
  };
}

/** Whoever may not read users sees numbers. @throws {Refusal} */
async function readNames(api: Api, domain: string, names: Map<string, string>, signal: AbortSignal): Promise<void> {
  let cursor: string | undefined;
  do {
    const query = { cursor, limit: NAMES_A_PAGE };
    const page = await api.page(path`/tenants/${domain}/users`, USER, { query, signal });
    for (const { user, displayName } of page.items) if (displayName !== undefined) names.set(user, displayName);
    cursor = page.next;
  } while (cursor !== undefined && names.size < MOST_NAMES);
}

const EMPTY = 'No lamp has shown anything yet. It does when somebody signs in, publishes, or is in a call.';

interface Naming {
  readonly domain: string;
  readonly names: ReadonlyMap<string, string>;
}

/** Tiles that are there stay, so that focus does. */
function showTiles(
  board: HTMLElement,
  tiles: Map<string, HTMLElement>,
  lamps: readonly LampOfUser[],
  naming: Naming,
): void {
  const shown = lamps.map((lamp) => {
    const tile = tiles.get(lamp.user) ?? element('li');
    tiles.set(lamp.user, tile);
    showTile(tile, lamp, naming);
    return tile;
  });
  const isSame = shown.length === board.children.length && shown.every((tile, at) => tile === board.children[at]);
  if (!isSame) board.replaceChildren(...shown);
}

function showTile(node: HTMLElement, { user, lamp, changedAt }: LampOfUser, { domain, names }: Naming): void {
  const state = lampStateOf(lamp);
  const name = names.get(user) ?? user;
  const tile =
    node.querySelector('a') ?? node.appendChild(newTile(hrefOf({ kind: 'tenant', domain, tab: 'lamps', user })));
  if (tile.dataset.lamp !== state) {
    setAttribute(tile, 'data-lamp', state);
    tile.querySelector('.lamp')?.replaceChildren(lampIcon(state));
  }
  setAttribute(tile, 'data-extension', user);
  setAttribute(tile, 'aria-label', `${name === user ? user : `${user} ${name}`}: ${LAMP_NAMES[state]}. Why?`);
  const since = changedAt === undefined ? '' : `since ${timeText(changedAt, Date.now())}`;
  const texts = { name, number: name === user ? '' : user, state: LAMP_NAMES[state], party: since };
  for (const [part, text] of Object.entries(texts)) {
    const found = tile.querySelector(`.tile-${part}`);
    if (found !== null) setText(found, text);
  }
}

const newTile = (href: string): HTMLAnchorElement =>
  element(
    'a',
    { class: 'tile', href },
    element('span', { class: 'lamp' }),
    ...['name', 'number', 'state', 'party'].map((part) => element('span', { class: `tile-${part}` })),
  );
