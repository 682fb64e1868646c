/** Runs the gateway from its root file system as a container engine does: chroot, read-only, uid 1000, no capability. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { GATEWAY_NODE_OPTIONS } from '#cdk/dist.ts';
import { APP } from './root-file-system.ts';

export interface ConfinedGateway {
  readonly child: ChildProcess;
  /** Process id outside of its name space. */
  readonly pid: number;
  /** From the start of the first program to the first 200 of /healthz. */
  readonly startMs: number;
  /** CPU of the gateway until then, whatever else the machine does. */
  readonly startCpuMs: number;
  /** SIGTERM. @returns exit code and how long it took */
  stop(): Promise<{ readonly code: number | null; readonly stopMs: number }>;
}

const START_WITHIN_MS = 20_000;
const USER = '1000:1000';

// A bind mount of itself, so that it can be made read-only; the name spaces end with the process.
const CONFINE = [
  'set -e',
  'mount --bind "$1" "$1"',
  'mount -o remount,bind,ro "$1"',
  'mount -t proc -o nosuid,nodev,noexec proc "$1/proc"',
  'root="$1"; shift',
  `exec setpriv --no-new-privs chroot --userspec=${USER} "$root" "$@"`,
].join('\n');

/** @returns why this machine cannot run it, in words; undefined when it can */
export function confinementProblem(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root, for unshare and chroot';
  for (const tool of ['unshare', 'setpriv', 'chroot', 'mount'])
    if (spawnSync('which', [tool]).status !== 0) return `needs ${tool} (apt-get install util-linux coreutils)`;
  const tried = spawnSync('unshare', ['--mount', '--pid', '--fork', 'true'], { encoding: 'utf8' });
  return tried.status === 0 ? undefined : `name spaces are refused: ${tried.stderr.trim()}`;
}

/**
 * Starts the command of the Dockerfile in a root file system and waits until it is healthy.
 * @param environment the gateway's; `PORT` must be given
 */
export async function runConfined(
  root: string,
  environment: Readonly<Record<string, string>>,
): Promise<ConfinedGateway> {
  const command = ['/usr/local/bin/node', '--enable-source-maps', ...GATEWAY_NODE_OPTIONS, `${APP}/gateway.mjs`];
  const startedAtMs = performance.now();
  const unshare = ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', CONFINE, 'confine', root, ...command];
  const env = { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', NODE_ENV: 'production', ...environment };
  const child = spawn('unshare', unshare, { env, stdio: ['ignore', 'inherit', 'pipe'] });
  let said = '';
  child.stderr?.on('data', (text) => (said += text));
  const ended = once(child, 'exit');
  await untilHealthy(`http://127.0.0.1:${environment.PORT}/healthz`, () => {
    if (child.exitCode !== null) throw new Error(`the gateway ended with ${child.exitCode}: ${said}`);
  });
  const startMs = performance.now() - startedAtMs;
  const pid = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ')[0]);
  return {
    ...{ child, pid, startMs, startCpuMs: cpuMsOf(pid) },
    async stop() {
      const atMs = performance.now();
      process.kill(pid, 'SIGTERM');
      const [code] = await ended;
      return { code, stopMs: performance.now() - atMs };
    },
  };
}

/** User and system time of a process so far; the kernel counts hundredths of a second. */
function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function untilHealthy(url: string, check: () => void): Promise<void> {
  const deadlineMs = performance.now() + START_WITHIN_MS;
  for (;;) {
    check();
    const isHealthy = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isHealthy) return;
    if (performance.now() > deadlineMs) throw new Error(`${url} is not healthy after ${START_WITHIN_MS} ms`);
    await sleep(5);
  }
}

/** What it takes to start a gateway alone: functions that nobody answers for. */
export const LONELY_ENVIRONMENT = {
  FUNCTIONS: '{"methods":{},"flowClosed":"none","lease":"none"}',
  LAMBDA_ENDPOINT: 'http://127.0.0.1:9',
  INSTRUCTION_SECRET: 'of-a-start-alone',
  INSTRUCTION_PORT: '0',
  HOST: '127.0.0.1',
  PANEL_DIR: `${APP}/panel`,
  DRAIN_SECONDS: '1',
  AWS_REGION: 'local',
  AWS_ACCESS_KEY_ID: 'local',
  AWS_SECRET_ACCESS_KEY: 'local',
  LOG_LEVEL: 'silent',
} as const;
