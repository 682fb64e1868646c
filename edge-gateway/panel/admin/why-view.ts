/** Why one lamp is as it is: who says so, what happened, who was told, and the reset of a lamp that is stuck. */
import { path } from '#gateway/panel/admin/api.ts';
import { openForm } from '#gateway/panel/admin/dialogs.ts';
import { PagedTable } from '#gateway/panel/admin/paged-table.ts';
import { button, codeCell, lampBadge, link, timeCell, viewHead } from '#gateway/panel/admin/parts.ts';
import { hrefOf } from '#gateway/panel/admin/place.ts';
import {
  type Change,
  HISTORY,
  type History,
  PRESENTITY,
  type PresentityDetails,
  RESET,
} from '#gateway/panel/admin/shapes.ts';
import type { View, ViewPorts } from '#gateway/panel/admin/view.ts';
import { publicationList, subscriptionList } from '#gateway/panel/admin/why-parts.ts';
import { causeText, dialogText } from '#gateway/panel/admin/why-words.ts';
import { countText } from '#gateway/panel/admin/words.ts';
import { element } from '#gateway/panel/dom.ts';

const REFRESH_MS = 2_000;

export function whyView(ports: ViewPorts, domain: string, user: string): View {
  const { api, account } = ports;
  const where = path`/tenants/${domain}/presentities/${user}`;
  const lamp = element('div', { class: 'why-lamp', role: 'status' });
  const said = element('div', {});
  const told = element('div', {});
  const table: PagedTable<Change> = new PagedTable<Change>({
    caption: `Changes of the lamp of ${user}, the newest first`,
    columns: changeColumns(domain),
    keyOf: ({ version, at }) => `${version} ${at}`,
    load: async (cursor, signal) => {
      const { body } = await api.get(`${where}/history`, HISTORY, { query: { cursor, limit: 50 }, signal });
      if (cursor === undefined) showNow(body, (await api.get(where, PRESENTITY, { signal })).body);
      return body;
    },
    empty: 'Nothing has changed in the last day.',
    refreshMs: REFRESH_MS,
  });
  const reset = (publication?: string): void => resetLamp(ports, { where, user, publication }, () => table.reload());
  const showNow = unlessSame((history: History, presentity: PresentityDetails) => {
    lamp.replaceChildren(
      lampBadge(history.presentity.lamp),
      ...presentity.dialogs.map((each) => element('span', {}, dialogText(each, domain))),
    );
    said.replaceChildren(publicationList(presentity.publications, domain, account.mayChange ? reset : undefined));
    told.replaceChildren(subscriptionList(history, domain));
  });
  const back = link('All lamps', hrefOf({ kind: 'tenant', domain, tab: 'lamps' }));
  const actions = account.mayChange ? [button('Reset lamp', 'danger', () => reset())] : [];
  const sections = { 'What happened': table.node, 'Who says so': said, 'Who was told': told };
  const parts = Object.entries(sections).map(([title, part]) =>
    element('section', { class: 'card' }, element('h3', {}, title), part),
  );
  const node = element(
    'section',
    {},
    element('p', {}, back),
    viewHead(`Why is ${user} so?`, ...actions),
    lamp,
    ...parts,
  );
  return { node, stop: () => table.stop() };
}

/** What is read or opened must not be built anew under the reader's hands. */
function unlessSame<A, B>(show: (a: A, b: B) => void): (a: A, b: B) => void {
  let before = '';
  return (a, b) => {
    const now = JSON.stringify([a, b]);
    if (now !== before) show(a, b);
    before = now;
  };
}

const changeColumns = (domain: string) => [
  { title: 'When', cell: ({ at }: Change) => timeCell(at) },
  {
    title: 'Lamp',
    cell: ({ from, to }: Change) => element('span', { class: 'turn' }, lampBadge(from), ' → ', lampBadge(to)),
  },
  {
    title: 'Because of',
    cell: ({ sources }: Change) =>
      element('ul', {}, ...sources.map((each) => element('li', {}, causeText(each, domain)))),
  },
  {
    title: 'Entity-tag',
    cell: ({ sources }: Change) => codeCell(sources.flatMap(({ entityTag }) => entityTag ?? []).join(' ') || '–'),
  },
  {
    title: 'Calls then',
    cell: ({ dialogs }: Change) =>
      dialogs.map(({ remote, ...dialog }) => dialogText({ ...dialog, remote: { uri: remote } }, domain)).join(', ') ||
      'None',
  },
  { title: 'Version', cell: ({ version }: Change) => String(version), isNumber: true },
];

interface Meant {
  readonly where: string;
  readonly user: string;
  /** Undefined: all of them. */
  readonly publication: string | undefined;
}

function resetLamp({ api, say }: ViewPorts, { where, user, publication }: Meant, done: () => void): void {
  const place = publication === undefined ? `${where}/publications` : `${where}/publications${path`/${publication}`}`;
  const text =
    publication === undefined
      ? `All that is published of ${user} is removed, and every watcher is told. A publisher that lives publishes anew.`
      : `This publication is removed, and every watcher is told.`;
  openForm(
    `Reset the lamp of ${user}?`,
    {
      fields: [{ name: 'force', label: 'Also what calls that are going on say', kind: 'checkbox' }],
      submitLabel: 'Reset',
      isDanger: true,
      submit: async ({ force }) => {
        const query = force === 'true' ? { force: 1 } : {};
        const { body } = await api.request('DELETE', place, RESET, { query });
        const kept = body.kept.length === 0 ? '' : ` Kept, for their calls are going on: ${body.kept.length}.`;
        say(`${countText(body.removed.length, 'publication')} of ${user} removed.${kept}`);
        done();
      },
    },
    element('p', {}, text),
  );
}
