/** Failed sign-ins, where all instances of all functions see them: only a failure writes, and a read stands for a second. */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import {
  countedAddress,
  type Failures,
  FREE_FOR_USER,
  NO_FAILURES,
  secondsToWait,
  WINDOW_MS,
  windowOf,
} from '#core/sign-in-guard.ts';
import { failuresKey, listedFailures } from './keys.ts';
import type { Item, Table } from './table.ts';

/** Who tries to sign in from where. */
export interface SignInPlace {
  readonly domain: string;
  readonly user: string;
  readonly sourceAddress: string;
}

export interface FailureBook {
  /** One GetItem, or what was read within the last second. @returns whole seconds; 0: the attempt is looked at */
  secondsToWait(place: SignInPlace, nowMs: number): Promise<number>;
  /** One UpdateItem. */
  record(place: SignInPlace, nowMs: number): Promise<void>;
  /** The right password came: what failed before were mistakes. One UpdateItem, none when nothing had failed. */
  forgive(place: SignInPlace, nowMs: number): Promise<void>;
}

const KEEP_MS = 1_000;
const MAX_KEPT = 10_000;
const TTL_GRACE_SECONDS = 60;

export function openFailureBook(table: Table): FailureBook {
  const kept = new Map<string, { readonly item: Promise<Item | undefined>; readonly untilMs: number }>();
  const keep = (id: string, item: Promise<Item | undefined>, nowMs: number): void => {
    kept.delete(id);
    kept.set(id, { item, untilMs: nowMs + KEEP_MS });
    item.catch(() => kept.delete(id));
    for (const oldest of kept.keys()) {
      if (kept.size <= MAX_KEPT) break;
      kept.delete(oldest);
    }
  };
  const find = async (place: SignInPlace, nowMs: number): Promise<Item | undefined> => {
    const key = keyOf(place, nowMs);
    const id = key.PK + key.SK;
    const known = kept.get(id);
    if (known !== undefined && nowMs < known.untilMs) return known.item;
    const item = table.get(key);
    keep(id, item, nowMs);
    return item;
  };
  return {
    secondsToWait: async (place, nowMs) => secondsToWait(decode(await find(place, nowMs), place), nowMs),
    async record(place, nowMs) {
      const before = decode(await find(place, nowMs), place);
      const key = keyOf(place, nowMs);
      const { count, at } = namesOf(place);
      const share = before.ofUser < FREE_FOR_USER ? 1 : 0;
      const result = await table.update(key, {
        update:
          'SET atMs = :now, #at = :now, #ttl = :ttl, listedAs = :list, listedBy = :place ADD ofAll :share, #count :one',
        names: { '#at': at, '#ttl': 'ttl', '#count': count },
        values: {
          ...{ ':now': nowMs, ':ttl': endSeconds(nowMs), ':share': share, ':one': 1 },
          ...{ ':list': listedFailures(place.domain), ':place': key.PK + key.SK },
        },
        returning: 'ALL_NEW',
      });
      if (result.item !== undefined) keep(key.PK + key.SK, Promise.resolve(result.item), nowMs);
    },
    async forgive(place, nowMs) {
      const { ofUser } = decode(await find(place, nowMs), place);
      if (ofUser === 0) return;
      const key = keyOf(place, nowMs);
      const { count, at } = namesOf(place);
      const result = await table.update(key, {
        update: 'REMOVE #count, #at ADD ofAll :less',
        condition: '#count = :known',
        names: { '#count': count, '#at': at },
        values: { ':known': ofUser, ':less': -Math.min(ofUser, FREE_FOR_USER) },
        returning: 'ALL_NEW',
      });
      if (result.item !== undefined) keep(key.PK + key.SK, Promise.resolve(result.item), nowMs);
    },
  };
}

const keyOf = ({ domain, sourceAddress }: SignInPlace, nowMs: number) =>
  failuresKey(domain, countedAddress(sourceAddress), windowOf(nowMs));

const endSeconds = (nowMs: number): number => ((windowOf(nowMs) + 1) * WINDOW_MS) / 1_000 + TTL_GRACE_SECONDS;

const number = v.optional(v.number(), 0);

function decode(item: Item | undefined, place: SignInPlace): Failures {
  if (item === undefined) return NO_FAILURES;
  const { count, at } = namesOf(place);
  const { ofAll, atMs } = v.parse(v.object({ ofAll: number, atMs: number }), item);
  return {
    ofAddress: ofAll,
    ofAddressAtMs: atMs,
    ofUser: v.parse(number, item[count]),
    ofUserAtMs: v.parse(number, item[at]),
  };
}

/** Names of a user's attributes: of one length, whatever the client calls itself. */
function namesOf({ user }: SignInPlace): { readonly count: string; readonly at: string } {
  const name = createHash('sha256').update(user).digest('hex').slice(0, 16);
  return { count: `count_${name}`, at: `at_${name}` };
}
