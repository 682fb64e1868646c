/** Webhooks of a tenant: where its events go, how that gets on, and a test of it. */
import { path } from '#gateway/panel/admin/api.ts';
import { confirm, openForm, showSecret } from '#gateway/panel/admin/dialogs.ts';
import type { Field, Values } from '#gateway/panel/admin/form.ts';
import { PagedTable } from '#gateway/panel/admin/paged-table.ts';
import { button, codeCell, timeCell, viewHead } from '#gateway/panel/admin/parts.ts';
import { NOTHING, SENT_TEST, WEBHOOK, WEBHOOK_SECRET, type Webhook } from '#gateway/panel/admin/shapes.ts';
import type { View, ViewPorts } from '#gateway/panel/admin/view.ts';
import { element } from '#gateway/panel/dom.ts';

const SHOWN_ONCE = 'It is shown this once: the receiver checks signatures with it (Standard Webhooks).';
const LOOK_EVERY_MS = 500;
const LOOKS = 40;

export function webhooksView(ports: ViewPorts, domain: string): View {
  const { api, account } = ports;
  const where = path`/tenants/${domain}/webhooks`;
  const table: PagedTable<Webhook> = new PagedTable<Webhook>({
    caption: `Webhooks of ${domain}`,
    columns: [
      { title: 'To', cell: ({ url }) => codeCell(url) },
      { title: 'What for', cell: ({ description }) => description ?? '–' },
      { title: 'Told of', cell: scopeText },
      { title: 'State', cell: ({ delivery }) => stateText(delivery) },
      { title: 'Last success', cell: ({ delivery }) => timeCell(delivery.lastSuccessAt, 'Never') },
      ...(account.mayChange ? [{ title: 'Actions', cell: (webhook: Webhook) => actionsOf(webhook) }] : []),
    ],
    keyOf: ({ id }) => id,
    load: (cursor, signal) => api.page(where, WEBHOOK, { query: { cursor }, signal }),
    empty: 'No webhook yet. One is told what happens, wherever your programs are.',
  });
  const done = (): void => table.reload();
  const actionsOf = (webhook: Webhook): Node => rowActions(ports, where, webhook, done);
  const actions = account.mayChange ? [button('Make a webhook', 'primary', () => makeWebhook(ports, where, done))] : [];
  return { node: element('section', {}, viewHead('Webhooks', ...actions), table.node), stop: () => table.stop() };
}

function rowActions(ports: ViewPorts, where: string, webhook: Webhook, done: () => void): Node {
  const own = `${where}${path`/${webhook.id}`}`;
  const name = webhook.description ?? webhook.url;
  const isOn = webhook.enabled;
  return element(
    'span',
    { class: 'row-actions' },
    ...(isOn ? [button('Test', 'quiet', () => void sendTest(ports, own, name, done), `Test ${name}`)] : []),
    button('Change', 'quiet', () => changeWebhook(ports, own, webhook, done), `Change ${name}`),
    button('Rotate', 'quiet', () => rotate(ports, own, name, done), `Rotate the secret of ${name}`),
    button('Remove', 'danger', () => remove(ports, own, name, done), `Remove ${name}`),
  );
}

function scopeText({ events, users, groups }: Webhook): string {
  const whom = [...(users ?? []), ...(groups ?? []).map((group) => `group ${group}`)];
  const isAll = users === undefined && groups === undefined;
  return `${events.join(', ')} of ${isAll ? 'everybody' : whom.join(', ') || 'nobody'}`;
}

function stateText({ state, lastFailure, disabled }: Webhook['delivery']): string {
  if (state === 'disabled') return disabled === undefined ? 'Switched off' : `Switched off: ${disabled.reason}`;
  return state === 'failing' ? `Failing: ${lastFailure?.reason ?? 'unknown'}` : 'Fine';
}

const fieldsOf = (webhook?: Webhook): readonly Field[] => [
  { name: 'url', label: 'Address', placeholder: 'https://…', required: true, value: webhook?.url ?? '' },
  { name: 'description', label: 'What it is for', value: webhook?.description ?? '' },
  { name: 'events', label: 'Told of', hint: 'lamp, presence, messages', value: webhook?.events.join(', ') ?? 'lamp' },
  {
    ...{ name: 'users', label: 'Of these users only', hint: 'Names with commas between them; nobody named: all' },
    value: webhook?.users?.join(', ') ?? '',
  },
  { name: 'groups', label: 'Of these groups only', value: webhook?.groups?.join(', ') ?? '' },
  { name: 'enabled', label: 'Switched on', kind: 'checkbox', value: String(webhook?.enabled ?? true) },
];

function bodyOf({ url, description, events, users, groups, enabled }: Values, before?: Webhook) {
  const names = (given = ''): string[] | undefined => {
    const all = given.split(',').flatMap((each) => each.trim() || []);
    return all.length === 0 ? undefined : all;
  };
  return {
    ...{ url, description: description || undefined, events: names(events), users: names(users) },
    ...{ groups: names(groups), enabled: enabled === 'true', watcher: before?.watcher },
  };
}

function makeWebhook({ api }: ViewPorts, where: string, done: () => void): void {
  openForm('Make a webhook', {
    fields: fieldsOf(),
    submitLabel: 'Make webhook',
    submit: async (values) => {
      const { body } = await api.request('POST', where, WEBHOOK_SECRET, { body: bodyOf(values) });
      done();
      showSecret(`The secret of webhook ${body.id}`, SHOWN_ONCE, body.secret);
    },
  });
}

function changeWebhook({ api, say }: ViewPorts, own: string, webhook: Webhook, done: () => void): void {
  openForm('Change the webhook', {
    fields: fieldsOf(webhook),
    submitLabel: 'Save',
    submit: async (values) => {
      await api.request('PUT', own, WEBHOOK, { body: bodyOf(values, webhook) });
      say('The webhook was saved.');
      done();
    },
  });
}

/** Says what became of it as soon as that is known. */
async function sendTest({ api, say }: ViewPorts, own: string, name: string, done: () => void): Promise<void> {
  try {
    const { body } = await api.request('POST', `${own}/test`, SENT_TEST);
    say(`A test is on its way to ${name}.`);
    for (let look = 0; look < LOOKS; look += 1) {
      const { lastTest } = (await api.get(own, WEBHOOK)).body.delivery;
      if (lastTest?.id === body.id) {
        say(lastTest.outcome === 'delivered' ? `${name} took the test.` : `${name} did not: ${lastTest.outcome}.`);
        return done();
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    say(`Nothing is known yet of the test of ${name}.`);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
  }
}

function rotate({ api }: ViewPorts, own: string, name: string, done: () => void): void {
  const choices = [
    ['0', 'no time: it ends now'],
    ['3600', 'an hour'],
    ['86400', 'a day'],
    ['604800', 'a week'],
  ] as const;
  openForm(`Give ${name} another secret`, {
    fields: [{ name: 'graceSeconds', label: 'The old one signs too for', choices, value: '86400' }],
    submitLabel: 'Rotate',
    submit: async ({ graceSeconds }) => {
      const body = { graceSeconds: Number(graceSeconds) };
      const made = await api.request('POST', `${own}/rotate`, WEBHOOK_SECRET, { body });
      done();
      showSecret(`The new secret of ${name}`, SHOWN_ONCE, made.body.secret);
    },
  });
}

function remove({ api, say }: ViewPorts, own: string, name: string, done: () => void): void {
  confirm({
    title: `Remove ${name}?`,
    text: 'It is told nothing more, and what waits for it goes too.',
    label: 'Remove',
    act: async () => {
      await api.request('DELETE', own, NOTHING);
      say(`${name} was removed.`);
      done();
    },
  });
}
