/** What a tenant lets its calls do: where they may go, how long, how many at once, what is kept of them. Pure. */
import { type Address, forbidden } from './identity.ts';
import { PUBLICATION_LIMITS } from './publication.ts';
import type { HeaderFields } from './sip/message.ts';

/** Classes of called numbers. */
export const CALL_TYPES = ['local', 'domestic', 'international', 'emergency'] as const;
export type CallType = (typeof CALL_TYPES)[number];

export interface PrefixRule {
  readonly prefix: string;
  readonly type: CallType;
  /** The number is the prefix and nothing more. */
  readonly exact?: boolean | undefined;
}

/** At most so many calls at once in a profile. */
export interface CallLimit {
  readonly profile: string;
  /** Without it, each value of the profile has the limit. */
  readonly value?: string | undefined;
  readonly limit: number;
  /** The answer when it is reached. */
  readonly status: 486 | 503;
  readonly reason?: string | undefined;
}

export interface VariableRules {
  /** Set on every call. */
  readonly fixed: Readonly<Record<string, string>>;
  /** Header fields of an INVITE that set a variable, over a fixed one. */
  readonly headers: readonly { readonly header: string; readonly name: string }[];
}

export interface CallPolicy {
  /** Tenants that calls may go to and come from; `*` for all. Both sides must name each other. */
  readonly federation: readonly string[];
  /** How long each group of contacts may ring. */
  readonly noAnswerSeconds: number;
  readonly noAnswerStatus: 408 | 480;
  readonly maxCallSeconds: number;
  /** How long records of calls are kept. */
  readonly recordDays: number;
  /** The longest that fits counts; what none fits is local. */
  readonly prefixes: readonly PrefixRule[];
  readonly limits: readonly CallLimit[];
  readonly variables: VariableRules;
}

export const DEFAULT_CALL_POLICY: CallPolicy = {
  federation: [],
  noAnswerSeconds: 60,
  noAnswerStatus: 408,
  maxCallSeconds: 12 * 3_600,
  recordDays: 90,
  prefixes: [],
  // As many as publications: the state of a user has that much room.
  limits: [{ profile: 'user', limit: PUBLICATION_LIMITS.perPresentity, status: 486 }],
  variables: { fixed: {}, headers: [] },
};

/** A call counts in a profile, either as such or with a value. */
export interface CallProfile {
  readonly profile: string;
  /** '' for a profile without values. */
  readonly value: string;
}

/** A profile that this call counts in, with the limit that it must not pass. */
export interface CountedProfile extends CallProfile {
  readonly limit?: CallLimit;
}

/** The variable whose value is the profile `account`. */
export const ACCOUNT_VARIABLE = 'account';
const MAX_VARIABLE_LENGTH = 256;
const SEPARATORS = /[-.() ]/g;

/** The class of a called number, by the longest prefix that fits. */
export function classify(number: string, rules: readonly PrefixRule[]): CallType {
  const dialled = number.replace(SEPARATORS, '');
  const fitting = rules.filter(({ prefix, exact }) => (exact ? dialled === prefix : dialled.startsWith(prefix)));
  const longest = fitting.reduce<PrefixRule | undefined>(
    (best, rule) => (best === undefined || rule.prefix.length > best.prefix.length ? rule : best),
    undefined,
  );
  return longest?.type ?? 'local';
}

/** The variables that a call begins with. */
export function variablesOf(headers: HeaderFields, { fixed, headers: allowed }: VariableRules): Record<string, string> {
  const given = allowed.flatMap(({ header, name }): [string, string][] => {
    const value = headers.get(header.toLowerCase());
    return value === undefined || value === '' ? [] : [[name, value.slice(0, MAX_VARIABLE_LENGTH)]];
  });
  return { ...fixed, ...Object.fromEntries(given) };
}

export interface CallFacts {
  readonly domain: string;
  /** None of somebody outside. */
  readonly caller: Address | undefined;
  readonly callee: Address | undefined;
  readonly type: CallType;
  readonly variables: Readonly<Record<string, string>>;
}

/** The profiles that a call counts in. Of its tenant's users it counts for both: a call is a call of each of them. */
export function profilesOf({ domain, caller, callee, type, variables }: CallFacts): CallProfile[] {
  const users = new Set([caller, callee].flatMap((each) => (each?.domain === domain ? [each.user] : [])));
  const account = variables[ACCOUNT_VARIABLE];
  return [
    { profile: 'total', value: '' },
    ...(type === 'emergency' ? [{ profile: 'emergency', value: '' }] : []),
    { profile: 'type', value: type },
    ...[...users].map((value) => ({ profile: 'user', value })),
    ...(account ? [{ profile: 'account', value: account }] : []),
  ];
}

/** Adds the limits: the one of the value itself before the one of the profile. An emergency call has none. */
export function withLimits(
  profiles: readonly CallProfile[],
  type: CallType,
  limits: readonly CallLimit[],
): CountedProfile[] {
  return profiles.map((each) => {
    const limit = type === 'emergency' ? undefined : limitOf(each, limits);
    return limit ? { ...each, limit } : each;
  });
}

/** The limit of a profile's value, if there is one. */
export function limitOf({ profile, value }: CallProfile, limits: readonly CallLimit[]): CallLimit | undefined {
  const own = limits.filter((limit) => limit.profile === profile);
  return own.find((limit) => limit.value === value) ?? own.find((limit) => limit.value === undefined);
}

/**
 * Refuses a call to another tenant unless both allow it; the same refusal when there is no such tenant.
 * @throws {SipRejection} 403
 */
export function requireFederation(
  from: { readonly domain: string; readonly policy: CallPolicy },
  to: { readonly domain: string; readonly policy: CallPolicy } | undefined,
): void {
  if (to === undefined || !allows(from.policy, to.domain) || !allows(to.policy, from.domain)) throw forbidden();
}

const allows = ({ federation }: CallPolicy, domain: string): boolean =>
  federation.includes('*') || federation.includes(domain);
