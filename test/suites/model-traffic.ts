/** The network of the model test: everything on its way arrives in an order that a number decides, so that a case repeats. */
export class Traffic {
  readonly #waiting: (() => void)[] = [];
  #state: number;
  #isTurning = false;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A whole number from 0 to `count - 1` (mulberry32). */
  pick(count: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % count;
  }

  get isIdle(): boolean {
    return this.#waiting.length === 0;
  }

  /** On its way: resolves when it is the one that arrives. */
  travel(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    this.#schedule();
    return promise;
  }

  /** Lets a few things arrive before the next one starts. */
  async overlap(): Promise<void> {
    for (let turns = this.pick(8); turns > 0; turns--) await turn();
  }

  #schedule(): void {
    if (this.#isTurning) return;
    this.#isTurning = true;
    setImmediate(() => {
      this.#isTurning = false;
      const [arrived] = this.#waiting.splice(this.pick(this.#waiting.length), 1);
      arrived?.();
      if (this.#waiting.length > 0) this.#schedule();
    });
  }
}

/** One turn of the event loop: whatever can go on without the network has gone on. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
