/** Puts users one by one, so that it may be stopped and repeated at any time. */
import { randomBytes } from 'node:crypto';
import { type ApiClient, isRefusedWith, path } from '../api-client.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { inParallel } from './in-parallel.ts';
import type { LineProblem, UserRow } from './user-rows.ts';

export interface ImportPorts {
  readonly api: ApiClient;
  readonly tenant: string;
  /** Keeps a generated password; undefined: none are generated. */
  readonly keepPassword: ((user: string, password: string) => void) | undefined;
  tell(counts: { done: number; failed: number; total: number }): void;
}

export interface ImportReport {
  readonly created: number;
  readonly updated: number;
  readonly failures: readonly LineProblem[];
  /** Not tried, since the import was stopped or the API was gone. */
  readonly left: number;
}

/** 144 bits, in letters that nobody has to escape. */
export const generatedPassword = (): string => randomBytes(18).toString('base64url');

export async function importUsers(
  { api, tenant, keepPassword, tell }: ImportPorts,
  rows: readonly UserRow[],
  options: { readonly width: number; readonly signal: AbortController },
): Promise<ImportReport> {
  const counts = { created: 0, updated: 0 };
  const failures: LineProblem[] = [];
  let done = 0;
  await inParallel(rows, { width: options.width, signal: options.signal.signal }, async (row) => {
    try {
      counts[await putUser(api, tenant, row, keepPassword)]++;
    } catch (error) {
      const { line, user } = row;
      failures.push({ line, user, problem: problemOf(error) });
      // A key that is refused, or nobody there: the others would fail the same way.
      if (isHopeless(error)) options.signal.abort(error);
    }
    tell({ done: ++done, failed: failures.length, total: rows.length });
  });
  return { ...counts, failures: failures.toSorted((a, b) => a.line - b.line), left: rows.length - done };
}

/** A user that is there keeps its password unless the file has one: a repeated import changes nobody's. */
async function putUser(
  api: ApiClient,
  tenant: string,
  row: UserRow,
  keepPassword: ImportPorts['keepPassword'],
): Promise<'created' | 'updated'> {
  const { line: _line, user, role, password: given, ...rest } = row;
  const collection = role === 'publisher' ? 'publishers' : 'users';
  const where = path`/tenants/${tenant}/` + path`${collection}/${user}`;
  const about = { ...(role === 'user' && { role }), ...rest };
  const password = given ?? (keepPassword && generatedPassword());
  const body = { ...about, ...(password !== undefined && { password }) };
  try {
    await api.request('PUT', where, { body, ifNoneMatch: '*' });
  } catch (error) {
    if (!isRefusedWith(error, 412)) throw error;
    await api.request('PUT', where, { body: given === undefined ? about : body });
    return 'updated';
  }
  if (given === undefined && password !== undefined) keepPassword?.(user, password);
  return 'created';
}

function problemOf(error: unknown): string {
  if (!(error instanceof CliFailure)) return String(error);
  const errors = (error.details.errors ?? []).map(({ pointer, detail }) => `${pointer} ${detail}`);
  return [error.message, ...errors].join('; ');
}

const isHopeless = (error: unknown): boolean =>
  error instanceof CliFailure &&
  (error.details.exitCode === EXIT.unreachable || [401, 403, 404].includes(error.details.status ?? 0));
