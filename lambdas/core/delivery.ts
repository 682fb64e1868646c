/** What became of instructions that were sent to a gateway. */
import type { SubscriptionId } from '#contract/ids.ts';
import type { Connection, InspectedSubscription, LimitUse } from '#contract/instruction.ts';

/**
 * `delivered`: carried out, except for the subscriptions that the gateway does not hold.
 * `gone`: nothing, or another gateway, is at this address. `failed`: it may be there, but did not carry them out.
 */
export type Delivery =
  | {
      readonly kind: 'delivered';
      readonly unknown: readonly SubscriptionId[];
      /** Answers to `inspect`. */
      readonly inspected?: readonly InspectedSubscription[];
      /** Answers to `use`. */
      readonly uses?: readonly (readonly LimitUse[])[];
      /** Answers to `connections`. */
      readonly connections?: readonly (readonly Connection[])[];
    }
  | { readonly kind: 'gone' | 'failed'; readonly reason: string };
