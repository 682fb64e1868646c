/** Tenant item: policy of one SIP domain. */
import * as v from 'valibot';
import { CALL_TYPES, type CallPolicy, DEFAULT_CALL_POLICY } from '#core/call-policy.ts';
import { ContractError } from '#core/error.ts';
import type { MessagePolicy } from '#core/instant-message.ts';
import { PROFILE_CHOICES, type RenderingPolicy } from '#core/rendering-profile.ts';
import { LISTED_TENANTS, tenantKey } from './keys.ts';
import type { Item, Table } from './table.ts';
import { completeQuotas, type GivenQuotas, givenQuotas, type TenantQuotas } from './tenant-quotas.ts';
import { completeSignIn, type GivenSignIn, givenSignIn, type TenantSignIn } from './tenant-sign-in.ts';
import { completeWatch, type GivenWatch, givenWatch, type TenantWatch } from './tenant-watch.ts';

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
  readonly signIn: TenantSignIn;
  readonly watch: TenantWatch;
  readonly quotas: TenantQuotas;
  /** What is set, as the HTTP API shows it. */
  readonly given: GivenTenant;
  /** Of the last change by the HTTP API; 0 before the first. */
  readonly version: number;
  /** True once some user has said who may watch: until then no account is read to decide. */
  readonly hasWatchRules: boolean;
  /** True once it has had a webhook: until then none is looked for when a state changes. */
  readonly hasWebhooks: boolean;
  /** Of one that is being removed. */
  readonly removal?: Removal;
}

/** How a removal stands. */
export interface Removal {
  readonly sinceMs: number;
  /** Items that are removed already. */
  readonly items: number;
}

/** What a tenant is given; all the rest are defaults. */
export interface GivenTenant {
  readonly displayName?: string | undefined;
  readonly policy?: GivenPolicy | undefined;
  readonly signIn?: GivenSignIn | undefined;
  readonly watch?: GivenWatch | undefined;
  readonly quotas?: GivenQuotas | undefined;
}

/** A tenant that is there and stays. */
export const isServed = (tenant: Tenant | undefined): boolean => tenant !== undefined && tenant.removal === undefined;

/** A whole SIP message has 64 KiB. */
const MAX_MESSAGE_BYTES = 60_000;
const MAX_SECONDS = 30 * 24 * 3_600;
const MAX_RULES = 500;
const seconds = v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(MAX_SECONDS)));
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
const rules = <Rule extends v.GenericSchema>(rule: Rule) => v.pipe(v.array(rule), v.maxLength(MAX_RULES));
const callSeconds = v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(7 * 24 * 3_600)));
const calls = v.object({
  federation: v.optional(rules(text)),
  noAnswerSeconds: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(3_600))),
  noAnswerStatus: v.optional(v.picklist([408, 480])),
  maxCallSeconds: callSeconds,
  recordDays: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(3_650))),
  prefixes: v.optional(rules(v.object({ prefix: text, type: v.picklist(CALL_TYPES), exact: v.optional(v.boolean()) }))),
  limits: v.optional(
    rules(
      v.object({
        profile: text,
        value: v.optional(v.pipe(v.string(), v.maxLength(256))),
        limit: v.pipe(v.number(), v.integer(), v.minValue(0)),
        status: v.optional(v.picklist([486, 503]), 486),
        reason: v.optional(text),
      }),
    ),
  ),
  variables: v.optional(
    v.object({
      fixed: v.optional(v.record(text, v.pipe(v.string(), v.maxLength(256))), {}),
      headers: v.optional(rules(v.object({ header: text, name: text })), []),
    }),
  ),
});

/** Policy as a tenant sets it. */
export const givenPolicy = v.object({
  minExpiresSeconds: seconds,
  defaultExpiresSeconds: seconds,
  maxExpiresSeconds: seconds,
  rendering: v.optional(
    v.object({
      profile: v.optional(partialProfile),
      userAgents: v.optional(rules(v.object({ userAgent: text, profile: partialProfile }))),
    }),
  ),
  storeAndForward: v.optional(v.boolean()),
  calls: v.optional(calls),
  maxMessageBytes: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(MAX_MESSAGE_BYTES))),
});

/** All that a tenant sets: the body of its resource, and what the item keeps of it. */
export const givenTenant = v.object({
  displayName: v.optional(v.pipe(v.string(), v.nonEmpty(), v.maxLength(256))),
  policy: v.optional(givenPolicy),
  signIn: v.optional(givenSignIn),
  watch: v.optional(givenWatch),
  quotas: v.optional(givenQuotas),
});
const tenantAttributes = v.object({
  ...givenTenant.entries,
  version: v.optional(v.number(), 0),
  hasWatchRules: v.optional(v.boolean(), false),
  hasWebhooks: v.optional(v.boolean(), false),
  removedSinceMs: v.optional(v.number()),
  removedItems: v.optional(v.number(), 0),
});

/** One GetItem. @returns undefined when there is no such tenant */
export async function loadTenant(
  table: Table,
  domain: string,
  options?: { readonly consistent: boolean },
): Promise<Tenant | undefined> {
  const item = await table.get(tenantKey(domain), options);
  return item && decodeTenant(item, domain);
}

/** @throws {ContractError} when the item is not a tenant */
export function decodeTenant(item: Item, domain: string): Tenant {
  const result = v.safeParse(tenantAttributes, item);
  // Without the values: some of them are secrets.
  const problems = result.issues?.map((issue) => v.getDotPath(issue)).join(', ');
  if (!result.success) throw new ContractError(`Item ${item.PK} is not right: ${problems}`);
  const { version, hasWatchRules, hasWebhooks, removedSinceMs, removedItems, ...given } = result.output;
  const tenant = { ...completeTenant(domain, given, version), hasWatchRules, hasWebhooks };
  if (removedSinceMs === undefined) return tenant;
  return { ...tenant, removal: { sinceMs: removedSinceMs, items: removedItems } };
}

/** A tenant that sets this, with the defaults for the rest. */
export function completeTenant(domain: string, given: GivenTenant, version = 0): Tenant {
  return {
    ...{ domain, version, given, hasWatchRules: false, hasWebhooks: false },
    policy: completePolicy(given.policy ?? {}),
    signIn: completeSignIn(given.signIn ?? {}),
    watch: completeWatch(given.watch ?? {}),
    quotas: completeQuotas(given.quotas ?? {}),
  };
}

// What is not set is no property of the decoded object, so the defaults show through.
const completePolicy = ({ calls: given, ...policy }: GivenPolicy): TenantPolicy => ({
  ...DEFAULT_POLICY,
  ...policy,
  calls: { ...DEFAULT_CALL_POLICY, ...given },
});

/** The tenant stands in the list of all tenants. */
export function tenantItem(
  domain: string,
  policy: GivenPolicy,
  others: Omit<GivenTenant, 'policy'> & { readonly version?: number } = {},
): Item {
  return { ...tenantKey(domain), policy, ...others, listedAs: LISTED_TENANTS, listedBy: domain };
}
