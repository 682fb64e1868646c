/** What a gateway remembers of the last NOTIFYs of its subscriptions, and tells when it is asked. */
import type { InspectedSubscription } from '#contract/instruction.ts';
import { NO_RING, NotifyRings } from './notify-ring.ts';
import type { Subscription } from './subscription-table.ts';

/** In place of a status: the time for an answer ran out. */
export const NO_ANSWER = 0;

export class NotifyMemory {
  readonly #rings: NotifyRings;

  constructor(nowMs: number) {
    this.#rings = new NotifyRings(nowMs);
  }

  sent(subscription: Subscription, presentityVersion: number, hasVersion: boolean, nowMs: number): void {
    subscription.ring = this.#rings.sent(subscription.ring, presentityVersion, hasVersion, nowMs);
  }

  /** The newest NOTIFY was answered. */
  answered({ ring }: Subscription, status: number, roundTripMs: number): void {
    this.#rings.answered(ring, status, roundTripMs);
  }

  forget(subscription: Subscription): void {
    this.#rings.release(subscription.ring);
    subscription.ring = NO_RING;
  }

  inspect({ id, flow, waiting, cseq, documentVersion, delivered, ring }: Subscription): InspectedSubscription {
    const { presentityVersion } = delivered;
    const notifies = this.#rings.read(ring, { cseq, documentVersion, presentityVersion });
    return { id, ...(flow && { flowId: flow.id }), isWaiting: waiting !== undefined, notifies };
  }
}
