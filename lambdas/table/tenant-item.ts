/** Tenant item: policy of one SIP domain. */
import * as v from 'valibot';
import { CALL_TYPES, type CallPolicy, DEFAULT_CALL_POLICY } from '#core/call-policy.ts';
import { ContractError } from '#core/error.ts';
import type { MessagePolicy } from '#core/instant-message.ts';
import { PROFILE_CHOICES, type RenderingPolicy } from '#core/rendering-profile.ts';
import { LISTED_TENANTS, tenantKey } from './keys.ts';
import type { Item, Table } from './table.ts';

/** Policy of a tenant; seconds are for REGISTER, SUBSCRIBE and PUBLISH alike. */
export interface TenantPolicy extends MessagePolicy {
  /** Messages for users who are away wait for them, seven days at most. */
  readonly storeAndForward: boolean;
  /** How its watchers are told of dialogs, where the default does not fit. */
  readonly rendering?: RenderingPolicy | undefined;
  /** Shorter requests are refused with 423 and Min-Expires. */
  readonly minExpiresSeconds: number;
  /** Granted when the request names no time. */
  readonly defaultExpiresSeconds: number;
  /** Longer requests are granted this. */
  readonly maxExpiresSeconds: number;
  readonly calls: CallPolicy;
}

/** What a tenant sets of its policy. */
export type GivenPolicy = Partial<Omit<TenantPolicy, 'calls'>> & { readonly calls?: Partial<CallPolicy> };

/** Stands for what a tenant does not set. */
export const DEFAULT_POLICY: TenantPolicy = {
  minExpiresSeconds: 60,
  defaultExpiresSeconds: 3_600,
  maxExpiresSeconds: 7_200,
  maxMessageBytes: 1_300,
  storeAndForward: false,
  calls: DEFAULT_CALL_POLICY,
};

export interface Tenant {
  readonly domain: string;
  readonly policy: TenantPolicy;
}

/** A whole SIP message has 64 KiB. */
const MAX_MESSAGE_BYTES = 60_000;
const seconds = v.optional(v.pipe(v.number(), v.minValue(1)));
const choice = <Values extends readonly [string, ...string[]]>(values: Values) => v.optional(v.picklist(values));
const partialProfile = v.object({
  dialogs: choice(PROFILE_CHOICES.dialogs),
  ringing: choice(PROFILE_CHOICES.ringing),
  idle: choice(PROFILE_CHOICES.idle),
  callerEarly: choice(PROFILE_CHOICES.callerEarly),
  hold: choice(PROFILE_CHOICES.hold),
  documents: choice(PROFILE_CHOICES.documents),
  identities: choice(PROFILE_CHOICES.identities),
});
const text = v.pipe(v.string(), v.nonEmpty(), v.maxLength(256));
const callSeconds = v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(7 * 24 * 3_600)));
const calls = v.object({
  federation: v.optional(v.array(text)),
  noAnswerSeconds: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(3_600))),
  noAnswerStatus: v.optional(v.picklist([408, 480])),
  maxCallSeconds: callSeconds,
  recordDays: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(3_650))),
  prefixes: v.optional(
    v.array(v.object({ prefix: text, type: v.picklist(CALL_TYPES), exact: v.optional(v.boolean()) })),
  ),
  limits: v.optional(
    v.array(
      v.object({
        profile: text,
        value: v.optional(v.string()),
        limit: v.pipe(v.number(), v.integer(), v.minValue(0)),
        status: v.optional(v.picklist([486, 503]), 486),
        reason: v.optional(text),
      }),
    ),
  ),
  variables: v.optional(
    v.object({
      fixed: v.optional(v.record(text, v.string()), {}),
      headers: v.optional(v.array(v.object({ header: text, name: text })), []),
    }),
  ),
});
const tenantAttributes = v.object({
  policy: v.optional(
    v.object({
      minExpiresSeconds: seconds,
      defaultExpiresSeconds: seconds,
      maxExpiresSeconds: seconds,
      rendering: v.optional(
        v.object({
          profile: v.optional(partialProfile),
          userAgents: v.optional(
            v.array(v.object({ userAgent: v.pipe(v.string(), v.nonEmpty()), profile: partialProfile })),
          ),
        }),
      ),
      storeAndForward: v.optional(v.boolean()),
      calls: v.optional(calls),
      maxMessageBytes: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(MAX_MESSAGE_BYTES))),
    }),
    {},
  ),
});

/** One GetItem. @returns undefined when there is no such tenant */
export async function loadTenant(table: Table, domain: string): Promise<Tenant | undefined> {
  const item = await table.get(tenantKey(domain));
  return item && { domain, policy: decodePolicy(item) };
}

/** @throws {ContractError} when the item is not a tenant */
function decodePolicy(item: Item): TenantPolicy {
  const result = v.safeParse(tenantAttributes, item);
  if (!result.success) throw new ContractError(`Item ${item.PK}: ${v.summarize(result.issues)}`);
  // What an item does not set is no property of the decoded object, so the defaults show through.
  const { calls: given, ...policy } = result.output.policy;
  return { ...DEFAULT_POLICY, ...policy, calls: { ...DEFAULT_CALL_POLICY, ...given } };
}

/** The tenant stands in the list of all tenants. */
export function tenantItem(domain: string, policy: GivenPolicy): Item {
  return { ...tenantKey(domain), policy, listedAs: LISTED_TENANTS, listedBy: domain };
}
