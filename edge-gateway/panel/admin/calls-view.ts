/** Calls of a tenant that are going on. */
import { path } from '#gateway/panel/admin/api.ts';
import { confirm } from '#gateway/panel/admin/dialogs.ts';
import { PagedTable } from '#gateway/panel/admin/paged-table.ts';
import { button, timeCell, viewHead } from '#gateway/panel/admin/parts.ts';
import { CALL, type Call, NOTHING } from '#gateway/panel/admin/shapes.ts';
import type { View, ViewPorts } from '#gateway/panel/admin/view.ts';
import { nameText, shortAddress } from '#gateway/panel/admin/words.ts';
import { element } from '#gateway/panel/dom.ts';
import { durationText } from '#gateway/panel/wording.ts';

const REFRESH_MS = 2_000;

export function callsView(ports: ViewPorts, domain: string): View {
  const { api, account } = ports;
  const table: PagedTable<Call> = new PagedTable<Call>({
    caption: `Calls of ${domain}, the oldest first`,
    columns: [
      { title: 'From', cell: ({ from }) => shortAddress(from, domain) },
      { title: 'To', cell: ({ to }) => shortAddress(to, domain) },
      { title: 'State', cell: ({ state }) => nameText(state) },
      { title: 'Begun', cell: ({ init }) => timeCell(init) },
      {
        title: 'Talking',
        cell: ({ start, duration }) => (start === undefined ? '–' : durationText(duration * 1_000)),
        isNumber: true,
      },
      ...(account.mayChange ? [{ title: 'Actions', cell: (call: Call) => endButton(call) }] : []),
    ],
    keyOf: ({ id }) => id,
    load: (cursor, signal) => api.page(path`/tenants/${domain}/calls`, CALL, { query: { cursor }, signal }),
    empty: 'Nobody is in a call.',
    refreshMs: REFRESH_MS,
  });
  const endButton = (call: Call): Node =>
    button(
      'End',
      'danger',
      () => endCall(ports, domain, call, () => table.reload()),
      `End the call of ${shortAddress(call.from, domain)}`,
    );
  return { node: element('section', {}, viewHead('Calls'), table.node), stop: () => table.stop() };
}

function endCall({ api, say }: ViewPorts, domain: string, { callId, id, from, to }: Call, done: () => void): void {
  const parties = `${shortAddress(from, domain)} and ${shortAddress(to, domain)}`;
  confirm({
    title: 'End this call?',
    text: `${parties} are cut off at once.`,
    label: 'End call',
    act: async () => {
      await api.request('DELETE', path`/tenants/${domain}/calls/${callId}`, NOTHING, { query: { id } });
      done();
      say(`The call of ${parties} was ended.`);
    },
  });
}
