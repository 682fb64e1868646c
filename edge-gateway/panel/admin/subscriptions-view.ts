/** Who of a tenant watches whom. */
import { path } from '#gateway/panel/admin/api.ts';
import { PagedTable } from '#gateway/panel/admin/paged-table.ts';
import { codeCell, link, timeCell, viewHead } from '#gateway/panel/admin/parts.ts';
import { hrefOf } from '#gateway/panel/admin/place.ts';
import { SUBSCRIPTION, type Subscription } from '#gateway/panel/admin/shapes.ts';
import type { View, ViewPorts } from '#gateway/panel/admin/view.ts';
import { shortAddress } from '#gateway/panel/admin/words.ts';
import { element } from '#gateway/panel/dom.ts';

const REFRESH_MS = 5_000;

export function subscriptionsView({ api }: ViewPorts, domain: string): View {
  const table = new PagedTable<Subscription>({
    caption: `Subscriptions of ${domain}, by who is watched`,
    columns: [
      {
        title: 'Watched',
        cell: ({ user }) => link(user, hrefOf({ kind: 'tenant', domain, tab: 'lamps', user })),
      },
      { title: 'By', cell: ({ watcher }) => shortAddress(watcher, domain) },
      { title: 'Event', cell: ({ event }) => event },
      { title: 'Documents', cell: ({ contentType, profile }) => profile ?? contentType ?? '–' },
      { title: 'Gateway', cell: ({ gateway }) => codeCell(gateway) },
      { title: 'Since', cell: ({ createdAt }) => timeCell(createdAt) },
      { title: 'Until', cell: ({ expiresAt }) => timeCell(expiresAt) },
    ],
    keyOf: ({ user, id }) => `${user} ${id}`,
    load: (cursor, signal) =>
      api.page(path`/tenants/${domain}/subscriptions`, SUBSCRIPTION, { query: { cursor }, signal }),
    empty: 'Nobody watches anybody now.',
    refreshMs: REFRESH_MS,
  });
  return { node: element('section', {}, viewHead('Subscriptions'), table.node), stop: () => table.stop() };
}
