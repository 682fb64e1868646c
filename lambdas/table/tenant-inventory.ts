/**
 * Everything that stands in the table of one tenant, and how it is found without looking at other tenants: each kind by
 * a list or a partition of the tenant's own. Export and removal both go by this; a test holds it against keys.
 */
import {
  auditPartition,
  callPartition,
  historyPartition,
  type Key,
  LISTED_INDEX,
  listedBindings,
  listedCalls,
  listedDevices,
  listedFailures,
  listedKeys,
  listedLists,
  listedPresentities,
  listedSources,
  listedSubscriptions,
  listedUsers,
  listOfKey,
  mailboxPartition,
  presentityOfKey,
  presentityPartition,
  recordPartition,
  tenantKey,
  userOfKey,
  waitingPartition,
} from './keys.ts';
import type { Item, Table } from './table.ts';

/** A kind of things: each stands in a list of the tenant's, or in a partition of the tenant's. */
export type Section = {
  readonly name: string;
  /** What goes with a thing: those that nothing else leads to, its own partition at last. */
  readonly partitionsOf: (thing: Item) => readonly string[];
} & ({ readonly listedAs: string } | { readonly partition: string });

/** In the order in which they are removed: what leads to others before them, the tenant itself at last. */
export function sectionsOf(domain: string): readonly Section[] {
  const own = ({ PK }: Key): readonly string[] => [PK];
  const none = (): readonly string[] => [];
  const ofPresentity = (user: string) => [historyPartition(domain, user), presentityPartition(domain, user)];
  return [
    { name: 'bindings', listedAs: listedBindings(domain), partitionsOf: none },
    {
      name: 'users',
      listedAs: listedUsers(domain),
      partitionsOf({ PK }) {
        const user = userOfKey(PK)?.user ?? '';
        return [mailboxPartition(domain, user), ...ofPresentity(user), PK];
      },
    },
    { name: 'lists', listedAs: listedLists(domain), partitionsOf: ({ PK }) => [...ofList(domain, PK), PK] },
    { name: 'subscriptions', listedAs: listedSubscriptions(domain), partitionsOf: own },
    { name: 'devices', listedAs: listedDevices(domain), partitionsOf: own },
    {
      name: 'presentities',
      listedAs: listedPresentities(domain),
      partitionsOf: ({ PK }) => ofPresentity(presentityOfKey(PK)?.user ?? ''),
    },
    { name: 'calls', listedAs: listedCalls(domain), partitionsOf: own },
    {
      name: 'records',
      partition: recordPartition(domain),
      // A call that has ended stands for a day, and is in no list any more.
      partitionsOf: ({ callId }) => (typeof callId === 'string' ? [callPartition(domain, callId)] : []),
    },
    { name: 'sources', listedAs: listedSources(domain), partitionsOf: own },
    { name: 'failures', listedAs: listedFailures(domain), partitionsOf: own },
    { name: 'keys', listedAs: listedKeys(domain), partitionsOf: own },
    { name: 'audit', partition: auditPartition(domain), partitionsOf: none },
    { name: 'waiting', partition: waitingPartition(domain), partitionsOf: none },
    { name: 'tenant', partition: tenantKey(domain).PK, partitionsOf: none },
  ];
}

/** Presentities of that name, watched as if the list were a user. */
const ofList = (domain: string, partition: string): string[] => {
  const name = listOfKey(partition)?.user;
  return name === undefined ? [] : [presentityPartition(domain, name)];
};

export interface SectionPage {
  /** Whole, of a partition; keys and place, of a list. */
  readonly things: readonly Item[];
  /** Of the last one; undefined when that was all. */
  readonly place?: string | undefined;
}

/** One Query. */
export async function readSection(
  table: Table,
  section: Section,
  limit: number,
  after: string | undefined,
): Promise<SectionPage> {
  const isListed = 'listedAs' in section;
  const [partition, sort] = isListed ? ['listedAs', 'listedBy'] : ['PK', 'SK'];
  const things = await table.query({
    ...(isListed ? { index: LISTED_INDEX } : { consistent: true }),
    keyCondition: `${partition} = :of${after === undefined ? '' : ` AND ${sort} > :after`}`,
    values: { ':of': isListed ? section.listedAs : section.partition, ...(after !== undefined && { ':after': after }) },
    limit: limit + 1,
  });
  const shown = things.slice(0, limit);
  return { things: shown, place: things.length > limit ? String(shown.at(-1)?.[sort as 'SK']) : undefined };
}
