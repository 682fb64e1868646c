/** Watch desk: who watches a user, as the HTTP API shows it, and what the user says of one of them. */
import { type Address, addressOfAor, isStorable } from '#core/identity.ts';
import { Problem } from '#core/problem.ts';
import { namesAddress, type UserWatch, WATCH_WORDS, type WatchWord, withWord } from '#core/watch-policy.ts';
import { accessOf } from '#core/watch-view.ts';
import type { Table } from '#table/table.ts';
import { loadWatchRules } from '#table/watch-rules.ts';
import { loadStandingWatchers, type StandingWatcher } from '#table/watcher-access.ts';
import type { Change, Changed, ChangePorts } from './change.ts';
import { putUserWatch } from './user-desk.ts';

export const WATCHER_STATES = ['active', 'pending'] as const;
export type WatcherState = (typeof WATCHER_STATES)[number];

export interface ShownWatcher {
  readonly watcher: string;
  readonly event: string;
  readonly state: WatcherState;
  readonly access: string;
  readonly isByList: boolean;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}

interface WatcherPage {
  readonly items: readonly ShownWatcher[];
  readonly place: string | undefined;
}

/** One Query: who watches a user now, by event package. One who may not, in an event list, is no watcher. */
export async function showWatchersOf(
  table: Table,
  address: Address,
  { state, limit, after = '' }: { state?: WatcherState | undefined; limit: number; after?: string | undefined },
  nowMs: number,
): Promise<WatcherPage> {
  const standing = await loadStandingWatchers(table, address, nowMs);
  const wanted = standing
    .filter(({ rendering }) => accessOf(rendering) !== 'blocked')
    .filter((watcher) => state === undefined || stateOf(watcher) === state)
    .filter((watcher) => placeOf(watcher) > after)
    .sort((left, right) => (placeOf(left) < placeOf(right) ? -1 : 1));
  const page = wanted.slice(0, limit);
  const last = page.at(-1);
  return { items: page.map(show), place: wanted.length > limit && last ? placeOf(last) : undefined };
}

const placeOf = ({ event, id }: StandingWatcher): string => `${event}#${id}`;
const stateOf = ({ rendering }: StandingWatcher): WatcherState =>
  accessOf(rendering) === 'pending' ? 'pending' : 'active';

function show(watcher: StandingWatcher): ShownWatcher {
  const { event, rendering, list, createdAtMs, expiresAtMs } = watcher;
  const access = accessOf(rendering);
  return {
    ...{ watcher: watcher.watcher, event, state: stateOf(watcher), access, isByList: list === 'member' },
    ...{ createdAtMs, expiresAtMs },
  };
}

/** What a user says of one watcher by its own name; undefined for nothing. */
export async function showWord(table: Table, address: Address, name: string): Promise<WatchWord | undefined> {
  const watcher = watcherNamed(name, address.domain);
  const { watch } = await loadWatchRules(table, address, { consistent: true });
  return wordFor(watch, watcher, address.domain);
}

const wordFor = (watch: UserWatch, watcher: Address, home: string): WatchWord | undefined =>
  WATCH_WORDS.find((word) => watch[word].some((entry) => namesAddress(entry, watcher, home)));

/**
 * Says it anew; subscriptions that stand follow within seconds.
 * @param word undefined: nothing any more
 * @throws {Problem} 400 for a watcher that cannot be, 404 without such a user
 */
export async function putWord(
  ports: ChangePorts,
  change: Change,
  address: Address,
  name: string,
  word: WatchWord | undefined,
): Promise<Changed<object>> {
  const watcher = watcherNamed(name, address.domain);
  return putUserWatch(ports, change, address, (watch) => withWord(watch, watcher, address.domain, word));
}

/** @throws {Problem} 400 */
function watcherNamed(name: string, home: string): Address {
  const address = /^sips?:/i.test(name) ? addressOfAor(name) : { domain: home, user: name };
  if (address === undefined || !isStorable(address) || [...name].some((character) => character < ' '))
    throw new Problem(400, 'A watcher is a user name of the tenant, or an address: sip:user@domain.');
  return address;
}
