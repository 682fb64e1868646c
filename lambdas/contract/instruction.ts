/** Instruction: what a function asks a gateway to do. */
import * as v from 'valibot';
import { arrivedInstruction, endCallInstruction, flowsLostInstruction, relayInstruction } from './call.ts';
import {
  CONTRACT_VERSION,
  epochMs,
  flowId,
  GATEWAY_LIMITS,
  gatewayId,
  headerEntries,
  identity,
  notification,
  proof,
  subscriptionId,
  terminationReason,
} from './schemas.ts';
import { sipResponse } from './sip-response.ts';

/** Send one state to many subscriptions; the body is rendered once. One that was pending is active from then on. */
export const notifyInstruction = v.object({
  kind: v.literal('notify'),
  subscriptionIds: v.array(subscriptionId),
  /** AOR whose state this is: a subscription to an event list needs to know which member. */
  presentity: v.optional(v.string()),
  notification,
  /** In an event list the member no longer shows its state, but this. */
  instance: v.optional(
    v.object({ state: v.picklist(['pending', 'terminated']), reason: v.optional(terminationReason) }),
  ),
});

/** End subscriptions with a last NOTIFY `terminated`. */
export const endInstruction = v.object({
  kind: v.literal('end'),
  subscriptionIds: v.array(subscriptionId),
  reason: terminationReason,
  notification: v.optional(notification),
});

export type EndInstruction = v.InferOutput<typeof endInstruction>;

/** Close a flow with a WebSocket close code and reason. */
export const closeInstruction = v.object({
  kind: v.literal('close'),
  flowId,
  code: v.number(),
  reason: v.string(),
});

/** Close all flows that have proven to be of this tenant, end their calls, and forget the tenant's subscriptions. */
export const closeTenantInstruction = v.object({ kind: v.literal('closeTenant'), domain: v.string() });

/** The same for one user: flows that have proven to be it, and subscriptions to it. */
export const closeUserInstruction = v.object({ kind: v.literal('closeUser'), domain: v.string(), user: v.string() });

/**
 * Some proofs are worth nothing any more: flows that rest on them are closed, and so are those that bring them while a
 * function may still believe them. What is absent is any.
 */
export const signOutInstruction = v.object({
  kind: v.literal('signOut'),
  domain: v.string(),
  user: v.optional(v.string()),
  ...v.partial(v.pick(proof, ['way', 'by', 'tokenId'])).entries,
  /** Only what was issued earlier. */
  issuedBeforeMs: v.optional(epochMs),
});
export type SignOutInstruction = v.InferOutput<typeof signOutInstruction>;

/** Tell of a tenant's flows, by their ids; they come back in the answer. */
export const connectionsInstruction = v.object({
  kind: v.literal('connections'),
  tenant: v.string(),
  /** Only this one. */
  flowId: v.optional(flowId),
  /** Only those behind it. */
  after: v.optional(v.string(), ''),
  limit: v.pipe(v.number(), v.minValue(1), v.maxValue(500)),
});

/** Tell what became of the last NOTIFYs of subscriptions. */
export const inspectInstruction = v.object({
  kind: v.literal('inspect'),
  subscriptionIds: v.pipe(v.array(subscriptionId), v.maxLength(500)),
});

/**
 * Send a request on a flow and tell its final answer. The gateway puts its Via before the header fields. One whose `id`
 * is under way already is not sent again: both get the same answer.
 */
export const forwardInstruction = v.object({
  kind: v.literal('forward'),
  id: v.pipe(v.string(), v.regex(/^[\w.-]{1,128}$/)),
  flowId,
  request: v.object({ method: v.string(), requestUri: v.string(), headers: headerEntries, body: v.string() }),
  answerWithinMs: v.number(),
});
export type ForwardInstruction = v.InferOutput<typeof forwardInstruction>;

/** Tell what a tenant uses of this gateway; it comes back in the answer. */
export const useInstruction = v.object({ kind: v.literal('use'), tenant: v.string() });

export const instruction = v.variant('kind', [
  notifyInstruction,
  endInstruction,
  closeInstruction,
  forwardInstruction,
  useInstruction,
  relayInstruction,
  arrivedInstruction,
  flowsLostInstruction,
  endCallInstruction,
  closeTenantInstruction,
  closeUserInstruction,
  signOutInstruction,
  inspectInstruction,
  connectionsInstruction,
]);
export type Instruction = v.InferOutput<typeof instruction>;

const KINDS: ReadonlySet<unknown> = new Set(instruction.options.map(({ entries }) => entries.kind.literal));
const kindOf = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined;

/**
 * Instructions from a function that may be newer than this gateway: one of a kind that is unknown here is passed over, so that
 * the others of its batch are carried out.
 */
export const instructions = v.pipe(
  v.array(v.unknown()),
  v.transform((all): unknown[] => all.filter((each) => kindOf(each) === undefined || KINDS.has(kindOf(each)))),
  v.array(instruction),
);
export type InstructionInput = v.InferInput<typeof instruction>;
export type NotifyInstruction = v.InferOutput<typeof notifyInstruction>;

/** Body of `POST /instructions` on a gateway's private port. */
export const instructionBatch = v.object({
  contractVersion: v.literal(CONTRACT_VERSION),
  /** The gateway that is meant; another one answers 421 and does nothing. */
  gatewayId,
  /** The gateway that sends it, and where it is; absent when a function does. */
  sender: v.optional(v.object({ gatewayId, address: v.string() })),
  instructions,
});
export type InstructionBatch = v.InferOutput<typeof instructionBatch>;

/** How a forwarded request ended: `noFlow` when the flow is not, or no longer, of this gateway. */
export const forwardResult = v.variant('kind', [
  v.object({ kind: v.literal('answered'), response: sipResponse }),
  v.object({ kind: v.literal('unanswered') }),
  v.object({ kind: v.literal('noFlow') }),
]);
export type ForwardResult = v.InferOutput<typeof forwardResult>;

/** One NOTIFY as its gateway remembers it. */
export const sentNotify = v.object({
  cseq: v.number(),
  /** Version of the document; absent when it had none, or no body. */
  documentVersion: v.optional(v.number()),
  presentityVersion: v.number(),
  sentAtMs: epochMs,
  /** SIP status of the answer, 0 when its time ran out; absent while it is awaited, or was overtaken by the next. */
  answer: v.optional(v.number()),
  /** From sending to the answer. */
  roundTripMs: v.optional(v.number()),
});
export type SentNotify = Readonly<v.InferOutput<typeof sentNotify>>;

/** A subscription as its gateway holds it, with its last NOTIFYs, the newest first. */
export const inspectedSubscription = v.object({
  id: subscriptionId,
  /** Undefined while it is parked, because its flow is gone. */
  flowId: v.optional(flowId),
  /** A newer state waits: for an answer, for the socket, or for the rate that the watcher asked for. */
  isWaiting: v.boolean(),
  notifies: v.array(sentNotify),
});
export type InspectedSubscription = Readonly<v.InferOutput<typeof inspectedSubscription>>;

/** A flow that has proven to be somebody of the tenant. */
export const connection = v.object({
  flowId,
  identity,
  protocol: v.picklist(['sip', 'lamps']),
  transport: v.picklist(['WS', 'WSS', 'TCP', 'TLS']),
  sourceAddress: v.string(),
  openedAtMs: epochMs,
  userAgent: v.optional(v.string()),
  subscriptions: v.number(),
  isRegistered: v.boolean(),
});
export type Connection = Readonly<v.InferOutput<typeof connection>>;

/** What a tenant uses of one gateway, of its share there. Rates are those of the last ten seconds. */
export const limitUse = v.object({
  limit: v.picklist(GATEWAY_LIMITS),
  share: v.number(),
  used: v.number(),
  /** Requests refused for it, since the tenant came to this gateway. */
  refused: v.number(),
});
export type LimitUse = v.InferOutput<typeof limitUse>;

/**
 * Answer 200 to an InstructionBatch: the subscriptions that this gateway does not hold, what forwards came to, and what was
 * asked of subscriptions and tenants.
 */
export const instructionAnswer = v.object({
  unknown: v.array(subscriptionId),
  /** One for each `forward`, in their order. */
  forwarded: v.optional(v.array(forwardResult), []),
  inspected: v.optional(v.array(inspectedSubscription), []),
  /** One for each `use`, in their order; empty for a tenant that is not here. */
  uses: v.optional(v.array(v.array(limitUse)), []),
  /** One for each `connections`, in their order. */
  connections: v.optional(v.array(v.array(connection)), []),
});
export type InstructionAnswer = v.InferOutput<typeof instructionAnswer>;
/** What a gateway answers: what is empty may be left out. */
export type InstructionAnswerInput = v.InferInput<typeof instructionAnswer>;

/** Header fields that sign an instruction batch: `HMAC-SHA-256(secret, "<epoch ms>.<body>")`, hex. */
export const SIGNATURE_HEADER = 'x-lampfield-signature';
export const SIGNED_AT_HEADER = 'x-lampfield-signed-at';
export const SIGNATURE_TOLERANCE_MS = 60_000;
