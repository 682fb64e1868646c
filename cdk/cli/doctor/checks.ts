/** Checks one after the other: what a failed one makes useless is left out, and each failure says what to do. */
import { setTimeout as sleep } from 'node:timers/promises';
import { reasonOf } from '../api-failure.ts';
import { CliFailure } from '../failure.ts';

export interface Check {
  readonly name: string;
  /** Names of checks without which this one cannot be made. */
  readonly needs?: readonly string[];
  /** What to do when it fails. */
  readonly advice: string;
  /** @returns what was seen; @throws when it is not as it should be */
  run(): Promise<Finding>;
}

export interface Finding {
  readonly detail: string;
  /** It works, but not for long, or not well. */
  readonly warning?: string | undefined;
  /** Measured inside, when the check did more than the hop. */
  readonly ms?: number;
}

export interface CheckResult {
  readonly check: string;
  readonly outcome: 'ok' | 'warning' | 'failed' | 'skipped';
  readonly ms?: number;
  readonly detail: string;
  readonly advice?: string | undefined;
}

const PATIENCE_MS = 12_000;

/** Runs them in order. @param tell hears of each as soon as it is known */
export async function runChecks(
  checks: readonly Check[],
  tell: (result: CheckResult) => void,
  patienceMs = PATIENCE_MS,
): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const check of checks) {
    const missing = check.needs?.find((name) => !isGood(results, name));
    const result = missing === undefined ? await runOne(check, patienceMs) : skipped(check, missing);
    results.push(result);
    tell(result);
  }
  return results;
}

const isGood = (results: readonly CheckResult[], name: string): boolean =>
  results.some(({ check, outcome }) => check === name && (outcome === 'ok' || outcome === 'warning'));

const skipped = ({ name }: Check, missing: string): CheckResult => ({
  ...{ check: name, outcome: 'skipped' },
  detail: `not possible without ${missing}`,
});

async function runOne({ name, advice, run }: Check, patienceMs: number): Promise<CheckResult> {
  const startMs = performance.now();
  const patience = new AbortController();
  try {
    const { detail, warning, ms } = await Promise.race([run(), lateFailure(patienceMs, patience.signal)]);
    return {
      ...{ check: name, outcome: warning === undefined ? 'ok' : 'warning' },
      ...{ ms: rounded(ms ?? performance.now() - startMs), detail, ...(warning !== undefined && { advice: warning }) },
    };
  } catch (error) {
    const ms = rounded(performance.now() - startMs);
    const own = error instanceof CliFailure ? error.details.advice : undefined;
    return { check: name, outcome: 'failed', ms, detail: reasonOf(error), advice: own ?? advice };
  } finally {
    patience.abort();
  }
}

async function lateFailure(patienceMs: number, signal: AbortSignal): Promise<never> {
  await sleep(patienceMs, undefined, { signal });
  throw new Error(`nothing came within ${patienceMs / 1_000} s`);
}

const rounded = (ms: number): number => Math.round(ms * 10) / 10;
