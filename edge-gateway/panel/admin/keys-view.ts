/** API keys: of a tenant, or of operators. */
import { path } from '#gateway/panel/admin/api.ts';
import { confirm, openForm, showSecret } from '#gateway/panel/admin/dialogs.ts';
import { PagedTable } from '#gateway/panel/admin/paged-table.ts';
import { button, codeCell, timeCell, viewHead } from '#gateway/panel/admin/parts.ts';
import { KEY, type Key, MADE_KEY, NOTHING } from '#gateway/panel/admin/shapes.ts';
import type { View, ViewPorts } from '#gateway/panel/admin/view.ts';
import { element } from '#gateway/panel/dom.ts';

const SHOWN_ONCE = 'It is shown this once, and kept nowhere: give it to whom it is for.';
const DAY_MS = 24 * 3_600_000;

/** @param domain undefined: the keys of operators */
export function keysView(ports: ViewPorts, domain: string | undefined): View {
  const { api, account } = ports;
  const where = domain === undefined ? '/keys' : path`/tenants/${domain}/keys`;
  const table: PagedTable<Key> = new PagedTable<Key>({
    caption: domain === undefined ? 'Keys of operators' : `Keys of ${domain}`,
    columns: [
      { title: 'Key', cell: ({ prefix }) => codeCell(`${prefix}…`) },
      { title: 'Name', cell: ({ name }) => name },
      { title: 'May', cell: ({ permission }) => PERMISSIONS[permission] ?? permission },
      { title: 'Created', cell: ({ createdAt }) => timeCell(createdAt) },
      { title: 'Last used', cell: ({ lastUsedAt }) => timeCell(lastUsedAt, 'Never') },
      { title: 'Ends', cell: ({ expiresAt }) => timeCell(expiresAt, 'When revoked') },
      ...(account.mayChange ? [{ title: 'Actions', cell: (key: Key) => actionsOf(key) }] : []),
    ],
    keyOf: ({ id }) => id,
    load: (cursor, signal) => api.page(where, KEY, { query: { cursor }, signal }),
    empty: 'No key yet. Programs and the command line sign in with one.',
  });
  const done = (): void => table.reload();
  const actionsOf = (key: Key): Node =>
    element(
      'span',
      { class: 'row-actions' },
      button('Rotate', 'quiet', () => rotateKey(ports, where, key, done), `Rotate ${key.name}`),
      button('Revoke', 'danger', () => revokeKey(ports, where, key, done), `Revoke ${key.name}`),
    );
  const actions = account.mayChange ? [button('Make a key', 'primary', () => makeKey(ports, where, done))] : [];
  const title = domain === undefined ? 'Keys of operators' : 'Keys';
  return { node: element('section', {}, viewHead(title, ...actions), table.node), stop: () => table.stop() };
}

const PERMISSIONS: Readonly<Record<string, string>> = {
  admin: 'Everything',
  ingest: 'Tell what happens',
  read: 'Look only',
};

function makeKey({ api }: ViewPorts, where: string, done: () => void): void {
  openForm('Make a key', {
    fields: [
      { name: 'name', label: 'What it is for', placeholder: 'PBX in Berlin', required: true },
      { name: 'permission', label: 'What it may do', choices: Object.entries(PERMISSIONS), value: 'admin' },
      { name: 'days', label: 'Good for (days)', kind: 'number', placeholder: 'until it is revoked' },
    ],
    submitLabel: 'Make key',
    submit: async ({ name, permission, days }) => {
      const expiresAt = days ? new Date(Date.now() + Number(days) * DAY_MS).toISOString() : undefined;
      const { body } = await api.request('POST', where, MADE_KEY, { body: { name, permission, expiresAt } });
      done();
      showSecret(`The new key ${body.prefix}…`, SHOWN_ONCE, body.key);
    },
  });
}

function rotateKey({ api }: ViewPorts, where: string, { id, name }: Key, done: () => void): void {
  openForm(`Give ${name} another secret`, {
    fields: [
      {
        name: 'graceSeconds',
        label: 'The old one stays good for',
        choices: [
          ['0', 'no time: it ends now'],
          ['3600', 'an hour'],
          ['86400', 'a day'],
          ['604800', 'a week'],
        ],
        value: '3600',
      },
    ],
    submitLabel: 'Rotate',
    submit: async ({ graceSeconds }) => {
      const body = { graceSeconds: Number(graceSeconds) };
      const made = await api.request('POST', `${where}${path`/${id}/rotate`}`, MADE_KEY, { body });
      done();
      showSecret(`The new secret of ${name}`, SHOWN_ONCE, made.body.key);
    },
  });
}

function revokeKey({ api, say, account }: ViewPorts, where: string, key: Key, done: () => void): void {
  const isOwn = key.prefix === account.prefix;
  confirm({
    title: `Revoke ${key.name}?`,
    text: `Whoever uses ${key.prefix}… is refused within seconds.${isOwn ? ' It is the key that you are signed in with: you will be signed out.' : ''}`,
    typed: key.prefix,
    label: 'Revoke',
    act: async () => {
      await api.request('DELETE', `${where}${path`/${key.id}`}`, NOTHING);
      say(`${key.name} was revoked.`);
      done();
    },
  });
}
