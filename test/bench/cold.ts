/** Start of each function: how long its bundle takes to load, in a Node process that has just begun. */
import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { DIST } from '#cdk/dist.ts';
import { FUNCTION_NAMES } from '#cdk/system.ts';
import { quantiles } from './process-usage.ts';

const RUNS = 11;
const ENVIRONMENT = {
  AWS_REGION: 'local',
  AWS_ACCESS_KEY_ID: 'local',
  AWS_SECRET_ACCESS_KEY: 'local',
  TABLE_NAME: 'none',
  ...{ CANARY_GATEWAY_URL: 'ws://127.0.0.1:9/', CANARY_DOMAIN: 'none' },
};
/** Prints the CPU and the time that the import took. */
const PROGRAM = `
const cpu = process.cpuUsage(), at = performance.now();
await import(process.argv[1]);
const { user, system } = process.cpuUsage(cpu);
console.log(JSON.stringify({ ms: performance.now() - at, cpuMs: (user + system) / 1000, mb: process.resourceUsage().maxRSS / 1024 }));
process.exit(0);`;

export interface ColdStart {
  readonly name: string;
  readonly bytes: number;
  /** Medians. */
  readonly loadMs: number;
  readonly cpuMs: number;
  /** Most of the process's memory that was resident. */
  readonly residentMb: number;
}

export function* measureColdStarts(): Generator<ColdStart> {
  for (const name of FUNCTION_NAMES) {
    const file = path.join(DIST, 'functions', name, 'index.mjs');
    const runs = Array.from({ length: RUNS }, () => load(file));
    const median = (of: (run: Loaded) => number): number => quantiles(runs.map(of)).p50;
    const [loadMs, cpuMs] = [median(({ ms }) => ms), median((run) => run.cpuMs)];
    yield { name, bytes: statSync(file).size, loadMs, cpuMs, residentMb: median(({ mb }) => mb) };
  }
}

interface Loaded {
  readonly ms: number;
  readonly cpuMs: number;
  readonly mb: number;
}

function load(file: string): Loaded {
  const env = { ...process.env, ...ENVIRONMENT };
  const args = ['--input-type=module', '-e', PROGRAM, pathToFileURL(file).href];
  return JSON.parse(execFileSync(process.execPath, args, { env, encoding: 'utf8' }).trim().split('\n').at(-1) ?? '');
}
