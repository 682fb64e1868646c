/** SIPp as the other end of a trunk: one scenario, once. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isListening } from './listening.ts';

const SCENARIOS = path.resolve(import.meta.dirname, '../vectors/sipp');

export interface SippRun {
  /** Resolves when the scenario has gone through to its end. @throws with what SIPp said when it did not */
  readonly passed: Promise<void>;
  stop(): Promise<void>;
}

export interface SippOptions {
  /** Own port; of a server the one that it listens on. */
  readonly port: number;
  /** `host:port` to call; none for a server. */
  readonly to?: string;
  readonly keys?: Readonly<Record<string, string>>;
  readonly seconds?: number;
}

/** Starts a scenario of `test/vectors/sipp`; a server listens when this resolves. */
export async function startSipp(
  scenario: string,
  { port, to, keys = {}, seconds = 30 }: SippOptions,
): Promise<SippRun> {
  const folder = mkdtempSync(path.join(tmpdir(), 'lampfield-sipp-'));
  const errors = path.join(folder, 'errors');
  const messages = path.join(folder, 'messages');
  const child = spawn(
    'sipp',
    [
      ...['-sf', path.join(SCENARIOS, `${scenario}.xml`), '-t', 't1', '-i', '127.0.0.1', '-p', String(port), '-m', '1'],
      ...['-nostdin', '-timeout', `${seconds}s`, '-timeout_error', '-trace_err', '-error_file', errors],
      ...['-trace_msg', '-message_file', messages, '-recv_timeout', `${seconds * 1_000}`],
      ...Object.entries(keys).flatMap(([name, value]) => ['-key', name, value]),
      ...(to === undefined ? [] : [to]),
    ],
    { cwd: folder, stdio: ['ignore', 'ignore', 'ignore'] },
  );
  const passed = once(child, 'exit').then(([code]) => {
    if (code !== 0) throw new Error(`${scenario} ended with ${code}\n${textOf(errors)}\n${textOf(messages)}`);
  });
  passed.catch(() => {}); // Nobody may be waiting for it.
  while (to === undefined && child.exitCode === null && !isListening(port)) await sleep(20);
  if (child.exitCode !== null) await passed;
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await passed.catch(() => {});
  };
  return { passed, stop };
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
