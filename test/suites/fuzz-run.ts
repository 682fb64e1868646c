/**
 * `npm run fuzz`: spoilt SIP and XML against a whole running stack over real WebSockets, for some minutes. Ends with 1 when
 * a process died, an answer or a log line was a defect's, a lamp was wrong or late, or something was left over.
 */
import { randomInt } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Command } from 'commander';
import { proportionalSetBytes, quantiles } from '#test/bench/process-usage.ts';
import { Chance } from '#test/support/chance.ts';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { FuzzClient, type FuzzTally } from './fuzz-client.ts';
import { Control } from './fuzz-control.ts';

const CLIENTS = 6;
const PROGRESS_EVERY_MS = 10_000;
/** What a lamp has on a machine that does nothing else. */
const LAMP_WITHIN_MS = 3_000;
/** Caches are full and code is compiled after this; memory is compared from then on. */
const WARM_UP_MS = 30_000;
/** Longer than anything that was asked for lives: 60 s of Expires, and the 32 s of an unanswered NOTIFY. */
const SETTLE_MS = 100_000;
const MAX_GROWTH_MIB = { 'gateway-1': 100, functions: 300 } as const;
/** What must be empty afterwards, but for the control's two flows and one subscription. */
const LEFT_OVER = { flows: 2, subscriptions: 1, notifies_outstanding: 0, forwards_under_way: 0, requests_waiting: 0 };

/** Every request has its answer by then: 7.5 s are the gateway's limit, the rest is for a machine that is busy with other work. */
const ANSWERED_WITHIN_SECONDS = 10;

const LOUD = /"level":(50|60|"error")/;
/** The table or a function did not answer in time. */
const OUTAGE = /DependencyUnavailable/;

const problems: string[] = [];
const tally: FuzzTally = { sent: 0, lost: 0, answers: new Map(), defects: [] };

interface Options {
  readonly minutes: string;
  readonly seed: string;
  readonly lampWithin: string;
}

async function run({ minutes, seed, lampWithin }: Options): Promise<void> {
  const data = mkdtempSync(path.join(tmpdir(), 'lampfield-fuzz-'));
  const stack = await startStack({ env: { DATA_DIR: data, LOG_LEVEL: 'warn', PARKING_SECONDS: '20' } });
  console.log(`fuzz: ${minutes} minutes, seed ${seed}, ${CLIENTS} clients`);
  try {
    const pids = { ...stack.pids };
    const control = await Control.open(stack.url());
    control.start(Number(lampWithin));
    await fuzz(stack, Number(minutes) * 60_000, Number(seed), Number(lampWithin));
    await control.stop();
    report(control);
    requireSameProcesses(pids, stack.pids);
  } finally {
    await stack.stop();
    requireQuietLogs(path.join(data, 'logs'));
    rmSync(data, { recursive: true, force: true });
  }
  for (const problem of [...tally.defects, ...problems]) console.error(`\nDEFECT ${problem}`);
  const count = tally.defects.length + problems.length;
  console.log(count === 0 ? 'no defect' : `${count} defects`);
  process.exitCode = count === 0 ? 0 : 1;
}

async function fuzz(stack: LocalStack, forMs: number, seed: number, lampWithinMs: number): Promise<void> {
  const clients = Array.from({ length: CLIENTS }, (_, n) => {
    return new FuzzClient(stack.url(), n % 2 === 0 ? 'pbx' : String(1001 + n), new Chance(seed + n), tally);
  });
  const untilMs = performance.now() + forMs;
  let start: Record<string, number> | undefined;
  const warm = setTimeout(() => (start = memoryOf(stack)), Math.min(WARM_UP_MS, forMs / 2));
  const readiness = { sinceMs: performance.now(), toleranceMs: PROGRESS_EVERY_MS / 2 + lampWithinMs - LAMP_WITHIN_MS };
  const progress = setInterval(() => void sayProgress(stack, readiness), PROGRESS_EVERY_MS);
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() < untilMs) await client.burst().catch((error: unknown) => problems.push(String(error)));
      client.close();
    }),
  );
  clearTimeout(warm);
  clearInterval(progress);
  console.log(`settling for ${SETTLE_MS / 1_000} s`);
  await pause(SETTLE_MS);
  compareMemory(start ?? {}, memoryOf(stack));
  await requireNothingLeft(stack);
}

/** When the gateway was last ready, and for how long it may be not. */
interface Readiness {
  sinceMs: number;
  readonly toleranceMs: number;
}

async function sayProgress(stack: LocalStack, readiness: Readiness): Promise<void> {
  const ready = await fetch(`${stack.httpUrl()}readyz`).catch(() => undefined);
  if (ready?.status === 200) readiness.sinceMs = performance.now();
  else if (ready === undefined || performance.now() - readiness.sinceMs > readiness.toleranceMs)
    problems.push(`/readyz: ${ready?.status ?? 'no answer'}`);
  const { sent, lost, answers, defects } = tally;
  const statuses = [...answers].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`);
  const memory = Object.entries(memoryOf(stack)).map(([name, mib]) => `${name} ${mib.toFixed(0)} MiB`);
  console.log(
    `${sent} sent, ${lost} connections lost, ${defects.length} defects; ${statuses.join(', ')}; ${memory.join(', ')}`,
  );
}

function memoryOf(stack: LocalStack): Record<string, number> {
  const names = Object.keys(MAX_GROWTH_MIB);
  return Object.fromEntries(names.map((name) => [name, proportionalSetBytes(stack.pids[name] ?? 0) / 2 ** 20]));
}

function compareMemory(start: Record<string, number>, end: Record<string, number>): void {
  for (const [name, most] of Object.entries(MAX_GROWTH_MIB)) {
    const [before = 0, after = 0] = [start[name], end[name]];
    console.log(`memory of ${name}: ${before.toFixed(0)} MiB warm, ${after.toFixed(0)} MiB at the end`);
    if (after - before > most) problems.push(`${name} has grown by ${(after - before).toFixed(0)} MiB`);
  }
}

async function requireNothingLeft(stack: LocalStack): Promise<void> {
  const metrics = await (await fetch(`${stack.httpUrl()}metrics`)).text();
  requireTimelyAnswers(metrics);
  for (const [name, most] of Object.entries(LEFT_OVER)) {
    const value = Number(new RegExp(`^lampfield_${name} (\\d+)`, 'm').exec(metrics)?.[1] ?? Number.NaN);
    console.log(`left over: ${value} ${name.replaceAll('_', ' ')}`);
    if (!(value <= most)) problems.push(`${value} ${name} are left over`);
  }
}

/** As the gateway has measured it, whatever the clients of this run were busy with. */
function requireTimelyAnswers(metrics: string): void {
  const sum = (series: string): number =>
    [...metrics.matchAll(new RegExp(`^lampfield_request_seconds_${series}.*} (\\d+)$`, 'gm'))].reduce(
      (total, [, value]) => total + Number(value),
      0,
    );
  const [all, inTime] = [sum('count{'), sum(`bucket{le="${ANSWERED_WITHIN_SECONDS}"`)];
  console.log(`answered: ${all} requests, ${all - inTime} of them after more than ${ANSWERED_WITHIN_SECONDS} s`);
  if (all === 0 || inTime < all) problems.push(`${all - inTime} of ${all} answers came too late`);
}

function report({ changes, delaysMs, problems: wrong }: Control): void {
  const { p50, p99, max } = quantiles(delaysMs);
  console.log(
    `control lamp: ${changes} changes, p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, max ${max.toFixed(0)} ms`,
  );
  problems.push(...wrong.map((problem) => `control lamp: ${problem}`));
}

function requireSameProcesses(before: LocalStack['pids'], after: LocalStack['pids']): void {
  for (const [name, pid] of Object.entries(before))
    if (after[name] !== pid) problems.push(`${name} has died and was started again`);
}

/** Errors, and whatever is no log line: warnings of the runtime, stacks of what nobody caught. */
function requireQuietLogs(folder: string): void {
  for (const name of readdirSync(folder).filter((file) => !file.startsWith('dynamodb'))) {
    const lines = readFileSync(path.join(folder, name), 'utf8').split('\n');
    const loud = lines.filter(
      (line) => line !== '' && (!line.startsWith('{') || LOUD.test(line)) && !OUTAGE.test(line),
    );
    const outages = lines.filter((line) => OUTAGE.test(line)).length;
    if (outages > 0)
      console.log(`${name}: ${outages} outages of what stands behind (a busy machine), answered 503 or tried again`);
    problems.push(...loud.slice(0, 5).map((line) => `${name}: ${line.slice(0, 1_000)}`));
    if (loud.length > 5) problems.push(`${name}: ${loud.length - 5} more lines`);
  }
}

await new Command('fuzz')
  .description('Spoilt SIP and XML against a whole running stack over real WebSockets.')
  .option('--minutes <number>', 'how long', '5')
  .option('--seed <number>', 'where chance begins', String(randomInt(2 ** 30)))
  .option(
    '--lamp-within <ms>',
    'how late the control lamp may be: more on a machine that is busy with other work',
    String(LAMP_WITHIN_MS),
  )
  .action(run)
  .parseAsync();
