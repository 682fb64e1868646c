/** Starts the processes of the local stack, starts again what dies, and stops all of them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { startProcessGuard } from './process-guard.ts';
import type { ProcessSpec } from './processes.ts';

const RESTART_AFTER_MS = 1_000;
const LOG_LINES_SHOWN = 15;

export interface SupervisorPorts {
  readonly logFolder: string;
  /** A process that is told to end is killed after this time. */
  readonly stopWithinMs: number;
  started(name: string, pid: number): void;
  say(text: string): void;
}

/** A process ended before the stack was up. */
export class StartFailure extends Error {
  override readonly name = 'StartFailure';
}

export class Supervisor {
  readonly #ports: SupervisorPorts;
  readonly #guard = startProcessGuard();
  readonly #children = new Map<string, ChildProcess>();
  readonly #failure = Promise.withResolvers<never>();
  #phase: 'starting' | 'running' | 'stopping' = 'starting';

  constructor(ports: SupervisorPorts) {
    this.#ports = ports;
    this.#failure.promise.catch(() => {}); // Nobody may be waiting for it any more.
  }

  start(spec: ProcessSpec): void {
    if (this.#phase === 'stopping') return;
    const child = this.#spawn(spec);
    this.#children.set(spec.name, child);
    this.#guard.watch(child);
    child.once('exit', (code, signal) =>
      this.#ended(spec, code, signal === null ? `with code ${code}` : `by ${signal}`),
    );
    child.once('error', (error) => {
      if (child.pid === undefined) this.#ended(spec, null, `before it began: ${error.message}`);
    });
    if (child.pid !== undefined) this.#ports.started(spec.name, child.pid);
  }

  /** Waits for the work of starting, unless a process ends first; from then on dead processes are replaced. */
  async untilUp(work: Promise<void>): Promise<void> {
    await Promise.race([work, this.#failure.promise]);
    if (this.#phase === 'starting') this.#phase = 'running';
  }

  /** Stops the groups one after the other, the processes of a group together. */
  async stop(groups: readonly (readonly string[])[]): Promise<void> {
    this.#phase = 'stopping';
    for (const group of groups) await Promise.all(group.map((name) => this.#stopOne(name)));
    this.#guard.stop();
  }

  #spawn(spec: ProcessSpec): ChildProcess {
    const log = openSync(this.#logFile(spec.name), 'a');
    const output = spec.talks === true ? 'inherit' : log;
    const child = spawn(spec.command, spec.args, {
      cwd: spec.cwd,
      env: { ...inheritedEnvironment(), ...spec.env },
      stdio: ['ignore', output, output],
      detached: true, // Ctrl-C reaches the supervisor alone, which stops the others in order.
    });
    closeSync(log);
    return child;
  }

  #ended(spec: ProcessSpec, code: number | null, how: string): void {
    this.#children.delete(spec.name);
    if (this.#phase === 'stopping' || (spec.talks === true && code === 0)) return;
    if (this.#phase === 'starting') {
      this.#failure.reject(new StartFailure(`${spec.name} ended ${how}.\n${this.#logTail(spec.name)}`));
      return;
    }
    this.#ports.say(`${spec.name} ended ${how}; it starts again in a second (log: ${this.#logFile(spec.name)})`);
    setTimeout(() => this.start(spec), RESTART_AFTER_MS);
  }

  async #stopOne(name: string): Promise<void> {
    const child = this.#children.get(name);
    if (child === undefined) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    child.kill('SIGCONT'); // A process that was stopped by hand must hear of it too.
    const patience = setTimeout(() => child.kill('SIGKILL'), this.#ports.stopWithinMs);
    await ended;
    clearTimeout(patience);
  }

  #logFile(name: string): string {
    return path.join(this.#ports.logFolder, `${name}.log`);
  }

  #logTail(name: string): string {
    return readFileSync(this.#logFile(name), 'utf8').trimEnd().split('\n').slice(-LOG_LINES_SHOWN).join('\n');
  }
}

/** Without the developer's own AWS settings, which would lead the SDK elsewhere. */
function inheritedEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AWS_')));
}
