/** Settings of a tenant: the common ones as a form, all of them as JSON, and its deletion. */
import { path } from '#gateway/panel/admin/api.ts';
import { confirm } from '#gateway/panel/admin/dialogs.ts';
import { createForm } from '#gateway/panel/admin/form.ts';
import { isRecord } from '#gateway/panel/admin/json.ts';
import { button, problemBox, viewHead } from '#gateway/panel/admin/parts.ts';
import { Refusal } from '#gateway/panel/admin/refusal.ts';
import {
  COMMON_SETTINGS,
  fieldsOf,
  QUOTA_SETTINGS,
  type Settings,
  withValues,
  writableSettings,
} from '#gateway/panel/admin/settings.ts';
import { NOTHING, SETTINGS } from '#gateway/panel/admin/shapes.ts';
import type { View, ViewPorts } from '#gateway/panel/admin/view.ts';
import { element } from '#gateway/panel/dom.ts';

export function settingsView(ports: ViewPorts, domain: string): View {
  const { api } = ports;
  const where = path`/tenants/${domain}`;
  const content = element('div', { class: 'settings' });
  const stopped = new AbortController();
  const show = async (): Promise<void> => {
    try {
      const { body, etag } = await api.get(where, SETTINGS, { signal: stopped.signal });
      content.replaceChildren(...formsOf(ports, domain, { settings: body, etag, again: () => void show() }));
    } catch (error) {
      if (!stopped.signal.aborted) content.replaceChildren(problemBox(error, () => void show()));
    }
  };
  void show();
  return { node: element('section', {}, viewHead('Settings'), content), stop: () => stopped.abort() };
}

interface Standing {
  readonly settings: Settings;
  readonly etag: string | undefined;
  again(): void;
}

function formsOf({ api, account, go, say }: ViewPorts, domain: string, { settings, etag, again }: Standing): Node[] {
  const writable = writableSettings(settings);
  const isOperator = account.tenant === undefined;
  const put = async (body: Settings): Promise<void> => {
    await api.request('PUT', path`/tenants/${domain}`, NOTHING, { body, ifMatch: etag });
    say('The settings were saved.');
    again();
  };
  const which = [...COMMON_SETTINGS, ...(isOperator ? QUOTA_SETTINGS : [])];
  const common = createForm({
    fields: fieldsOf(writable, which),
    submitLabel: 'Save',
    isReady: () => account.mayChange,
    submit: (values) => put(withValues(writable, which, values)),
  });
  const json = createForm({
    fields: [
      { name: 'json', label: 'All settings as JSON', kind: 'textarea', value: JSON.stringify(writable, null, 2) },
    ],
    submitLabel: 'Save JSON',
    isReady: () => account.mayChange,
    submit: (values) => put(parseSettings(values.json ?? '')),
  });
  const all = element('details', { class: 'card' }, element('summary', {}, 'All settings'), json);
  const end = isOperator && account.mayChange ? [deletion({ api, go, say }, domain)] : [];
  return [element('div', { class: 'card' }, common), all, ...end];
}

/** @throws {Refusal} */
function parseSettings(text: string): Settings {
  try {
    const value: unknown = JSON.parse(text);
    if (isRecord(value)) return value;
  } catch {
    // Said below.
  }
  throw new Refusal(0, 'This is no JSON object.', { advice: 'Look for a missing comma or quote.' });
}

function deletion({ api, go, say }: Pick<ViewPorts, 'api' | 'go' | 'say'>, domain: string): HTMLElement {
  const remove = button('Delete this tenant', 'danger', () =>
    confirm({
      title: `Delete ${domain}?`,
      text: 'All its users, lists, keys, lamps and records are removed, and its connections are closed. This cannot be undone.',
      typed: domain,
      label: 'Delete for good',
      act: async () => {
        await api.request('DELETE', path`/tenants/${domain}`, NOTHING);
        say(`${domain} is being deleted.`);
        go({ kind: 'tenants' });
      },
    }),
  );
  return element('div', { class: 'card' }, remove);
}
