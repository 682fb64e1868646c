/** The network of the model test: everything on its way arrives in an order that a number decides, so that a case repeats. */
import { Chance } from '#test/support/chance.ts';

const SLOW_PERCENT = 12;
/** That a turn is a slow one's although others wait. */
const SLOW_ARRIVES_PERCENT = 4;

export class Traffic {
  readonly #waiting: (() => void)[] = [];
  /** What much else overtakes. */
  readonly #slow: (() => void)[] = [];
  readonly #chance: Chance;
  #isTurning = false;

  constructor(seed: number) {
    this.#chance = new Chance(seed);
  }

  get isIdle(): boolean {
    return this.#waiting.length + this.#slow.length === 0;
  }

  /** On its way: resolves when it is the one that arrives. */
  travel(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    (this.#chance.happens(SLOW_PERCENT) ? this.#slow : this.#waiting).push(resolve);
    this.#schedule();
    return promise;
  }

  /** Lets a few things arrive before the next one starts. */
  async overlap(): Promise<void> {
    for (let turns = this.#chance.pick(20); turns > 0; turns--) await turn();
  }

  #schedule(): void {
    if (this.#isTurning) return;
    this.#isTurning = true;
    setImmediate(() => {
      this.#isTurning = false;
      const isSlow =
        this.#waiting.length === 0 || (this.#slow.length > 0 && this.#chance.happens(SLOW_ARRIVES_PERCENT));
      const from = isSlow ? this.#slow : this.#waiting;
      const [arrived] = from.splice(this.#chance.pick(from.length), 1);
      arrived?.();
      if (!this.isIdle) this.#schedule();
    });
  }
}

/** One turn of the event loop: whatever can go on without the network has gone on. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
