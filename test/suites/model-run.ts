/** `npm run model`: thousands of cases of the model test in worker processes, with progress; ends with 1 at the first failure. */
import { type ChildProcess, fork } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { openMemoryTable } from '#test/support/memory-table.ts';
import { runCases } from './model-case.ts';

interface Options {
  readonly runs: number;
  readonly seed: number;
  readonly workers: number;
  /** Of one case, as it was printed when it failed. */
  readonly path?: string;
  readonly first: boolean;
  /** Set in a worker: it runs its share itself. */
  readonly share: boolean;
}
/** What a worker tells: that so many more cases are done, or why one failed. */
type Told = { readonly done: number } | { readonly failed: string };

const REPORT_EVERY = 25;
const PROGRESS_EVERY_MS = 5_000;

async function runShare({ runs, seed, path, first }: Options): Promise<void> {
  const tell = (told: Told) =>
    process.send ? process.send(told) : console.log('failed' in told ? told.failed : 'green');
  // Nobody listens any more.
  process.once('disconnect', () => process.exit());
  let untold = 0;
  const report = (atLeast: number): void => {
    if (untold < atLeast) return;
    tell({ done: untold });
    untold = 0;
  };
  const onCase = (): void => {
    untold += 1;
    report(REPORT_EVERY);
  };
  const openTable = () => ({ table: openMemoryTable(), names: 'u' });
  try {
    await runCases({ runs, seed, path, isFirstEnough: first, openTable, onCase });
    report(1);
  } catch (error) {
    tell({ failed: error instanceof Error ? `${error.stack}\n${error.cause ?? ''}` : String(error) });
    process.exitCode = 1;
  }
  process.disconnect?.();
}

/** @returns true when every case was green */
async function runAll({ runs, seed, workers, first }: Options): Promise<boolean> {
  const startedAtMs = performance.now();
  let done = 0;
  const print = (): void => {
    const seconds = (performance.now() - startedAtMs) / 1_000;
    console.log(`${done} of ${runs} cases, ${seconds.toFixed(0)} s, ${((seconds * 1_000) / done).toFixed(1)} ms each`);
  };
  const clock = setInterval(print, PROGRESS_EVERY_MS);
  const children = Array.from({ length: workers }, (_, index) => {
    const share = Math.floor(((index + 1) * runs) / workers) - Math.floor((index * runs) / workers);
    // Far apart: the next seeds are left to whoever counts seeds up by one.
    const given = ['--runs', String(share), '--seed', String(seed + index * 1_000_003), ...(first ? ['--first'] : [])];
    return fork(import.meta.filename, ['--share', ...given]);
  });
  const results = await Promise.all(children.map((child) => watched(child, children, (count) => (done += count))));
  clearInterval(clock);
  print();
  return results.every((isGreen) => isGreen);
}

function watched(child: ChildProcess, all: readonly ChildProcess[], onDone: (count: number) => void): Promise<boolean> {
  child.on('message', (told: Told) => {
    if ('done' in told) {
      onDone(told.done);
      return;
    }
    console.error(told.failed);
    for (const other of all) if (other !== child) other.kill();
  });
  return new Promise((resolve) => child.once('exit', (code) => resolve(code === 0)));
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('is no whole number.');
  return value;
}

async function run(options: Options): Promise<void> {
  // One case needs no workers.
  if (options.share || options.path !== undefined) return runShare(options);
  console.log(`model: ${options.runs} cases, seed ${options.seed}, ${options.workers} workers`);
  const isGreen = await runAll(options);
  console.log(isGreen ? 'every case is green' : 'NOT GREEN: seed, path and the smallest case that fails stand above');
  process.exitCode = isGreen ? 0 : 1;
}

await new Command('model')
  .description(
    'Random cases of the whole system against a simple model, with clock, sockets, stream and table in memory.',
  )
  .option('--runs <cases>', 'how many', wholeNumber, 10_000)
  .option(
    '--seed <number>',
    'where chance begins; a run repeats with the seed and the workers that it printed',
    wholeNumber,
    randomInt(2 ** 30),
  )
  .option('--workers <count>', 'processes', wholeNumber, availableParallelism())
  .option('--path <path>', 'only the case that failed there, with the seed that was printed beside it')
  .option('--first', 'tell the first case that fails as it is, instead of the smallest like it', false)
  .option('--share', 'one process, as a worker', false)
  .action(run)
  .parseAsync();
