/** The command line as people run it: the built bundle in a process of its own, with a home of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CLI_BUNDLE } from '#cdk/dist.ts';

export interface CliResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  readonly ms: number;
}

export interface CliRun {
  readonly child: ChildProcess;
  /** What it has written to standard output so far. */
  out(): string;
  readonly ended: Promise<CliResult>;
}

export interface CliOptions {
  /** Standard input; without it there is none. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** In a terminal of 80 columns (`script` of util-linux); standard error is then in `out` too. */
  readonly terminal?: boolean;
  /** Program that runs the bundle; this Node without it. */
  readonly node?: string;
}

export class CliHome {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'lampfield-cli-'));
  readonly env: Readonly<Record<string, string>>;

  constructor(env: Readonly<Record<string, string>> = {}) {
    this.env = env;
  }

  file(name: string): string {
    return path.join(this.folder, name);
  }

  start(args: readonly string[], options: CliOptions = {}): CliRun {
    const node = options.node ?? process.execPath;
    const [command, given] = options.terminal
      ? ['script', ['-qec', `exec ${[node, CLI_BUNDLE, ...args].map(quoted).join(' ')}`, '/dev/null']]
      : [node, [CLI_BUNDLE, ...args]];
    const startMs = performance.now();
    const child = spawn(command, given as string[], { env: this.#environment(options), stdio: 'pipe' });
    let [out, err] = ['', ''];
    child.stdout?.on('data', (text) => (out += text));
    child.stderr?.on('data', (text) => (err += text));
    child.stdin?.on('error', () => undefined);
    if (options.input !== undefined) child.stdin?.write(options.input);
    if (!options.terminal) child.stdin?.end();
    const ended = once(child, 'close').then(([code]) => ({ code, out, err, ms: performance.now() - startMs }));
    return { child, out: () => out, ended };
  }

  run(args: readonly string[], options?: CliOptions): Promise<CliResult> {
    return this.start(args, options).ended;
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #environment({ env }: CliOptions): NodeJS.ProcessEnv {
    const { PATH } = process.env;
    return { PATH, HOME: this.folder, XDG_CONFIG_HOME: this.file('config'), TERM: 'xterm', ...this.env, ...env };
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
