/** Calls: where the function `call` routes an INVITE, and the snapshots by which a gateway tells how a call stands. */
import * as v from 'valibot';
import { CONTRACT_VERSION, epochMs, flowId, gatewayId, headerEntries, identity } from './schemas.ts';

/** A flow of any gateway, and where other gateways reach that one. */
export const flowAddress = v.object({
  gatewayId,
  /** Base URL of the gateway's private port. */
  address: v.string(),
  flowId,
});
export type FlowAddress = Readonly<v.InferOutput<typeof flowAddress>>;

/** One contact to send the INVITE to. */
export const callTarget = v.object({
  kind: v.literal('flow'),
  flow: flowAddress,
  /** The Contact URI verbatim: the Request-URI of what is sent there. */
  contactUri: v.string(),
  /** 0 to 1: higher ones are tried first, equal ones together (RFC 3261 section 16.6). */
  q: v.number(),
  /** `+sip.instance` and `reg-id` of the binding, if it has them: by them the device is found again on a new flow. */
  instance: v.optional(v.string()),
});
export type CallTarget = Readonly<v.InferOutput<typeof callTarget>>;

/** The SIP peer that takes a tenant's calls to the outside and brings those from there. */
export const trunkPeer = v.object({
  transport: v.picklist(['TCP', 'TLS']),
  host: v.string(),
  port: v.optional(v.number()),
  /** Where its requests come from: addresses, or networks such as `192.0.2.0/24`. */
  addresses: v.array(v.string()),
});
export type TrunkPeer = Readonly<v.InferOutput<typeof trunkPeer>>;

/** Who of a call is no user of any tenant, and is reached over the trunk. */
const outside = v.optional(v.picklist(['caller', 'callee']));

/** A trunk asks for credentials; the function gives them, the gateway never sees the secret. */
export const trunkChallenge = v.object({
  /** Tenant whose trunk it is. */
  domain: v.string(),
  /** Each challenge: the name of its header field, its value, and how often its nonce will have been used (nc). */
  challenges: v.array(v.object({ field: v.string(), value: v.string(), count: v.number() })),
});
export type TrunkChallenge = Readonly<v.InferOutput<typeof trunkChallenge>>;

/** What the function decided about an INVITE. Its call item stands, the profiles are counted. */
export const callRoute = v.object({
  /** Tenant of the call; its Call-ID and this key name the call item. */
  domain: v.string(),
  callKey: v.string(),
  /** AORs, `sip:user@domain`; of a callee outside, the Request-URI. */
  caller: v.string(),
  callee: v.string(),
  targets: v.array(callTarget),
  /** The side that is outside, and the trunk to it. */
  outside,
  trunk: v.optional(trunkPeer),
  /** Of a callee outside: the Request-URI of what goes to the trunk, in place of targets. */
  trunkUri: v.optional(v.string()),
  /** Header fields to set on the forwarded INVITE in place of what the caller sent, such as P-Asserted-Identity. */
  headers: v.optional(headerEntries, []),
  /** Each group of targets may ring for so long. */
  noAnswerMs: v.number(),
  /** The answer when nobody answers in time: 408 or 480. */
  noAnswerStatus: v.number(),
  /** The call ends when it stands for so long. */
  maxDurationMs: v.number(),
});
export type CallRoute = Readonly<v.InferOutput<typeof callRoute>>;

/** Of an in-dialog request whose flow is gone: who to look for among the bindings of `aor`. */
export const callParty = v.object({
  aor: v.string(),
  contactUri: v.string(),
  instance: v.optional(v.string()),
});
export type CallParty = Readonly<v.InferOutput<typeof callParty>>;

export const CALL_STATES = ['trying', 'proceeding', 'early', 'confirmed', 'terminated'] as const;

/** Why a call ended; `failed` has its SIP status beside it. */
export const CALL_CAUSES = [
  'bye',
  'cancelled',
  'rejected',
  'noAnswer',
  'replaced',
  'flowLost',
  'sessionExpired',
  'tooLong',
  'gatewayLost',
  'admin',
  'failed',
] as const;

const leg = v.object({
  tag: v.optional(v.string()),
  contactUri: v.optional(v.string()),
  instance: v.optional(v.string()),
  /** Highest CSeq number that this side has used. */
  cseq: v.optional(v.number()),
  flow: v.optional(flowAddress),
});

/**
 * How a call stands: whole, so that a later one replaces an earlier one. `sequence` only goes up within a call and
 * decides which is later; the state never goes back (trying 0 … terminated 4).
 */
export const callSnapshot = v.object({
  domain: v.string(),
  callId: v.string(),
  callKey: v.string(),
  sequence: v.number(),
  state: v.picklist(CALL_STATES),
  caller: v.object({ ...leg.entries, aor: v.string() }),
  /** The one that answered; before that the first that rang, if any. */
  callee: v.object({ ...leg.entries, aor: v.string() }),
  /** This side has no presentity. */
  outside,
  /** Dialogs of the callee: one a fork that has a To tag, those that are over too. */
  forks: v.array(
    v.object({
      tag: v.string(),
      state: v.picklist(CALL_STATES),
      status: v.optional(v.number()),
      contactUri: v.optional(v.string()),
    }),
  ),
  startedAtMs: epochMs,
  answeredAtMs: v.optional(epochMs),
  endedAtMs: v.optional(epochMs),
  /** When the call ends at the latest. */
  expiresAtMs: epochMs,
  cause: v.optional(v.picklist(CALL_CAUSES)),
  /** Of a call that ended by BYE: who sent it. */
  endedBy: v.optional(v.picklist(['caller', 'callee'])),
  /** Final SIP status of a call that failed. */
  status: v.optional(v.number()),
});
export type CallSnapshot = Readonly<v.InferOutput<typeof callSnapshot>>;

/** Payload of the function `call-report`: the newest snapshot of each call that changed. */
export const callReport = v.object({
  contractVersion: v.literal(CONTRACT_VERSION),
  gatewayId,
  snapshots: v.pipe(v.array(callSnapshot), v.maxLength(100)),
});
export type CallReport = v.InferInput<typeof callReport>;

/** Between gateways: write this SIP message to a flow of yours. */
export const relayInstruction = v.object({ kind: v.literal('relay'), flowId, text: v.string() });
/** Between gateways: a SIP message of a call that you keep has come on a flow of mine. */
export const arrivedInstruction = v.object({
  kind: v.literal('arrived'),
  flow: flowAddress,
  identity: v.optional(identity),
  transport: v.picklist(['WS', 'WSS', 'TCP', 'TLS']),
  sourceAddress: v.string(),
  sourcePort: v.number(),
  text: v.string(),
});
/** Between gateways: flows of mine that carried calls of yours are gone. */
export const flowsLostInstruction = v.object({ kind: v.literal('flowsLost'), flowIds: v.array(flowId) });
/** From a function: end this call of yours; both sides get a BYE, or an INVITE that rings is cancelled. */
export const endCallInstruction = v.object({
  kind: v.literal('endCall'),
  callKey: v.string(),
  cause: v.picklist(CALL_CAUSES),
});
