/** Devices of a tenant that are connected and registered. */
import { path } from '#gateway/panel/admin/api.ts';
import { PagedTable } from '#gateway/panel/admin/paged-table.ts';
import { codeCell, timeCell, viewHead } from '#gateway/panel/admin/parts.ts';
import { BINDING, type Binding } from '#gateway/panel/admin/shapes.ts';
import type { View, ViewPorts } from '#gateway/panel/admin/view.ts';
import { element } from '#gateway/panel/dom.ts';

const REFRESH_MS = 5_000;

export function connectionsView({ api }: ViewPorts, domain: string): View {
  const table = new PagedTable<Binding>({
    caption: `Devices of ${domain} by user`,
    columns: [
      { title: 'User', cell: ({ user }) => user },
      { title: 'Device', cell: ({ userAgent }) => userAgent ?? '–' },
      { title: 'Contact', cell: ({ contact }) => codeCell(contact) },
      { title: 'Gateway', cell: ({ gateway }) => codeCell(gateway) },
      { title: 'Since', cell: ({ createdAt, updatedAt }) => timeCell(createdAt ?? updatedAt) },
      { title: 'Registered until', cell: ({ expiresAt }) => timeCell(expiresAt) },
    ],
    keyOf: ({ user, id }) => `${user} ${id}`,
    load: (cursor, signal) => api.page(path`/tenants/${domain}/bindings`, BINDING, { query: { cursor }, signal }),
    empty: 'No device is registered. They show here as soon as somebody signs in.',
    refreshMs: REFRESH_MS,
  });
  return { node: element('section', {}, viewHead('Connections'), table.node), stop: () => table.stop() };
}
