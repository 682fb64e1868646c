/** What a gateway tells the functions about itself: its lease, and what it no longer holds. */
import * as v from 'valibot';
import { CONTRACT_VERSION, flowId, gatewayId, identity, subscriptionId } from './schemas.ts';

/** Payload of the `lease` function. */
export const leaseReport = v.object({
  contractVersion: v.literal(CONTRACT_VERSION),
  gatewayId,
  /** Base URL of the private port, such as `http://10.0.3.7:9090`. */
  address: v.string(),
  leaseSeconds: v.number(),
  flows: v.number(),
  subscriptions: v.number(),
  draining: v.boolean(),
});
export type LeaseReport = v.InferInput<typeof leaseReport>;

/** Answer to a lease report. */
export const leaseGrant = v.object({
  leaseEndsAtMs: v.optional(v.number()),
  /** How many gateways there are: each gives a tenant such a share of its quotas. */
  gateways: v.optional(v.pipe(v.number(), v.minValue(1)), 1),
  /** A newer generation of gateways is there: this one is to let its flows go when it is asked to stop. */
  superseded: v.optional(v.boolean(), false),
});
export type LeaseGrant = v.InferInput<typeof leaseGrant>;

/** Payload of the `flow-closed` function. */
export const flowClosedReport = v.object({
  contractVersion: v.literal(CONTRACT_VERSION),
  gatewayId,
  /** Registered flows that are gone: their bindings go. */
  flows: v.array(v.object({ flowId, identity })),
  /** Subscriptions that ended here, by expiry, failure, or at the end of their parking. */
  subscriptions: v.array(
    v.object({
      id: subscriptionId,
      presentity: v.string(),
      event: v.string(),
      /** CSeq of the last SUBSCRIBE that this gateway knew: what was refreshed later, here or elsewhere, stays. */
      cseq: v.optional(v.number()),
    }),
  ),
  /** Stored messages that their recipient has taken: they go. */
  messages: v.optional(v.array(v.object({ recipient: identity, id: v.string() })), []),
});
export type FlowClosedReport = v.InferInput<typeof flowClosedReport>;
