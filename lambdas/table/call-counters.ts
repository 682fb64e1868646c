/** Counters of calls: the size of each profile and the statistics of a tenant, written in the transactions of its calls. */
import * as v from 'valibot';
import type { CallProfile, CountedProfile } from '#core/call-policy.ts';
import { counterShardOf, type Key, STATISTICS_PREFIX, sizeKey, sizePrefix, statisticsKey, tenantKey } from './keys.ts';
import { partitionQuery, type Table, type TransactionWrite } from './table.ts';

/** Of one tenant. */
export interface CallStatistics {
  /** Calls that began since the tenant was made. */
  readonly processed: number;
  /** Those of them that ended without an answer. */
  readonly failed: number;
  /** Calls that are not answered yet, and those that are. */
  readonly early: number;
  readonly active: number;
}

export type StatisticsChange = { readonly [Name in keyof CallStatistics]?: number };

export interface ProfileSize extends CallProfile {
  readonly size: number;
}

const TOTAL = 'total';

/** One write of a transaction, and the profile whose limit may refuse it. */
interface StartWrite {
  readonly profile?: CountedProfile;
  readonly write: TransactionWrite;
}

/** What a call adds at its start. */
export function countStart(domain: string, callKey: string, profiles: readonly CountedProfile[]): StartWrite[] {
  const sizes = profiles
    .filter(isCounted)
    .map((profile): StartWrite => ({ profile, write: sizeWrite(sizeKeyOf(domain, callKey, profile), profile) }));
  return [{ write: statisticsWrite(domain, callKey, { processed: 1, early: 1 }) }, ...sizes];
}

/** The counters that are to go down again at the end of the call. */
export function countedKeys(domain: string, callKey: string, profiles: readonly CountedProfile[]): Key[] {
  return profiles.filter(isCounted).map((profile) => sizeKeyOf(domain, callKey, profile));
}

/** @param sortKeys of {@link countedKeys} */
export function countEnd(domain: string, sortKeys: readonly string[]): TransactionWrite[] {
  const { PK } = tenantKey(domain);
  return sortKeys.map((SK) => ({
    ...{ kind: 'update', key: { PK, SK }, update: 'ADD #size :less' },
    ...{ names: { '#size': 'size' }, values: { ':less': -1 } },
  }));
}

export function statisticsWrite(domain: string, callKey: string, change: StatisticsChange): TransactionWrite {
  const changes = Object.entries(change);
  return {
    kind: 'update',
    key: statisticsKey(domain, counterShardOf(callKey)),
    update: `ADD ${changes.map(([name]) => `#${name} :${name}`).join(', ')}`,
    names: Object.fromEntries(changes.map(([name]) => [`#${name}`, name])),
    values: Object.fromEntries(changes.map(([name, by]) => [`:${name}`, by])),
  };
}

/** Without a limit the size of `total` follows from the statistics. */
const isCounted = ({ profile, limit }: CountedProfile): boolean => profile !== TOTAL || limit !== undefined;

/** Many calls have one type, few one user: only what many would write at once is spread. */
function sizeKeyOf(domain: string, callKey: string, { profile, value, limit }: CountedProfile): Key {
  const isSpread = limit === undefined && profile !== 'user';
  return sizeKey(domain, profile, value, isSpread ? counterShardOf(callKey) : '');
}

function sizeWrite(key: Key, { profile, value, limit }: CountedProfile): TransactionWrite {
  return {
    kind: 'update',
    key,
    update: 'SET profile = :profile, #value = :value ADD #size :one',
    ...(limit && { condition: `${limit.limit > 0 ? 'attribute_not_exists(#size) OR ' : ''}#size < :limit` }),
    names: { '#size': 'size', '#value': 'value' },
    values: { ':profile': profile, ':value': value, ':one': 1, ...(limit && { ':limit': limit.limit }) },
  };
}

const zero = v.optional(v.number(), 0);
const statisticsAttributes = v.object({ processed: zero, failed: zero, early: zero, active: zero });
const sizeAttributes = v.object({ profile: v.string(), value: v.string(), size: v.number() });

/** One consistent Query. */
export async function loadStatistics(table: Table, domain: string): Promise<CallStatistics> {
  const items = await table.query(partitionQuery(tenantKey(domain).PK, STATISTICS_PREFIX, { consistent: true }));
  const shards = items.map((item) => v.parse(statisticsAttributes, item));
  const sum = (name: keyof CallStatistics): number => shards.reduce((total, shard) => total + shard[name], 0);
  return { processed: sum('processed'), failed: sum('failed'), early: sum('early'), active: sum('active') };
}

/** One consistent Query: sizes above zero, of all profiles or of one, or of one value. `total` is not among them. */
export async function loadSizes(table: Table, domain: string, of?: Partial<CallProfile>): Promise<ProfileSize[]> {
  const prefix = sizePrefix(of?.profile, of?.value);
  const items = await table.query(partitionQuery(tenantKey(domain).PK, prefix, { consistent: true }));
  const sizes = new Map<string, ProfileSize>();
  for (const { profile, value, size } of items.map((item) => v.parse(sizeAttributes, item))) {
    const name = JSON.stringify([profile, value]);
    sizes.set(name, { profile, value, size: (sizes.get(name)?.size ?? 0) + size });
  }
  return [...sizes.values()].filter(({ profile, size }) => profile !== TOTAL && size > 0);
}
