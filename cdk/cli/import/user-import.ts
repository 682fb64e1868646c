/** Puts users one by one, so that it may be stopped and repeated at any time. */
import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { LineProblem, UserRow } from '#gateway/panel/admin/csv.ts';
import { accountAt, conditionOf, type KnownAccount } from '../accounts.ts';
import { type ApiClient, isRefusedWith, path } from '../api-client.ts';
import { CliFailure, EXIT } from '../failure.ts';
import type { Settings } from '../settings-text.ts';
import { inParallel } from './in-parallel.ts';

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
  readonly unchanged: number;
  readonly failures: readonly LineProblem[];
  /** Not tried, since the import was stopped. */
  readonly left: number;
  /** What stopped it: a key that is refused, or nobody there. */
  readonly hindrance?: CliFailure;
}

/** 144 bits, in letters that nobody has to escape. */
export const generatedPassword = (): string => randomBytes(18).toString('base64url');

export async function importUsers(
  ports: ImportPorts,
  rows: readonly UserRow[],
  options: { readonly width: number; readonly signal: AbortController },
): Promise<ImportReport> {
  const counts = { created: 0, updated: 0, unchanged: 0 };
  const failures: LineProblem[] = [];
  let hindrance: CliFailure | undefined;
  let done = 0;
  await inParallel(rows, { width: options.width, signal: options.signal.signal }, async (row) => {
    try {
      counts[await putUser(ports, row)]++;
    } catch (error) {
      const { line, user } = row;
      if (!(error instanceof CliFailure)) throw error;
      failures.push({ line, user, problem: problemOf(error) });
      if (!isHopeless(error)) return;
      // The others would fail the same way.
      hindrance ??= error;
      options.signal.abort();
    } finally {
      ports.tell({ done: ++done, failed: failures.length, total: rows.length });
    }
  });
  return {
    ...counts,
    failures: failures.toSorted((a, b) => a.line - b.line),
    left: rows.length - done,
    ...(hindrance && { hindrance }),
  };
}

type Outcome = keyof Pick<ImportReport, 'created' | 'updated' | 'unchanged'>;

/**
 * A user that is there keeps what the file does not name, and its password unless the file has one: a repeated import
 * changes nobody.
 */
async function putUser({ api, tenant, keepPassword }: ImportPorts, row: UserRow): Promise<Outcome> {
  const { line: _line, user, role, password: given, ...about } = row;
  const collection = role === 'publisher' ? 'publishers' : 'users';
  const where = path`/tenants/${tenant}/${collection}/${user}`;
  const before = await accountAt(api, where);
  if (before !== undefined) return updateUser(api, where, before, { ...about, ...(given && { password: given }) });
  const password = given ?? (keepPassword && generatedPassword());
  await createUser(api, where, { ...about, ...(password !== undefined && { password }) });
  if (given === undefined && password !== undefined) keepPassword?.(user, password);
  return 'created';
}

/** It was not there a moment ago, so one that is there now is of our own request, whose answer was lost on the way. */
async function createUser(api: ApiClient, where: string, body: Settings): Promise<void> {
  try {
    await api.request('PUT', where, { body, ifNoneMatch: '*' });
  } catch (error) {
    if (!isRefusedWith(error, 412)) throw error;
    await api.request('PUT', where, { body });
  }
}

async function updateUser(api: ApiClient, where: string, before: KnownAccount, changes: Settings): Promise<Outcome> {
  const body = { ...before.settings, ...changes };
  if (isDeepStrictEqual(body, before.settings)) return 'unchanged';
  await api.request('PUT', where, { body, ...conditionOf(before) });
  return 'updated';
}

function problemOf({ message, details }: CliFailure): string {
  const errors = (details.errors ?? []).map(({ pointer, detail }) => `${pointer} ${detail}`);
  return [message, ...errors].join('; ');
}

const isHopeless = ({ details }: CliFailure): boolean =>
  details.exitCode === EXIT.unreachable || [401, 403, 404].includes(details.status ?? 0);
