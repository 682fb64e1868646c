/** Instruction: what a function asks a gateway to do. */
import * as v from 'valibot';
import { CONTRACT_VERSION, flowId, gatewayId, notification, subscriptionId, terminationReason } from './schemas.ts';

/** Send one state to many subscriptions; the body is rendered once. */
export const notifyInstruction = v.object({
  kind: v.literal('notify'),
  subscriptionIds: v.array(subscriptionId),
  /** AOR whose state this is: a subscription to an event list needs to know which member. */
  presentity: v.optional(v.string()),
  notification,
});

/** End subscriptions with a last NOTIFY `terminated`. */
export const endInstruction = v.object({
  kind: v.literal('end'),
  subscriptionIds: v.array(subscriptionId),
  reason: terminationReason,
  notification: v.optional(notification),
});

/** Close a flow with a WebSocket close code and reason. */
export const closeInstruction = v.object({
  kind: v.literal('close'),
  flowId,
  code: v.number(),
  reason: v.string(),
});

export const instruction = v.variant('kind', [notifyInstruction, endInstruction, closeInstruction]);
export type Instruction = v.InferOutput<typeof instruction>;
export type NotifyInstruction = v.InferOutput<typeof notifyInstruction>;

/** Body of `POST /instructions` on a gateway's private port. */
export const instructionBatch = v.object({
  contractVersion: v.literal(CONTRACT_VERSION),
  /** The gateway that is meant; another one answers 421 and does nothing. */
  gatewayId,
  instructions: v.array(instruction),
});
export type InstructionBatch = v.InferOutput<typeof instructionBatch>;

/** Answer 200 to an InstructionBatch: the subscriptions that this gateway does not hold. */
export const instructionAnswer = v.object({ unknown: v.array(subscriptionId) });
export type InstructionAnswer = v.InferOutput<typeof instructionAnswer>;

/** Header fields that sign an instruction batch: `HMAC-SHA-256(secret, "<epoch ms>.<body>")`, hex. */
export const SIGNATURE_HEADER = 'x-lampfield-signature';
export const SIGNED_AT_HEADER = 'x-lampfield-signed-at';
export const SIGNATURE_TOLERANCE_MS = 60_000;
