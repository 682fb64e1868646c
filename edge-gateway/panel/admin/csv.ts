/** Users in a CSV file (RFC 4180): a line of titles, then one line each. Pure. */

export interface UserRow {
  /** In the file, from 1 on. */
  readonly line: number;
  readonly user: string;
  readonly displayName?: string;
  readonly password?: string;
  readonly groups?: readonly string[];
  readonly role: 'user' | 'publisher';
}

/** A line that cannot be imported. */
export interface LineProblem {
  readonly line: number;
  readonly user: string;
  readonly problem: string;
}

export interface UserRows {
  readonly rows: readonly UserRow[];
  readonly problems: readonly LineProblem[];
}

const COLUMNS = ['user', 'displayname', 'password', 'groups', 'role'] as const;
type Column = (typeof COLUMNS)[number];
const USER = /^[A-Za-z0-9_.!~*'()&=+$,;?-]{1,64}$/;
const MOST_ROWS = 100_000;
const KNOWN = 'The first line names the columns: user,displayName,password,groups,role. Only user must be there.';

/**
 * Reads the file. Titles may be in any order and case; groups stand in one field, with `;` between them.
 * @returns words for the person when it is no such file
 */
export function readUserRows(file: string): UserRows | { readonly mistake: string } {
  const records = readRecords(file.replace(/^\uFEFF/, ''));
  if (records === undefined) return { mistake: 'A quoted field does not end, or goes on after its quote.' };
  const [titles, ...lines] = records;
  if (titles === undefined) return { mistake: `The file is empty. ${KNOWN}` };
  const columns = titles.fields.map((title) => title.toLowerCase().replace(/[\s_-]/g, ''));
  const mistake = mistakeIn(columns, titles.fields);
  if (mistake !== undefined) return { mistake: `${mistake} ${KNOWN}` };
  if (lines.length > MOST_ROWS) return { mistake: `The file has more than ${MOST_ROWS} users: split it.` };
  return sortOut(lines, columns as Column[]);
}

function mistakeIn(columns: readonly string[], titles: readonly string[]): string | undefined {
  if (!columns.includes('user')) return 'There is no column user.';
  const unknown = columns.findIndex((column) => !(COLUMNS as readonly string[]).includes(column));
  if (unknown >= 0) return `The column “${titles[unknown] ?? ''}” is not known.`;
  const twice = columns.find((column, index) => columns.indexOf(column) !== index);
  return twice === undefined ? undefined : `The column ${twice} stands twice.`;
}

function sortOut(lines: readonly CsvRecord[], columns: readonly Column[]): UserRows {
  const seen = new Map<string, number>();
  const rows: UserRow[] = [];
  const problems: LineProblem[] = [];
  for (const { line, fields } of lines) {
    const given = Object.fromEntries(columns.map((column, index) => [column, (fields[index] ?? '').trim()]));
    const row = readRow(line, given as Record<Column, string>, seen);
    if (fields.length > columns.length) problems.push({ line, user: row.user, problem: 'has more fields than titles' });
    else if ('problem' in row) problems.push(row);
    else rows.push(row);
  }
  return { rows, problems };
}

function readRow(line: number, given: Record<Column, string>, seen: Map<string, number>): UserRow | LineProblem {
  const { user, displayname = '', password = '', groups = '', role: title = '' } = given;
  if (!USER.test(user)) return { line, user, problem: user === '' ? 'has no user' : 'has no good user name' };
  const earlier = seen.get(user);
  if (earlier !== undefined) return { line, user, problem: `names the same user as line ${earlier}` };
  seen.set(user, line);
  const role = title.toLowerCase() || 'user';
  if (role !== 'user' && role !== 'publisher') return { line, user, problem: 'has a role that is not known' };
  const names = groups.split(';').flatMap((group) => group.trim() || []);
  return {
    ...{ line, user, role },
    ...(displayname !== '' && { displayName: displayname }),
    ...(password !== '' && { password }),
    ...(names.length > 0 && { groups: names }),
  };
}

interface CsvRecord {
  readonly line: number;
  readonly fields: readonly string[];
}

/** @returns undefined when quotes do not match */
function readRecords(text: string): CsvRecord[] | undefined {
  const [first = ''] = text.split('\n', 1);
  // Spreadsheets of some countries write semicolons.
  const separator = first.includes(';') && !first.includes(',') ? ';' : ',';
  const field = new RegExp(
    `[ \\t]*"((?:[^"]|"")*)"[ \\t]*(${separator}|\\r?\\n|$)|([^"${separator}\\r\\n]*)(${separator}|\\r?\\n|$)`,
    'y',
  );
  const records: CsvRecord[] = [];
  let fields: string[] = [];
  let [line, begunAt] = [1, 1];
  while (field.lastIndex < text.length || fields.length > 0) {
    const match = field.exec(text);
    if (match === null) return undefined;
    const [all, quoted, quotedEnd, plain = '', plainEnd] = match;
    fields.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    line += all.split('\n').length - 1;
    if ((quotedEnd ?? plainEnd) === separator) continue;
    if (fields.some((each) => each !== '')) records.push({ line: begunAt, fields });
    [fields, begunAt] = [[], line];
  }
  return records;
}
