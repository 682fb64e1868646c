/** One presentity's change to many watchers: gateway CPU per NOTIFY (its 200 OK handled), latency, order. */
import type { LocalStack } from '#test/support/local-stack.ts';
import { cpuMicros, gatewayPid, pinApart, quantiles } from './process-usage.ts';
import { BenchPublisher } from './publisher.ts';
import { WatcherFleet } from './watcher-fleet.ts';

export interface FanoutCase {
  readonly watchers: number;
  readonly flows: number;
  readonly rounds: number;
  /** Publications of the one extension that change at the same moment. */
  readonly publishers?: number;
}

export interface FanoutResult {
  readonly notifies: number;
  readonly gatewayMicrosPerNotify: number;
  readonly toLastWatcherMs: { readonly p50: number; readonly p99: number };
  /** Watchers that went back to an older state, or got a CSeq that did not rise. */
  readonly wrongOrder: number;
  /** Watchers whose last document is not the last state. */
  readonly wrongAtEnd: number;
}

const EXTENSION = '1015';
const WARM_UP_ROUNDS = 5;
const ROUND_TIMEOUT_MS = 20_000;

export async function measureFanout(stack: LocalStack, wanted: FanoutCase): Promise<FanoutResult> {
  pinApart(stack);
  const fleet = new WatcherFleet(stack.url());
  await fleet.open(wanted.flows);
  await fleet.subscribe(wanted.watchers, () => EXTENSION);
  const slots = Array.from({ length: wanted.publishers ?? 1 }, (_, slot) => slot);
  const publishers = await Promise.all(slots.map((slot) => BenchPublisher.connect(stack.url(), EXTENSION, slot)));
  for (let round = 0; round < WARM_UP_ROUNDS; round++) await runRound(fleet, publishers);
  const pid = gatewayPid(stack);
  const [cpuBefore, notifiesBefore] = [cpuMicros(pid), fleet.notifies];
  const latencies: number[] = [];
  for (let round = 0; round < wanted.rounds; round++) latencies.push(await runRound(fleet, publishers));
  const notifies = fleet.notifies - notifiesBefore;
  const result = {
    notifies,
    gatewayMicrosPerNotify: (cpuMicros(pid) - cpuBefore) / notifies,
    toLastWatcherMs: quantiles(latencies),
    wrongOrder: fleet.watchers.filter(({ wrong }) => wrong > 0).length,
    wrongAtEnd: fleet.watchers.filter((watcher) => !isCurrent(watcher.seen, publishers)).length,
  };
  await Promise.all(publishers.map((publisher) => publisher.close()));
  fleet.close();
  return result;
}

const isCurrent = (seen: readonly number[], publishers: readonly BenchPublisher[]): boolean =>
  publishers.every(({ slot, sequence }) => seen[slot] === sequence);

/** All publishers change at once; @returns milliseconds until every watcher has every change */
async function runRound(fleet: WatcherFleet, publishers: readonly BenchPublisher[]): Promise<number> {
  const target = publishers.map(({ sequence }) => sequence + 1);
  const current = new Set<object>();
  const done = new Promise<number>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${fleet.watchers.length - current.size} watchers lack a change`)),
      ROUND_TIMEOUT_MS,
    );
    fleet.onNotify = (watcher) => {
      if (!publishers.every(({ slot }, index) => watcher.seen[slot] === target[index])) return;
      current.add(watcher);
      if (current.size < fleet.watchers.length) return;
      clearTimeout(timer);
      resolve(performance.now());
    };
  });
  const sent = await Promise.all(publishers.map((publisher) => publisher.publish()));
  return (await done) - Math.min(...sent);
}
