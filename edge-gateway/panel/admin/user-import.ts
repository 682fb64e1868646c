/** Puts users one by one, some at once, so that it may be stopped and repeated at any time. */
import type { Api } from '#gateway/panel/admin/api.ts';
import { path } from '#gateway/panel/admin/api.ts';
import type { LineProblem, UserRow } from '#gateway/panel/admin/csv.ts';
import { Refusal } from '#gateway/panel/admin/refusal.ts';
import { NOTHING, SETTINGS } from '#gateway/panel/admin/shapes.ts';

export interface ImportCounts {
  readonly done: number;
  readonly total: number;
}

export interface ImportReport {
  readonly created: number;
  readonly updated: number;
  readonly failures: readonly LineProblem[];
  /** Not tried, since it was stopped or all would have failed the same way. */
  readonly left: number;
}

export type Put = (row: UserRow) => Promise<'created' | 'updated'>;

const AT_ONCE = 4;

export async function importUsers(
  rows: readonly UserRow[],
  put: Put,
  tell: (counts: ImportCounts) => void,
  stopped: AbortController,
): Promise<ImportReport> {
  const counts = { created: 0, updated: 0 };
  const failures: LineProblem[] = [];
  const waiting = rows.values();
  let done = 0;
  const work = async (): Promise<void> => {
    for (const row of waiting) {
      if (stopped.signal.aborted) return;
      try {
        counts[await put(row)]++;
      } catch (error) {
        failures.push({ line: row.line, user: row.user, problem: problemText(error) });
        if (isHopeless(error)) stopped.abort();
      }
      tell({ done: ++done, total: rows.length });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { ...counts, failures: failures.sort((a, b) => a.line - b.line), left: rows.length - done };
}

/**
 * A user that is there keeps what the file does not say of it, its password above all.
 * @param makePassword for new users without one; undefined: nobody can sign in as them yet
 */
export function putterOf(api: Api, domain: string, makePassword: ((user: string) => string) | undefined): Put {
  return async ({ line: _line, user, password, ...given }) => {
    const where = path`/tenants/${domain}/users/${user}`;
    const ofFile = password === undefined ? given : { ...given, password };
    const made = password ?? makePassword?.(user);
    try {
      const body = made === undefined ? given : { ...given, password: made };
      await api.request('PUT', where, NOTHING, { body, ifNoneMatch: '*' });
      return 'created';
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 412) throw error;
    }
    const { body: standing, etag } = await api.get(where, SETTINGS);
    await api.request('PUT', where, NOTHING, { body: { ...writableUser(standing), ...ofFile }, ifMatch: etag });
    return 'updated';
  };
}

/** What PUT takes of what GET gives. */
export const writableUser = ({ role, displayName, groups, watch }: Readonly<Record<string, unknown>>) => ({
  ...{ role, displayName, groups, watch },
});

function problemText(error: unknown): string {
  if (!(error instanceof Refusal)) return String(error);
  return [error.message, ...error.errors.map(({ member, detail }) => `${member} ${detail}`)].join(' ');
}

/** A key that is refused, or nobody there: the others would fail the same way. */
const isHopeless = (error: unknown): boolean => error instanceof Refusal && [0, 401, 403].includes(error.status);

const PASSWORD_BYTES = 15;

/** 120 bits, in letters that nobody has to escape. */
export function randomPassword(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(PASSWORD_BYTES));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_');
}

/** The passwords that were made up, as a file for whoever hands them out. */
export function passwordFile(passwords: ReadonlyMap<string, string>): string {
  const lines = [...passwords].map(([user, password]) => `${quoted(user)},${quoted(password)}`);
  return ['user,password', ...lines, ''].join('\r\n');
}

/** In quotes, so that a comma is no separator; a spreadsheet must not take a name for a formula. */
const quoted = (text: string): string => `"${/^[=+\-@]/.test(text) ? `'${text}` : text}"`;
