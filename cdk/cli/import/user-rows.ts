/** Users in a CSV file: a line of titles, then one line each. Pure. */
import { CsvError, parse } from 'csv-parse/sync';
import { usageFailure } from '../failure.ts';

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
  readonly user?: string;
  readonly problem: string;
}

export interface UserRows {
  readonly rows: readonly UserRow[];
  readonly problems: readonly LineProblem[];
}

const COLUMNS = ['user', 'displayname', 'password', 'groups', 'role'] as const;
const MOST_ROWS = 100_000;
const USER = /^[A-Za-z0-9_.!~*'()&=+$,;?-]{1,64}$/;

/**
 * Reads the file. Titles may be in any order and case; groups stand in one field, with `;` between them.
 * @throws {CliFailure} when it is no such file
 */
export function readUserRows(text: string): UserRows {
  const records = parseCsv(text);
  const seen = new Map<string, number>();
  const rows: UserRow[] = [];
  const problems: LineProblem[] = [];
  for (const { record, info } of records) {
    const read = readRow(record, info.lines, seen);
    if ('problem' in read) problems.push(read);
    else rows.push(read);
  }
  return { rows, problems };
}

type Record_ = Readonly<Partial<Record<string, string>>>;

function parseCsv(text: string): { record: Record_; info: { lines: number } }[] {
  try {
    const records: unknown = parse(text, {
      ...{ bom: true, info: true, trim: true, skip_empty_lines: true, delimiter: delimiterOf(text) },
      ...{ to: MOST_ROWS + 1, columns: checkedTitles },
    });
    const rows = records as { record: Record_; info: { lines: number } }[];
    if (rows.length > MOST_ROWS) throw usageFailure(`the file has more than ${MOST_ROWS} users.`, 'Split it.');
    return rows;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw usageFailure(`the file is no CSV: ${error.message}`, 'Quote fields that have commas in them.');
  }
}

/** Spreadsheets of some countries write semicolons. */
function delimiterOf(text: string): string {
  const [titles = ''] = text.split('\n', 1);
  return titles.includes(';') && !titles.includes(',') ? ';' : ',';
}

function checkedTitles(titles: readonly string[]): string[] {
  const names = titles.map((title) => title.toLowerCase().replaceAll(/[\s_-]/g, ''));
  const unknown = titles.filter((_, index) => !COLUMNS.includes((names[index] ?? '') as (typeof COLUMNS)[number]));
  const known = 'The first line names the columns: user,displayName,password,groups,role; only user must be there.';
  if (!names.includes('user')) throw usageFailure('the file has no column user.', known);
  if (unknown.length > 0) throw usageFailure(`the column ${unknown[0]} is not known.`, known);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw usageFailure(`the column ${twice} stands twice.`, known);
  return names;
}

function readRow(record: Record_, line: number, seen: Map<string, number>): UserRow | LineProblem {
  const { user = '', displayname = '', password = '', groups = '', role = '' } = record;
  if (!USER.test(user))
    return { line, ...(user && { user }), problem: user === '' ? 'there is no user' : 'this is no user name' };
  const earlier = seen.get(user);
  if (earlier !== undefined) return { line, user, problem: `the same user stands in line ${earlier}` };
  seen.set(user, line);
  const kind = role.toLowerCase() || 'user';
  if (kind !== 'user' && kind !== 'publisher')
    return { line, user, problem: `the role ${role} is neither user nor publisher` };
  const names = groups
    .split(';')
    .map((group) => group.trim())
    .filter((group) => group !== '');
  return {
    ...{ line, user, role: kind },
    ...(displayname !== '' && { displayName: displayname }),
    ...(password !== '' && { password }),
    ...(names.length > 0 && { groups: names }),
  };
}
