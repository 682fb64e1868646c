/** What is done to one user: add, edit, password, delete. */
import { path } from '#gateway/panel/admin/api.ts';
import { confirm, openDialog, openForm, showSecret } from '#gateway/panel/admin/dialogs.ts';
import type { Field, Values } from '#gateway/panel/admin/form.ts';
import { problemBox } from '#gateway/panel/admin/parts.ts';
import { CREDENTIALS, NOTHING, SETTINGS } from '#gateway/panel/admin/shapes.ts';
import { writableUser } from '#gateway/panel/admin/user-import.ts';
import type { ViewPorts } from '#gateway/panel/admin/view.ts';

const PASSWORD: Field = {
  name: 'password',
  label: 'Password',
  kind: 'password',
  hint: 'Ten characters at least. Left empty, one is made up and shown once.',
};

const whereOf = (domain: string, user: string): string => path`/tenants/${domain}/users/${user}`;

const aboutFields = (about: Readonly<Record<string, unknown>> = {}): Field[] => [
  { name: 'displayName', label: 'Name', value: typeof about.displayName === 'string' ? about.displayName : '' },
  {
    name: 'groups',
    label: 'Groups',
    value: Array.isArray(about.groups) ? about.groups.join(', ') : '',
    hint: 'With commas between them; they say who watches whom.',
  },
];

function aboutOf({ displayName = '', groups = '' }: Values) {
  const names = groups.split(',').flatMap((group) => group.trim() || []);
  return { displayName: displayName || undefined, groups: names.length > 0 ? names : undefined };
}

export function addUser(ports: ViewPorts, domain: string, done: () => void): void {
  openForm(`Add a user to ${domain}`, {
    fields: [
      { name: 'user', label: 'User', placeholder: '1001', required: true, hint: 'What stands before the @.' },
      ...aboutFields(),
      {
        name: 'role',
        label: 'Role',
        choices: [
          ['user', 'User: has a lamp'],
          ['publisher', 'Publisher: a PBX that tells of others'],
        ],
        value: 'user',
      },
      PASSWORD,
    ],
    submitLabel: 'Add user',
    submit: async (values) => {
      const { user = '', role, password } = values;
      const body = { role, ...aboutOf(values), ...(password && { password }) };
      await ports.api.request('PUT', whereOf(domain, user), NOTHING, { body, ifNoneMatch: '*' });
      done();
      ports.say(`${user} was added.`);
      if (!password) await makePassword(ports, domain, user);
    },
  });
}

/** Reads the user first: what the form does not show must stay, and what others change meanwhile is not lost. */
export function editUser({ api, say }: ViewPorts, domain: string, user: string, done: () => void): void {
  const where = whereOf(domain, user);
  api.get(where, SETTINGS).then(
    ({ body, etag }) =>
      openForm(`Edit ${user}`, {
        fields: aboutFields(body),
        submitLabel: 'Save',
        submit: async (values) => {
          const changed = { ...writableUser(body), ...aboutOf(values) };
          await api.request('PUT', where, NOTHING, { body: changed, ifMatch: etag });
          done();
          say(`${user} was changed.`);
        },
      }),
    (error: unknown) => openDialog(`Edit ${user}`, problemBox(error)),
  );
}

export function setPassword(ports: ViewPorts, domain: string, user: string): void {
  openForm(`Password of ${user}`, {
    fields: [PASSWORD],
    submitLabel: 'Set password',
    submit: async ({ password }) => {
      if (!password) return makePassword(ports, domain, user);
      await ports.api.request('PUT', `${whereOf(domain, user)}/credentials`, CREDENTIALS, { body: { password } });
      ports.say(`${user} has a new password.`);
    },
  });
}

async function makePassword({ api }: ViewPorts, domain: string, user: string): Promise<void> {
  const { body } = await api.request('PUT', `${whereOf(domain, user)}/credentials`, CREDENTIALS, { body: {} });
  showSecret(`Password of ${user}@${domain}`, 'It is shown this once.', body.password ?? '');
}

export function deleteUser({ api, say }: ViewPorts, domain: string, user: string, done: () => void): void {
  confirm({
    title: `Delete ${user}?`,
    text: `${user}@${domain} is signed out, and its lamp and subscriptions end within seconds.`,
    label: 'Delete',
    act: async () => {
      await api.request('DELETE', whereOf(domain, user), NOTHING);
      done();
      say(`${user} was deleted.`);
    },
  });
}
