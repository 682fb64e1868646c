/** Removal of what has expired in a presentity's state; that removal is a change like any other. */
import { StaleWrite } from '#core/error.ts';
import type { Address } from '#core/identity.ts';
import { isSourcePublisher } from '#core/ingest.ts';
import type { Publication } from '#core/publication.ts';
import { stateKey } from './keys.ts';
import { decodePresentity, publicationAttribute, type StoredState, SYSTEM } from './presentity-item.ts';
import type { Table, Update } from './table.ts';

/**
 * One GetItem; one UpdateItem, conditional on the version that was read, that removes the expired publications and
 * sets when to look again.
 * @returns how many publications were removed
 * @throws {StaleWrite} when a PUBLISH came in between: read and decide again
 */
export async function sweepPresentity(table: Table, { domain, user }: Address, nowMs: number): Promise<number> {
  const key = stateKey(domain, user);
  const item = await table.get(key, { consistent: true });
  if (item === undefined) return 0;
  const stored = decodePresentity(item);
  const expired = stored.publications.filter(({ expiresAtMs }) => expiresAtMs <= nowMs);
  const isDue = stored.dueAtMs !== undefined && stored.dueAtMs <= nowMs;
  if (!isDue && expired.length === 0) return 0;
  const result = await table.update(key, sweepUpdate(stored, expired, nowMs));
  if (result.kind === 'refused') throw new StaleWrite(`Sweep of ${key.PK}`);
  return expired.length;
}

function sweepUpdate(stored: StoredState, expired: readonly Publication[], nowMs: number): Update {
  const standing = stored.publications.filter((publication) => !expired.includes(publication));
  const nextDueAtMs = Math.min(...standing.map(({ expiresAtMs }) => expiresAtMs));
  const isEmpty = standing.length === 0;
  const isSeen = expired.some((publication) => !isTombstone(publication));
  const set = ['#count = :count', ...(isEmpty ? [] : ['#due = :due'])];
  const remove = [...expired.map((_, index) => `#p${index}`), ...(isEmpty ? ['#due', '#shard'] : [])];
  // Only what watchers can see is a new version.
  if (isSeen) set.push('#version = #version + :one', '#changed = :now');
  return {
    update: `SET ${set.join(', ')}${remove.length > 0 ? ` REMOVE ${remove.join(', ')}` : ''}`,
    condition: '#version = :seen',
    names: {
      ...{ '#version': 'version', '#count': 'pubCount', '#due': 'dueAtMs' },
      ...(isEmpty && { '#shard': 'dueShard' }),
      ...(isSeen && { '#changed': 'changedAtMs' }),
      ...Object.fromEntries(expired.map(({ id }, index) => [`#p${index}`, publicationAttribute(id)])),
    },
    values: {
      ...{ ':seen': stored.version, ':count': standing.filter(({ publisher }) => publisher !== SYSTEM).length },
      ...(!isEmpty && { ':due': nextDueAtMs }),
      ...(isSeen && { ':one': 1, ':now': nowMs }),
    },
  };
}

/** What is left of a call, or of a source's dialog, that has ended: watchers were told of its end. */
const isTombstone = ({ publisher, content }: Publication): boolean =>
  (publisher === SYSTEM || isSourcePublisher(publisher)) && content.kind === 'dialogs' && content.live.length === 0;
