/** `lampfield user import`: a whole company from a CSV file. */
import { chmodSync, closeSync, fstatSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import type { Command } from 'commander';
import { type LineProblem, readUserRows, type UserRows } from '#gateway/panel/admin/csv.ts';
import type { Cli, Session } from '../cli.ts';
import { type CliFailure, refusal, usageFailure } from '../failure.ts';
import { counted, harmless } from '../format.ts';
import { Progress } from '../import/progress.ts';
import { type ImportReport, importUsers } from '../import/user-import.ts';
import { wholeNumber } from './arguments.ts';

interface ImportOptions {
  readonly concurrency: number;
  readonly passwordsOut?: string;
  readonly dryRun?: boolean;
}

const MOST_BYTES = 20 * 1024 * 1024;
const MOST_FAILURES_SHOWN = 20;
const DEFAULT_WIDTH = 8;
const MOST_WIDTH = 64;

const HELP = `
The first line names the columns: user,displayName,password,groups,role (only user must be there; groups have ; between them;
role is user or publisher). Repeating an import is harmless, and how one that was stopped goes on: who is there is updated and keeps
the password unless the file has one. --passwords-out generates passwords for new users without one, into a file for your eyes only.`;

export function addImportCommand(user: Command, cli: Cli): void {
  user
    .command('import')
    .description('add or update many users from a CSV file')
    .argument('<file>', 'CSV file, or - for standard input')
    .option('--concurrency <number>', 'requests at once', wholeNumber(1, MOST_WIDTH), DEFAULT_WIDTH)
    .option('--passwords-out <file>', 'generate passwords for new users without one, and append them here')
    .option('--dry-run', 'only read the file and say what is wrong with it')
    .addHelpText('after', HELP)
    .action(cli.action(importFile));
}

async function importFile(session: Session, file: string, options: ImportOptions): Promise<void> {
  const read = rowsOf(readText(file));
  if (options.dryRun) return reportDryRun(session, read);
  const tenant = await session.tenant();
  const { api } = session;
  const passwords = options.passwordsOut === undefined ? undefined : openPasswordFile(options.passwordsOut, tenant);
  const progress = new Progress(session.world.streams.stderr, !session.out.isJson);
  const stop = new AbortController();
  const interrupt = (): void => stop.abort();
  process.once('SIGINT', interrupt);
  try {
    const ports = { api, tenant, keepPassword: passwords?.keep, tell: progress.show.bind(progress) };
    const outcome = await importUsers(ports, read.rows, { width: options.concurrency, signal: stop });
    progress.end();
    report(session, outcome, read.problems);
  } finally {
    process.off('SIGINT', interrupt);
    passwords?.close();
  }
}

/** @throws {CliFailure} when it is no such file */
function rowsOf(text: string): UserRows {
  const read = readUserRows(text);
  if ('mistake' in read) throw usageFailure(`the file cannot be imported: ${read.mistake}`);
  return read;
}

function readText(file: string): string {
  if (file === '-') return readFileSync(0, 'utf8');
  const { size } = statSync(file);
  if (size > MOST_BYTES) throw usageFailure(`${file} is over ${MOST_BYTES / 1024 / 1024} MiB.`, 'Split it.');
  return readFileSync(file, 'utf8');
}

/** Each line is on the disk before the next user is begun: a stopped import has lost no password. */
function openPasswordFile(file: string, tenant: string) {
  const descriptor = openSync(file, 'a', 0o600);
  chmodSync(file, 0o600);
  if (fstatSync(descriptor).size === 0) writeSync(descriptor, 'user,tenant,password\n');
  return {
    keep: (user: string, password: string): void =>
      void writeSync(descriptor, `${quoted(user)},${tenant},${password}\n`),
    close: (): void => closeSync(descriptor),
  };
}

const quoted = (text: string): string => (/[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function reportDryRun({ out }: Session, { rows, problems }: UserRows): void {
  out.document({ users: rows.length, failures: problems }, () => [
    `${counted(rows.length, 'user')} could be imported.`,
    ...problemLines(problems),
  ]);
  if (problems.length > 0) throw unfinished(problems);
}

/** @throws {CliFailure} when not everybody was imported */
function report(
  { out }: Session,
  { failures: refused, hindrance, ...counts }: ImportReport,
  unread: readonly LineProblem[],
): void {
  const failures = [...unread, ...refused].toSorted((a, b) => a.line - b.line);
  const { created, updated, unchanged, left } = counts;
  out.document({ ...counts, failures }, () => [
    `${created} created, ${updated} changed, ${unchanged} as they were${left > 0 ? `, ${left} not tried` : ''}.`,
    ...problemLines(failures),
  ]);
  if (hindrance !== undefined) throw hindrance;
  if (failures.length > 0) throw unfinished(failures);
  if (left > 0) throw refusal('stopped.', 'The same command goes on.');
}

const unfinished = (failures: readonly LineProblem[]): CliFailure =>
  refusal(
    `${counted(failures.length, 'line')} could not be imported.`,
    'Mend the file and run the same command again; who has been imported stays.',
  );

function problemLines(problems: readonly LineProblem[]): string[] {
  const shown = problems.slice(0, MOST_FAILURES_SHOWN);
  const lines = shown.map(
    ({ line, user, problem }) => `  line ${line}${user ? ` (${harmless(user)})` : ''}: ${problem}`,
  );
  const more = problems.length - shown.length;
  return more > 0 ? [...lines, `  and ${more} more; --json shows all`] : lines;
}
