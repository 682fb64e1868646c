/** Requests that wait, served in turn: one of each tenant, so that the storm of one fills and delays only its own queue. PURE. */

/** Whose requests these are. Strangers have proven nothing: what they claim gives them no part of a tenant's share. */
export interface Sender {
  readonly kind: 'tenant' | 'stranger';
  readonly name: string;
}

/** Turns of tenants for one of strangers, while both wait. */
const TENANT_TURNS = 3;
/** Strangers together may fill this part of the room. */
const STRANGERS_SHARE = 0.5;

/** First in, first out for each name; the names take turns. */
class Ring<Item> {
  readonly #queues = new Map<string, Item[]>();
  size = 0;

  lengthOf(name: string): number {
    return this.#queues.get(name)?.length ?? 0;
  }

  push(name: string, item: Item): void {
    const queue = this.#queues.get(name);
    if (queue === undefined) this.#queues.set(name, [item]);
    else queue.push(item);
    this.size++;
  }

  /** The oldest item of the name whose turn it is; that name then stands behind all others. */
  shift(mayServe: (name: string) => boolean): Item | undefined {
    for (const [name, queue] of this.#queues) {
      if (!mayServe(name)) continue;
      const item = queue.shift();
      this.#queues.delete(name);
      if (queue.length > 0) this.#queues.set(name, queue);
      this.size--;
      return item;
    }
    return undefined;
  }

  drop(isLate: (item: Item) => boolean): Item[] {
    const late: Item[] = [];
    for (const [name, queue] of this.#queues) {
      const inTime = queue.filter((item) => !isLate(item));
      if (inTime.length === queue.length) continue;
      late.push(...queue.filter(isLate));
      if (inTime.length === 0) this.#queues.delete(name);
      else this.#queues.set(name, inTime);
    }
    this.size -= late.length;
    return late;
  }
}

export class FairQueue<Item> {
  readonly #capacity: number;
  readonly #rings = { tenant: new Ring<Item>(), stranger: new Ring<Item>() };
  #tenantTurns = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#rings.tenant.size + this.#rings.stranger.size;
  }

  /**
   * Nobody may hold more places than are still free: `n` storms at once leave a part of `1 / (n + 1)` to all others
   * (the dynamic threshold of shared buffers).
   * @returns false when the sender holds its share
   */
  push({ kind, name }: Sender, item: Item): boolean {
    const { stranger } = this.#rings;
    if (kind === 'stranger' && stranger.size >= this.#capacity * STRANGERS_SHARE) return false;
    const ring = this.#rings[kind];
    if (ring.lengthOf(name) >= this.#capacity - this.size) return false;
    ring.push(name, item);
    return true;
  }

  /** @param mayServe false for a tenant whose turn must wait */
  take(most: number, mayServe: (sender: Sender) => boolean = () => true): Item[] {
    const taken: Item[] = [];
    while (taken.length < most) {
      const item = this.#next(mayServe);
      if (item === undefined) break;
      taken.push(item);
    }
    return taken;
  }

  #next(mayServe: (sender: Sender) => boolean): Item | undefined {
    const shift = (kind: Sender['kind']): Item | undefined =>
      this.#rings[kind].shift((name) => mayServe({ kind, name }));
    if (this.#tenantTurns < TENANT_TURNS || this.#rings.stranger.size === 0) {
      const item = shift('tenant');
      if (item !== undefined) {
        this.#tenantTurns++;
        return item;
      }
    }
    this.#tenantTurns = 0;
    return shift('stranger') ?? shift('tenant');
  }

  /** Takes out who is late: not only the oldest of a sender, for some have waited elsewhere before they came. */
  drop(isLate: (item: Item) => boolean): Item[] {
    return [...this.#rings.tenant.drop(isLate), ...this.#rings.stranger.drop(isLate)];
  }
}
