/** CPU and memory of a process, from /proc: user + system time in microseconds, proportional set size in bytes. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { LocalStack } from '#test/support/local-stack.ts';

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** CPU time used so far, in microseconds. */
export function cpuMicros(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1_000_000) / TICKS_PER_SECOND;
}

/** Memory that is this process's own, shared pages counted in part. */
export function proportionalSetBytes(pid: number): number {
  const match = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'));
  return Number(match?.[1] ?? 0) * 1024;
}

/** The process of the first gateway of a stack. */
export function gatewayPid(stack: LocalStack): number {
  const pid = stack.pids['gateway-1'];
  if (pid === undefined) throw new Error('the stack has no gateway');
  return pid;
}

/** Gateway on one core, this generator on another, as the peers were measured; where there is no taskset, as it comes. */
export function pinApart(stack: LocalStack): void {
  spawnSync('taskset', ['-acp', '0', String(gatewayPid(stack))]);
  spawnSync('taskset', ['-acp', '1', String(process.pid)]);
}

export interface Quantiles {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export function quantiles(samples: readonly number[]): Quantiles {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? Number.NaN };
}

export const median = (values: readonly number[]): number => quantiles(values).p50;
