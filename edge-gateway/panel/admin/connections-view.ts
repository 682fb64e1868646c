/** Who of a tenant is connected now, with what and since when; below, the devices that are registered. */
import { path } from '#gateway/panel/admin/api.ts';
import { confirm } from '#gateway/panel/admin/dialogs.ts';
import { PagedTable } from '#gateway/panel/admin/paged-table.ts';
import { button, codeCell, timeCell, viewHead } from '#gateway/panel/admin/parts.ts';
import { BINDING, type Binding, CONNECTION, type Connection, NOTHING } from '#gateway/panel/admin/shapes.ts';
import type { View, ViewPorts } from '#gateway/panel/admin/view.ts';
import { element } from '#gateway/panel/dom.ts';

const REFRESH_MS = 5_000;

export function connectionsView(ports: ViewPorts, domain: string): View {
  const [connections, devices] = [connectionTable(ports, domain), deviceTable(ports, domain)];
  return {
    node: element(
      'section',
      {},
      ...[viewHead('Connections'), connections.node],
      ...[element('h3', {}, 'Registered devices'), devices.node],
    ),
    stop: () => {
      connections.stop();
      devices.stop();
    },
  };
}

function connectionTable(ports: ViewPorts, domain: string): PagedTable<Connection> {
  const { api, account } = ports;
  const where = path`/tenants/${domain}/connections`;
  const end = (connection: Connection): Node =>
    button(
      'Close',
      'danger',
      () => endConnection(ports, where, connection, () => table.reload()),
      `Close ${connection.id}`,
    );
  const table: PagedTable<Connection> = new PagedTable<Connection>({
    caption: `Connections of ${domain} by gateway`,
    columns: [
      { title: 'User', cell: ({ user }) => user },
      { title: 'With', cell: ({ userAgent, protocol }) => userAgent ?? PROTOCOLS[protocol] ?? protocol },
      { title: 'From', cell: ({ address, transport }) => `${address}, ${transport}` },
      { title: 'Since', cell: ({ since }) => timeCell(since) },
      { title: 'Signed in by', cell: proofCell },
      { title: 'Signed in until', cell: ({ expiresAt }) => timeCell(expiresAt, 'It closes') },
      { title: 'Watches', cell: ({ subscriptions }) => String(subscriptions), isNumber: true },
      ...(account.mayChange ? [{ title: 'Actions', cell: end }] : []),
    ],
    keyOf: ({ id }) => id,
    load: (cursor, signal) => api.page(where, CONNECTION, { query: { cursor }, signal }),
    empty: 'Nobody is connected. Who signs in shows here.',
    refreshMs: REFRESH_MS,
  });
  return table;
}

const PROTOCOLS: Readonly<Record<string, string>> = { sip: 'SIP', lamps: 'Lamps as JSON' };
const WAYS: Readonly<Record<string, string>> = {
  ...{ password: 'Password', sharedSecret: 'Portal', token: 'Token', issuer: 'Identity provider' },
};

function proofCell({ signedInBy, proof }: Connection): Node | string {
  const way = signedInBy === undefined ? '–' : (WAYS[signedInBy] ?? signedInBy);
  return proof === undefined ? way : element('span', {}, `${way} `, codeCell(proof));
}

function endConnection({ api, say }: ViewPorts, where: string, { id, user }: Connection, done: () => void): void {
  confirm({
    title: `Close this connection of ${user}?`,
    text: 'What it watches and its registration end. Its client may come back at once: who shall not needs another password, or its token revoked.',
    label: 'Close',
    act: async () => {
      await api.request('DELETE', `${where}${path`/${id}`}`, NOTHING);
      say(`The connection of ${user} was closed.`);
      done();
    },
  });
}

function deviceTable({ api }: ViewPorts, domain: string): PagedTable<Binding> {
  return new PagedTable<Binding>({
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
}
