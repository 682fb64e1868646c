/** PUBLISH to NOTIFY through the whole local stack: one watcher, one change at a time. */
import type { LocalStack } from '#test/support/local-stack.ts';
import { type Quantiles, quantiles } from './process-usage.ts';
import { BenchPublisher } from './publisher.ts';
import { WatcherFleet } from './watcher-fleet.ts';

const EXTENSION = '1016';

/** @returns milliseconds from the sending of the PUBLISH to the arrival of the NOTIFY */
export async function measureLatency(stack: LocalStack, changes: number): Promise<Quantiles> {
  const fleet = new WatcherFleet(stack.url());
  await fleet.open(1);
  await fleet.subscribe(1, () => EXTENSION);
  const publisher = await BenchPublisher.connect(stack.url(), EXTENSION, 0);
  const samples: number[] = [];
  for (let change = 0; change < changes + 20; change++) {
    const arrived = new Promise<number>((resolve) => {
      fleet.onNotify = (watcher) => {
        if (watcher.seen[0] === publisher.sequence) resolve(performance.now());
      };
    });
    const sent = await publisher.publish();
    const latency = (await arrived) - sent;
    if (change >= 20) samples.push(latency);
  }
  await publisher.close();
  fleet.close();
  return quantiles(samples);
}
