/** Tenant item: policy of one SIP domain. */
import * as v from 'valibot';
import { ContractError } from '#core/error.ts';
import type { MessagePolicy } from '#core/instant-message.ts';
import { PROFILE_CHOICES, type RenderingPolicy } from '#core/rendering-profile.ts';
import { tenantKey } from './keys.ts';
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
}

/** Stands for what a tenant does not set. */
export const DEFAULT_POLICY: TenantPolicy = {
  minExpiresSeconds: 60,
  defaultExpiresSeconds: 3_600,
  maxExpiresSeconds: 7_200,
  maxMessageBytes: 1_300,
  storeAndForward: false,
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
  return { ...DEFAULT_POLICY, ...result.output.policy };
}

export function tenantItem(domain: string, policy: Partial<TenantPolicy>): Item {
  return { ...tenantKey(domain), policy };
}
