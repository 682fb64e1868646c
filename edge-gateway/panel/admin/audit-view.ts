/** Who changed what: of a tenant, or of the deployment. */
import { path } from '#gateway/panel/admin/api.ts';
import { PagedTable } from '#gateway/panel/admin/paged-table.ts';
import { codeCell, timeCell, viewHead } from '#gateway/panel/admin/parts.ts';
import { AUDIT_LINE, type AuditLine } from '#gateway/panel/admin/shapes.ts';
import type { View, ViewPorts } from '#gateway/panel/admin/view.ts';
import { nameText } from '#gateway/panel/admin/words.ts';
import { element } from '#gateway/panel/dom.ts';

/** @param domain undefined: tenants, and the keys of operators */
export function auditView({ api }: ViewPorts, domain: string | undefined): View {
  const where = domain === undefined ? '/audit' : path`/tenants/${domain}/audit`;
  const table = new PagedTable<AuditLine>({
    caption: 'Changes, the newest first',
    columns: [
      { title: 'When', cell: ({ at }) => timeCell(at) },
      { title: 'Key', cell: ({ by }) => codeCell(by) },
      { title: 'What', cell: ({ action }) => nameText(action) },
      { title: 'Where', cell: ({ resource }) => codeCell(placeText(resource, domain)) },
      { title: 'Before and after', cell: changeCell },
    ],
    keyOf: ({ id, at }) => `${at} ${id}`,
    load: (cursor, signal) => api.page(where, AUDIT_LINE, { query: { cursor }, signal }),
    empty: 'Nothing was changed yet by the HTTP API, the command line or this console.',
  });
  return { node: element('section', {}, viewHead('Audit trail'), table.node), stop: () => table.stop() };
}

/** Within a tenant the path need not say so. */
function placeText(resource: string, domain: string | undefined): string {
  const prefix = domain === undefined ? '/v1' : path`/v1/tenants/${domain}`;
  return (resource.startsWith(prefix) && resource.slice(prefix.length)) || resource;
}

function changeCell({ before, after }: AuditLine): Node | string {
  if (before === undefined && after === undefined) return '–';
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  const lines = names.map((name) =>
    element('li', {}, `${name}: ${valueText(before?.[name])} → ${valueText(after?.[name])}`),
  );
  return element('details', {}, element('summary', {}, names.join(', ') || 'Show'), element('ul', {}, ...lines));
}

const valueText = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value));
