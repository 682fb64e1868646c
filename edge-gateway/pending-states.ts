/** States, and ends, that overtake the outcome of the SUBSCRIBE that they belong to: kept until it is there. */
import type { SubscriptionId } from '#contract/ids.ts';
import type { EndInstruction } from '#contract/instruction.ts';
import type { Notification } from '#contract/schemas.ts';

export class PendingStates {
  /** By subscription; newest state by presentity, of which a list has many. */
  readonly #states = new Map<SubscriptionId, Map<string, Notification> | undefined>();
  readonly #ends = new Map<SubscriptionId, EndInstruction>();

  open(id: SubscriptionId): void {
    this.#states.set(id, undefined);
  }

  close(id: SubscriptionId): void {
    this.#states.delete(id);
    this.#ends.delete(id);
  }

  /** @returns false when no SUBSCRIBE of this id is with its function */
  keep(id: SubscriptionId, presentity: string, notification: Notification): boolean {
    if (!this.#states.has(id)) return false;
    const states = this.#states.get(id) ?? new Map<string, Notification>();
    this.#states.set(id, states);
    const kept = states.get(presentity);
    if (kept === undefined || kept.presentityVersion < notification.presentityVersion)
      states.set(presentity, notification);
    return true;
  }

  /** @returns false when no SUBSCRIBE of this id is with its function */
  keepEnd(id: SubscriptionId, end: EndInstruction): boolean {
    if (!this.#states.has(id)) return false;
    this.#ends.set(id, end);
    return true;
  }

  /** The end that has come for this id meanwhile. */
  endOf(id: SubscriptionId): EndInstruction | undefined {
    return this.#ends.get(id);
  }

  /** What has come for this id meanwhile. */
  of(id: SubscriptionId): readonly (readonly [presentity: string, notification: Notification])[] {
    return [...(this.#states.get(id) ?? [])];
  }

  /** The newest of a subscription to one presentity: what has come meanwhile, or what the function says. */
  newest(id: SubscriptionId, told: Notification): Notification {
    return this.of(id).reduce((a, [, b]) => (b.presentityVersion > a.presentityVersion ? b : a), told);
  }
}
