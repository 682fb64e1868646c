/** Noisy neighbour: how late the lamps of one tenant are while another one storms, far over its quotas. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { LocalStack } from '#test/support/local-stack.ts';
import { Lamp, type LampTimes } from './latency.ts';
import { createKey } from './operator.ts';
import { median, type Quantiles, quantiles } from './process-usage.ts';
import type { StormKind, StormOrder, StormReport } from './storm.ts';

/** Beyond the default quotas of a tenant, where one counts such requests; `ingest` are 500 changes each. */
export const STORMS: Readonly<Record<StormKind, number>> = {
  publish: 600,
  change: 600,
  subscribe: 600,
  message: 300,
  invite: 100,
  ingest: 20,
  sockets: 100,
};

/** One tenant's storm does not raise another's p99 by more: README states it, and this bench shows it. */
export const STATED_FACTOR = 8;

export interface NeighbourResult {
  readonly quiet: LampQuantiles;
  readonly stormy: LampQuantiles;
  /** Medians of the rounds: a round's storm against the quiet before it. */
  readonly ratios: { readonly p50: number; readonly p99: number };
  /** Changes of the quiet tenant that were refused or never arrived. */
  readonly failed: number;
  readonly storm: StormReport;
}

interface LampQuantiles {
  /** From the PUBLISH to its answer. */
  readonly answered: Quantiles;
  /** From the PUBLISH to the NOTIFY. */
  readonly told: Quantiles;
}

const NOISY = 'acme.example';
const WARM_UP = 20;
const FLOWS = { flows: 20, lamps: 5 };
/** Until a storm is under way. */
const RISE_MS = 1_000;
/** Until what a storm has left behind is worked off. */
const CALM_MS = 2_000;
const MAX_STORM_MS = 30_000;

/**
 * Quiet and storm in turns, so that a busy machine is so for both.
 * @param changes of the quiet tenant's lamp in each half of a round
 */
export async function measureNeighbour(
  stack: LocalStack,
  kind: StormKind,
  { rounds, changes }: { readonly rounds: number; readonly changes: number },
): Promise<NeighbourResult> {
  const lamp = await Lamp.open(stack);
  await lamp.sample(WARM_UP);
  const storm = await gather(stack, kind);
  const quiet: LampTimes[][] = [];
  const stormy: LampTimes[][] = [];
  const reports: StormReport[] = [];
  for (let round = 0; round < rounds; round++) {
    await pause(CALM_MS);
    quiet.push(await sampleWhile(lamp, changes));
    storm.send('rage');
    await pause(RISE_MS);
    stormy.push(await sampleWhile(lamp, changes));
    storm.send('rest');
    reports.push(((await once(storm, 'message')) as [StormReport])[0]);
  }
  storm.disconnect();
  await lamp.close();
  const ratioOf = (quantile: 'p50' | 'p99'): number =>
    median(quiet.map((before, round) => told(stormy[round] ?? [])[quantile] / told(before)[quantile]));
  return {
    ...{ quiet: lampQuantiles(quiet.flat()), stormy: lampQuantiles(stormy.flat()) },
    ratios: { p50: ratioOf('p50'), p99: ratioOf('p99') },
    failed: rounds * changes - stormy.flat().length,
    storm: summed(reports),
  };
}

async function gather({ url, apiUrl, ...stack }: LocalStack, kind: StormKind): Promise<ChildProcess> {
  const apiKey = await createKey(apiUrl, NOISY, 'ingest');
  const child = fork(path.join(import.meta.dirname, 'storm.ts'));
  const order: StormOrder = { kind, perSecond: STORMS[kind], url: url(), apiUrl, apiKey, domain: NOISY, ...FLOWS };
  child.send(order);
  await Promise.race([once(child, 'message'), failure(child, stack.output)]);
  return child;
}

async function failure(child: ChildProcess, output: () => string): Promise<never> {
  const [code] = await once(child, 'exit');
  throw new Error(`the storm ended with ${code}. The stack said:\n${output()}`);
}

/** @returns the changes that arrived */
async function sampleWhile(lamp: Lamp, changes: number): Promise<LampTimes[]> {
  const samples: LampTimes[] = [];
  const endMs = performance.now() + MAX_STORM_MS;
  for (let change = 0; change < changes && performance.now() < endMs; change++)
    samples.push(...(await lamp.sample(1).catch(() => [])));
  return samples;
}

const told = (samples: readonly LampTimes[]): Quantiles => quantiles(samples.map(({ toldMs }) => toldMs));

const lampQuantiles = (samples: readonly LampTimes[]): LampQuantiles => ({
  answered: quantiles(samples.map(({ answeredMs }) => answeredMs)),
  told: told(samples),
});

function summed(reports: readonly StormReport[]): StormReport {
  const sum = (part: keyof StormReport): number => reports.reduce((total, report) => total + report[part], 0);
  return { sent: sum('sent'), accepted: sum('accepted'), refused: sum('refused'), seconds: sum('seconds') };
}
