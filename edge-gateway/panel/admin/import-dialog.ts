/** Import of users from a CSV file: choose, look, watch it go, read what failed. */
import { readUserRows, type UserRows } from '#gateway/panel/admin/csv.ts';
import { openDialog } from '#gateway/panel/admin/dialogs.ts';
import { button } from '#gateway/panel/admin/parts.ts';
import {
  type ImportReport,
  importUsers,
  passwordFile,
  putterOf,
  randomPassword,
} from '#gateway/panel/admin/user-import.ts';
import type { ViewPorts } from '#gateway/panel/admin/view.ts';
import { countText } from '#gateway/panel/admin/words.ts';
import { element, setText } from '#gateway/panel/dom.ts';

const MOST_SHOWN = 50;
const MOST_BYTES = 8 * 1024 * 1024;

export function openImport(ports: ViewPorts, domain: string, done: () => void): void {
  const stopped = new AbortController();
  const file = element('input', { type: 'file', accept: '.csv,text/csv', id: 'import-file' });
  const make = element('input', { type: 'checkbox', id: 'import-passwords' });
  const outcome = element('div', { class: 'import-outcome', role: 'status' });
  const start = button('Import', 'primary', () => void run());
  const close = button('Close', 'quiet', () => dialog.close());
  let read: UserRows | undefined;
  start.disabled = true;
  file.addEventListener('change', () => void look());

  const look = async (): Promise<void> => {
    const [chosen] = file.files ?? [];
    const rows =
      chosen && (chosen.size > MOST_BYTES ? { mistake: 'The file is too large.' } : readUserRows(await chosen.text()));
    read = rows && 'rows' in rows ? rows : undefined;
    start.disabled = read === undefined || read.rows.length === 0;
    outcome.replaceChildren(...(rows === undefined ? [] : 'mistake' in rows ? [problem(rows.mistake)] : foundIn(rows)));
  };
  const run = async (): Promise<void> => {
    if (read === undefined) return;
    for (const part of [start, file, make]) part.disabled = true;
    setText(close, 'Stop');
    const report = await runImport(ports, domain, read, { isMaking: make.checked, outcome, stopped });
    outcome.append(...failuresOf([...read.problems, ...report.failures]));
    setText(close, 'Close');
    done();
  };
  const dialog = openDialog(
    `Import users to ${domain}`,
    element(
      'p',
      { class: 'hint' },
      'Columns: user, displayName, password, groups (with ; between them), role. Only user must be there. It may be repeated: who is there is changed, not doubled.',
    ),
    element('div', { class: 'field' }, element('label', { for: 'import-file' }, 'CSV file'), file),
    element(
      'div',
      { class: 'field switch' },
      make,
      element('label', { for: 'import-passwords' }, 'Make up passwords for new users without one'),
    ),
    outcome,
    element('div', { class: 'actions' }, close, start),
  );
  dialog.addEventListener('close', () => stopped.abort());
}

interface Run {
  readonly isMaking: boolean;
  readonly outcome: HTMLElement;
  readonly stopped: AbortController;
}

async function runImport(
  { api, say }: ViewPorts,
  domain: string,
  { rows }: UserRows,
  { isMaking, outcome, stopped }: Run,
): Promise<ImportReport> {
  const progress = element('progress', { max: String(rows.length), 'aria-label': 'Imported users' });
  const words = element('p', {}, `0 of ${rows.length}`);
  outcome.replaceChildren(progress, words);
  const offered = new Map<string, string>();
  const created = new Map<string, string>();
  const make = (user: string): string => {
    const password = randomPassword();
    offered.set(user, password);
    return password;
  };
  const put = putterOf(api, domain, isMaking ? make : undefined);
  const report = await importUsers(
    rows,
    async (row) => {
      const kind = await put(row);
      const password = offered.get(row.user);
      if (kind === 'created' && password !== undefined) created.set(row.user, password);
      return kind;
    },
    ({ done, total }) => {
      progress.value = done;
      setText(words, `${done} of ${total}`);
    },
    stopped,
  );
  const left = report.left === 0 ? '' : `, ${report.left} not tried`;
  setText(words, `${report.created} added, ${report.updated} changed, ${report.failures.length} refused${left}.`);
  if (created.size > 0) outcome.append(passwordLink(domain, created));
  say(`Import into ${domain}: ${words.textContent}`);
  return report;
}

/** A file of this page: nothing is sent anywhere. */
function passwordLink(domain: string, passwords: ReadonlyMap<string, string>): HTMLElement {
  const href = URL.createObjectURL(new Blob([passwordFile(passwords)], { type: 'text/csv' }));
  const link = element(
    'a',
    { href, download: `passwords-${domain}.csv` },
    `Save ${countText(passwords.size, 'password')}`,
  );
  return element('p', {}, link, ' before you close this: they are not shown again.');
}

const problem = (text: string): HTMLElement => element('p', { class: 'problem', role: 'alert' }, text);

const foundIn = ({ rows, problems }: UserRows): Node[] => [
  element('p', {}, `${countText(rows.length, 'user')} to import.`),
  ...failuresOf(problems),
];

function failuresOf(problems: UserRows['problems']): Node[] {
  if (problems.length === 0) return [];
  const more = problems.length > MOST_SHOWN ? [element('li', {}, `and ${problems.length - MOST_SHOWN} more`)] : [];
  const items = problems
    .slice(0, MOST_SHOWN)
    .map(({ line, user, problem }) => element('li', {}, `Line ${line}${user === '' ? '' : `, ${user}`}: ${problem}`));
  return [element('ul', { class: 'failures', 'aria-label': 'Lines that were not imported' }, ...items, ...more)];
}
