/** Schema pieces that several messages of the contract share. */
import * as v from 'valibot';
import { flowIdOf, gatewayIdOf, subscriptionIdOf } from './ids.ts';

/** Raised when a field changes its meaning; new optional fields do not raise it. */
export const CONTRACT_VERSION = 1;

const boundedText = (maxLength: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(maxLength));

export const gatewayId = v.pipe(boundedText(128), v.transform(gatewayIdOf));
export const flowId = v.pipe(boundedText(128), v.transform(flowIdOf));
export const subscriptionId = v.pipe(boundedText(128), v.transform(subscriptionIdOf));
export const epochMs = v.pipe(v.number(), v.minValue(0));

/** Header fields in the order they stood in the message, names as received. */
export const headerEntries = v.array(v.tuple([v.string(), v.string()]));
export type HeaderEntries = readonly (readonly [name: string, value: string])[];

/** How an identity was proven: a password, what a portal made from a secret, a token of ours, one of an issuer. */
export const PROOF_WAYS = ['password', 'sharedSecret', 'token', 'issuer'] as const;

/** What an identity was proven with, so that it can be taken back. */
export const proof = v.object({
  way: v.picklist(PROOF_WAYS),
  /** Id of the shared secret, URL of the issuer. */
  by: v.optional(boundedText(512)),
  tokenId: v.optional(boundedText(256)),
  /** When the password was set, the secret made, the token issued; absent when nobody knows. */
  issuedAtMs: v.optional(epochMs),
});
export type Proof = Readonly<v.InferOutput<typeof proof>>;

/** Who a flow has proven to be. A `publisher` may act for any user of its own tenant. */
export const identity = v.object({
  domain: boundedText(253),
  user: boundedText(256),
  role: v.picklist(['user', 'publisher']),
  /** When the proof ends; absent for one that lasts as long as its flow. */
  expiresAtMs: v.optional(epochMs),
  proof: v.optional(proof),
});
export type Identity = Readonly<v.InferOutput<typeof identity>>;

const amount = v.pipe(v.number(), v.minValue(0));

/** What gateways see to: first what is held, then what comes in a second. */
export const GATEWAY_LIMITS = [
  'flows',
  'subscriptions',
  'calls',
  'requestsPerSecond',
  'publicationsPerSecond',
  'messagesPerSecond',
] as const;
export type GatewayLimit = (typeof GATEWAY_LIMITS)[number];

/** What a tenant may use of all gateways together; each gateway gives it a share. */
export const gatewayQuotas = v.object(v.entriesFromList(GATEWAY_LIMITS, amount));
export type GatewayQuotas = Readonly<v.InferOutput<typeof gatewayQuotas>>;

/**
 * A document split around the place of its per-subscription version: `[before, after]`;
 * a document without a version of its own is `[whole]`.
 */
export const splitBody = v.union([v.strictTuple([v.string()]), v.strictTuple([v.string(), v.string()])]);
export type SplitBody = readonly [string] | readonly [string, string];

/** What a NOTIFY says: one state of one presentity in one event package. */
export const notification = v.object({
  presentityVersion: v.number(),
  contentType: v.string(),
  body: splitBody,
  /** Equal for states that look the same to the watcher (RFC 5839). */
  entityTag: v.optional(v.string()),
  /** Of news: when the state changed, and the Call-ID of the request that changed it. */
  changedAtMs: v.optional(epochMs),
  causedBy: v.optional(v.string()),
  /** What has changed since the state with the entity-tag `base`: for watchers that were sent just that state. */
  partial: v.optional(v.object({ base: v.string(), body: splitBody })),
});
export type Notification = Readonly<v.InferOutput<typeof notification>>;

/** Reasons of RFC 6665 section 4.1.3 for `Subscription-State: terminated`. */
export const terminationReason = v.picklist([
  'deactivated',
  'probation',
  'rejected',
  'timeout',
  'giveup',
  'noresource',
  'invariant',
]);
export type TerminationReason = v.InferOutput<typeof terminationReason>;
