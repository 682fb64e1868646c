/** RequestEnvelope: one parsed SIP request on its way from a gateway to a function. */
import * as v from 'valibot';
import { callParty, trunkChallenge } from './call.ts';
import { CONTRACT_VERSION, epochMs, flowId, gatewayId, headerEntries, identity } from './schemas.ts';

export const sipRequest = v.object({
  method: v.string(),
  requestUri: v.string(),
  headers: headerEntries,
  body: v.string(),
  /** `base64` when the body was not valid UTF-8. */
  bodyEncoding: v.optional(v.picklist(['utf8', 'base64']), 'utf8'),
});
export type EnvelopedRequest = v.InferOutput<typeof sipRequest>;

export const requestEnvelope = v.object({
  gatewayId,
  flowId,
  transport: v.picklist(['WS', 'WSS', 'TCP', 'TLS']),
  sourceAddress: v.string(),
  /** What this flow has proven earlier, if anything. */
  identity: v.optional(identity),
  receivedAtMs: epochMs,
  /** What the tenant holds all of that this gateway gives it, so that this request must not open another one. */
  tenantFull: v.optional(v.picklist(['flows', 'subscriptions', 'calls'])),
  /** To tag for the answer; of an initial SUBSCRIBE, also the id of the subscription. */
  toTag: v.string(),
  /** True when this flow has already used the nonce and nonce count (nc) of its Authorization. */
  nonceReplayed: v.optional(v.boolean(), false),
  /** Of an in-dialog SUBSCRIBE whose To tag this gateway holds: the presentity's AOR, `sip:user@domain`. */
  presentity: v.optional(v.string()),
  /** Of a request in the dialog of a call: the other side, whose flow is gone. The answer is a `route` to where it is now. */
  party: v.optional(callParty),
  /** Of a request that went to a trunk, which asked for credentials: they come as header fields of a 200. */
  challenge: v.optional(trunkChallenge),
  request: sipRequest,
});
export type RequestEnvelope = v.InferOutput<typeof requestEnvelope>;

/** Payload of one invocation of a request function. */
export const requestBatch = v.object({
  contractVersion: v.literal(CONTRACT_VERSION),
  envelopes: v.pipe(v.array(v.unknown()), v.minLength(1), v.maxLength(100)),
});
