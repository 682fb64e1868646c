/** `lampfield user import`: a whole company from a CSV file. */
import { chmodSync, closeSync, fstatSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { Cli, Session } from '../cli.ts';
import { CliFailure, EXIT, usageFailure } from '../failure.ts';
import { counted } from '../format.ts';
import { Progress } from '../import/progress.ts';
import { type ImportReport, importUsers } from '../import/user-import.ts';
import { type LineProblem, readUserRows } from '../import/user-rows.ts';

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
    .option('--concurrency <number>', 'requests at once', width, DEFAULT_WIDTH)
    .option('--passwords-out <file>', 'generate passwords for new users without one, and append them here')
    .option('--dry-run', 'only read the file and say what is wrong with it')
    .addHelpText('after', HELP)
    .action(cli.action(importFile));
}

function width(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= MOST_WIDTH) return value;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${MOST_WIDTH}.`);
}

async function importFile(session: Session, file: string, options: ImportOptions): Promise<void> {
  const { rows, problems } = readUserRows(readText(file));
  if (options.dryRun)
    return report(session, { created: 0, updated: 0, failures: problems, left: rows.length }, problems);
  const tenant = await session.tenant();
  const { api } = session;
  const passwords = options.passwordsOut === undefined ? undefined : openPasswordFile(options.passwordsOut, tenant);
  const progress = new Progress(session.world.streams.stderr, !session.out.isJson);
  const stop = new AbortController();
  const interrupt = (): void => stop.abort();
  process.once('SIGINT', interrupt);
  try {
    const ports = { api, tenant, keepPassword: passwords?.keep, tell: progress.show.bind(progress) };
    const outcome = await importUsers(ports, rows, { width: options.concurrency, signal: stop });
    progress.end();
    report(session, outcome, problems);
  } finally {
    process.off('SIGINT', interrupt);
    passwords?.close();
  }
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

/** @throws {CliFailure} when not everybody was imported */
function report({ out, options }: Session, outcome: ImportReport, unread: readonly LineProblem[]): void {
  const failures = [...unread.filter((one) => !outcome.failures.includes(one)), ...outcome.failures];
  const { created, updated, left } = outcome;
  out.document({ created, updated, left, failures }, () => [
    `${created} created, ${updated} updated${left > 0 ? `, ${left} not tried` : ''}.`,
    ...failures
      .slice(0, MOST_FAILURES_SHOWN)
      .map(({ line, user, problem }) => `  line ${line}${user ? ` (${user})` : ''}: ${problem}`),
    ...(failures.length > MOST_FAILURES_SHOWN
      ? [`  and ${failures.length - MOST_FAILURES_SHOWN} more; --json shows all`]
      : []),
  ]);
  if (failures.length === 0 && (left === 0 || outcome.created + outcome.updated === 0)) return;
  if (failures.length === 0)
    throw new CliFailure('stopped.', { exitCode: EXIT.refused, advice: 'The same command goes on.' });
  throw new CliFailure(
    `${counted(failures.length, 'line')} of ${options.tenant ?? 'the file'} could not be imported.`,
    {
      exitCode: EXIT.refused,
      advice: 'Mend the file and run the same command again; who has been imported stays as imported.',
    },
  );
}
