/** All tenants: for operators. */
import { path } from '#gateway/panel/admin/api.ts';
import { openForm } from '#gateway/panel/admin/dialogs.ts';
import { PagedTable } from '#gateway/panel/admin/paged-table.ts';
import { button, link, viewHead } from '#gateway/panel/admin/parts.ts';
import { hrefOf } from '#gateway/panel/admin/place.ts';
import { NOTHING, TENANT, type Tenant } from '#gateway/panel/admin/shapes.ts';
import type { View, ViewPorts } from '#gateway/panel/admin/view.ts';
import { element } from '#gateway/panel/dom.ts';

export function tenantsView(ports: ViewPorts): View {
  const { api, account } = ports;
  const table = new PagedTable<Tenant>({
    caption: 'Tenants by domain',
    columns: [
      { title: 'Domain', cell: ({ domain }) => link(domain, hrefOf({ kind: 'tenant', domain, tab: 'lamps' })) },
      { title: 'Name', cell: ({ displayName }) => displayName ?? '–' },
      { title: 'State', cell: ({ state }) => (state === 'deleting' ? 'Being deleted' : 'Active') },
    ],
    keyOf: ({ domain }) => domain,
    load: (cursor, signal) => api.page('/tenants', TENANT, { query: { cursor }, signal }),
    empty: 'No company yet. Add the first one: its domain is what stands behind the @ of its users.',
  });
  const actions = account.mayChange ? [button('Add tenant', 'primary', () => addTenant(ports))] : [];
  const node = element('section', {}, viewHead('Tenants', ...actions), table.node);
  return { node, stop: () => table.stop() };
}

function addTenant({ api, go, say }: ViewPorts): void {
  openForm('Add a tenant', {
    fields: [
      {
        name: 'domain',
        label: 'Domain',
        placeholder: 'company.example',
        required: true,
        hint: 'Behind the @ of its users. It cannot be changed.',
      },
      { name: 'displayName', label: 'Name for people', placeholder: 'Company Ltd.' },
    ],
    submitLabel: 'Add tenant',
    submit: async ({ domain = '', displayName }) => {
      const name = domain.toLowerCase();
      const body = displayName ? { displayName } : {};
      await api.request('PUT', path`/tenants/${name}`, NOTHING, { body, ifNoneMatch: '*' });
      say(`${name} was added.`);
      go({ kind: 'tenant', domain: name, tab: 'users' });
    },
  });
}
