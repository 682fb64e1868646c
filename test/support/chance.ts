/** Numbers by chance that a seed repeats (mulberry32). */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A whole number from 0 to `count - 1`. */
  pick(count: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % count;
  }

  oneOf<T>(all: readonly T[]): T {
    const one = all[this.pick(all.length)];
    if (one === undefined) throw new Error('nothing to choose from');
    return one;
  }

  /** True in so many of a hundred cases. */
  happens(percent: number): boolean {
    return this.pick(100) < percent;
  }
}
