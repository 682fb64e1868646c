/** Users and publishers of a tenant. */
import { PAGE_SIZE, path } from '#gateway/panel/admin/api.ts';
import { openImport } from '#gateway/panel/admin/import-dialog.ts';
import { PagedTable } from '#gateway/panel/admin/paged-table.ts';
import { button, link, viewHead } from '#gateway/panel/admin/parts.ts';
import { hrefOf } from '#gateway/panel/admin/place.ts';
import { USER, type User } from '#gateway/panel/admin/shapes.ts';
import { addUser, deleteUser, editUser, setPassword } from '#gateway/panel/admin/user-dialogs.ts';
import { searchUsers } from '#gateway/panel/admin/user-search.ts';
import type { View, ViewPorts } from '#gateway/panel/admin/view.ts';
import { element } from '#gateway/panel/dom.ts';

const SEARCH_PAGE = 200;
const SEARCH_AFTER_MS = 300;

export function usersView(ports: ViewPorts, domain: string): View {
  const { api, account } = ports;
  const where = path`/tenants/${domain}/users`;
  const search = element('input', {
    type: 'search',
    'aria-label': 'Search users',
    placeholder: 'Number, name or group',
  });
  const table: PagedTable<User> = new PagedTable<User>({
    caption: `Users of ${domain}`,
    columns: [
      { title: 'User', cell: ({ user, role }) => (role === 'user' ? lampLink(domain, user) : user) },
      { title: 'Name', cell: ({ displayName }) => displayName ?? '–' },
      { title: 'Groups', cell: ({ groups }) => groups?.join(', ') || '–' },
      { title: 'Role', cell: ({ role }) => (role === 'publisher' ? 'Publisher' : 'User') },
      ...(account.mayChange ? [{ title: 'Actions', cell: (user: User) => actionsOf(user) }] : []),
    ],
    keyOf: ({ user }) => user,
    load: (cursor, signal) => {
      const needle = search.value.trim();
      if (needle === '') return api.page(where, USER, { query: { cursor }, signal });
      const all = (from: string | undefined) =>
        api.page(where, USER, { query: { cursor: from, limit: SEARCH_PAGE }, signal });
      return searchUsers(all, needle, cursor, PAGE_SIZE);
    },
    empty: 'Nobody here. Add a user, import a list of them, or search for something else.',
  });
  const done = (): void => table.reload();
  const actionsOf = ({ user }: User): Node =>
    element(
      'span',
      { class: 'row-actions' },
      button('Edit', 'quiet', () => editUser(ports, domain, user, done), `Edit ${user}`),
      button('Password', 'quiet', () => setPassword(ports, domain, user), `Password of ${user}`),
      button('Delete', 'danger', () => deleteUser(ports, domain, user, done), `Delete ${user}`),
    );
  const actions = account.mayChange
    ? [
        button('Import CSV', 'quiet', () => openImport(ports, domain, done)),
        button('Add user', 'primary', () => addUser(ports, domain, done)),
      ]
    : [];
  const timer = searchWhenTyped(search, table);
  const node = element('section', {}, viewHead('Users', search, ...actions), table.node);
  return {
    node,
    stop: () => {
      timer();
      table.stop();
    },
  };
}

const lampLink = (domain: string, user: string): Node =>
  link(user, hrefOf({ kind: 'tenant', domain, tab: 'lamps', user }));

function searchWhenTyped(search: HTMLInputElement, table: PagedTable<User>): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  search.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(() => table.restart(), SEARCH_AFTER_MS);
  });
  return () => clearTimeout(timer);
}
