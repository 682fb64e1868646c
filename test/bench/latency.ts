/** PUBLISH to NOTIFY through the whole local stack: one watcher, one change at a time. */
import type { LocalStack } from '#test/support/local-stack.ts';
import { type Quantiles, quantiles } from './process-usage.ts';
import { BenchPublisher } from './publisher.ts';
import { WatcherFleet } from './watcher-fleet.ts';

const EXTENSION = '1016';

/** Enough for a stack that is far behind. */
const LOST_AFTER_MS = 20_000;

/** @returns milliseconds from the sending of the PUBLISH to the arrival of the NOTIFY */
export async function measureLatency(stack: LocalStack, changes: number): Promise<Quantiles> {
  const lamp = await Lamp.open(stack);
  await lamp.sample(20);
  const samples = await lamp.sample(changes);
  await lamp.close();
  return quantiles(samples.map(({ toldMs }) => toldMs));
}

/** Of one change, from the sending of its PUBLISH. */
export interface LampTimes {
  readonly answeredMs: number;
  readonly toldMs: number;
}

/** One watcher of one extension, and who changes it. */
export class Lamp {
  readonly #fleet: WatcherFleet;
  readonly #publisher: BenchPublisher;

  private constructor(fleet: WatcherFleet, publisher: BenchPublisher) {
    this.#fleet = fleet;
    this.#publisher = publisher;
  }

  static async open(stack: LocalStack): Promise<Lamp> {
    const fleet = new WatcherFleet(stack.url());
    await fleet.open(1);
    await fleet.subscribe(1, () => EXTENSION);
    return new Lamp(fleet, await BenchPublisher.connect(stack.url(), EXTENSION, 0));
  }

  /** Changes, one after the other. */
  async sample(changes: number): Promise<LampTimes[]> {
    const samples: LampTimes[] = [];
    for (let change = 0; change < changes; change++) samples.push(await this.#change());
    return samples;
  }

  async #change(): Promise<LampTimes> {
    const { promise: arrived, resolve, reject } = Promise.withResolvers<number>();
    const timer = setTimeout(() => reject(new Error('a change did not arrive')), LOST_AFTER_MS);
    this.#fleet.onNotify = (watcher) => {
      if (watcher.seen[0] === this.#publisher.sequence) resolve(performance.now());
    };
    try {
      const sentAtMs = await this.#publisher.publish();
      const answeredMs = performance.now() - sentAtMs;
      return { answeredMs, toldMs: (await arrived) - sentAtMs };
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    await this.#publisher.close();
    this.#fleet.close();
  }
}
