/** Outcome: what a function decided about one request. */
import * as v from 'valibot';
import { callRoute } from './call.ts';
import { type InstructionInput, instructions } from './instruction.ts';
import {
  CONTRACT_VERSION,
  epochMs,
  gatewayQuotas,
  identity,
  notification,
  subscriptionId,
  terminationReason,
} from './schemas.ts';
import { sipResponse } from './sip-response.ts';

export type { EnvelopedResponse } from './sip-response.ts';

/** The members of an event list (RFC 4662) as they are now; each AOR once, in the order of the list. */
export const listState = v.object({
  /** URI of the list itself. */
  uri: v.string(),
  members: v.array(
    v.object({
      /** AOR; of a member that is none of ours, the URI as the list has it. */
      uri: v.string(),
      name: v.optional(v.string()),
      state: v.picklist(['active', 'pending', 'terminated']),
      /** Of a terminated member. */
      reason: v.optional(terminationReason),
      notification: v.optional(notification),
    }),
  ),
});
export type ListState = Readonly<v.InferOutput<typeof listState>>;

/** The watcher has this state (RFC 5839): the NOTIFY has no body, or there is none. */
const suppressed = v.optional(v.picklist(['body', 'notification']));
/** True when another gateway held it before: what this one knows of it from earlier is old. */
const isTakenOver = v.optional(v.boolean());

/**
 * The subscription after a SUBSCRIBE. `active`: opened or refreshed, a NOTIFY follows the answer.
 * `ended`: fetched or unsubscribed, one last NOTIFY `terminated` follows.
 */

export const subscriptionOutcome = v.variant('kind', [
  v.object({
    kind: v.literal('active'),
    id: subscriptionId,
    /** AOR, `sip:user@domain`. */
    presentity: v.string(),
    event: v.string(),
    eventId: v.optional(v.string()),
    createdAtMs: epochMs,
    expiresAtMs: epochMs,
    /** Nobody has allowed it yet: `Subscription-State: pending` until a `notify` instruction comes for it. */
    isPending: v.optional(v.boolean()),
    notification,
    /** Of a subscription to an event list: the gateway makes its documents, and `notification` has no body. */
    list: v.optional(listState),
    suppressed,
    isTakenOver,
  }),
  v.object({
    kind: v.literal('ended'),
    id: subscriptionId,
    presentity: v.string(),
    event: v.string(),
    eventId: v.optional(v.string()),
    createdAtMs: epochMs,
    reason: terminationReason,
    notification,
    list: v.optional(listState),
    suppressed,
    isTakenOver,
  }),
]);
export type SubscriptionOutcome = v.InferOutput<typeof subscriptionOutcome>;

export const outcome = v.object({
  /** With a `route`: the answer when none of its targets gives one. */
  response: sipResponse,
  route: v.optional(callRoute),
  /** What the flow has proven with this request. */
  identity: v.optional(identity),
  /** True when bindings now name this flow, false when none does any more; absent when unchanged. */
  registered: v.optional(v.boolean()),
  subscription: v.optional(subscriptionOutcome),
  instructions: v.optional(instructions, []),
});
export type Outcome = v.InferOutput<typeof outcome>;
/** What a role returns: defaults may be left out. */
export type OutcomeInput = Omit<v.InferInput<typeof outcome>, 'instructions'> & {
  readonly instructions?: readonly InstructionInput[];
};

/** Result of one invocation, outcomes in the order of the envelopes. */
export const outcomeBatch = v.object({
  contractVersion: v.literal(CONTRACT_VERSION),
  outcomes: v.array(outcome),
  /** Quotas of the tenants whose identities these outcomes say, by domain. */
  quotas: v.optional(v.record(v.string(), gatewayQuotas)),
});
