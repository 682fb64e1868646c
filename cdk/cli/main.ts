#!/usr/bin/env node
/** `lampfield`: the command line of a deployment. */
import { CommanderError } from 'commander';
import { Cli } from './cli.ts';
import { CliFailure, describeFailure, EXIT, type ExitCode, failureDocument } from './failure.ts';
import { programOf } from './program.ts';
import { VERSION } from './version.ts';

const HELP = new Set(['commander.help', 'commander.helpDisplayed', 'commander.version']);

// A reader that has seen enough (`| head`) is no failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.refused));
}

async function main(): Promise<ExitCode> {
  const cli = new Cli({ env: process.env, streams: process, now: Date.now });
  try {
    await programOf(cli, VERSION).parseAsync(process.argv);
    return EXIT.ok;
  } catch (error) {
    return explain(error);
  }
}

function explain(error: unknown): ExitCode {
  if (error instanceof CommanderError) return HELP.has(error.code) && error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const failure = error instanceof CliFailure ? error : defect(error);
  const isJson = process.argv.includes('--json');
  process.stderr.write(`${isJson ? JSON.stringify(failureDocument(failure)) : describeFailure(failure)}\n`);
  return failure.details.exitCode;
}

/** A file that cannot be read is the person's to mend; anything else is ours. */
function defect(error: unknown): CliFailure {
  const { code, message } =
    error instanceof Error ? (error as NodeJS.ErrnoException) : { code: undefined, message: String(error) };
  if (code !== undefined && /^E[A-Z]+$/.test(code)) return new CliFailure(message, { exitCode: EXIT.refused });
  const advice = process.env.LAMPFIELD_DEBUG
    ? (error as Error).stack
    : 'This is a defect of lampfield; LAMPFIELD_DEBUG=1 shows where.';
  return new CliFailure(message, { exitCode: EXIT.refused, advice });
}

process.exitCode = await main();
