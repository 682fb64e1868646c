/** Removal of publications that somebody else than their publishers wants gone: a change like any other. */
import type { Address } from '#core/identity.ts';
import type { Publication } from '#core/publication.ts';
import { stateKey } from './keys.ts';
import { publicationAttribute, type StoredState, SYSTEM } from './presentity-item.ts';
import type { TransactionWrite } from './table.ts';

/** Holds only for the state as it was read. @param by the key that wants it */
export function resetWrite(
  { domain, user }: Address,
  stored: StoredState,
  removed: readonly Publication[],
  by: string,
  nowMs: number,
): TransactionWrite {
  const standing = stored.publications.filter((publication) => !removed.includes(publication));
  return {
    kind: 'update',
    key: stateKey(domain, user),
    update: `SET #version = #version + :one, #changed = :now, #count = :count, #reset = :reset REMOVE ${removed
      .map((_, index) => `#p${index}`)
      .join(', ')}`,
    condition: '#version = :seen',
    names: {
      ...{ '#version': 'version', '#changed': 'changedAtMs', '#count': 'pubCount', '#reset': 'reset' },
      ...Object.fromEntries(removed.map(({ id }, index) => [`#p${index}`, publicationAttribute(id)])),
    },
    values: {
      ...{ ':one': 1, ':now': nowMs, ':seen': stored.version, ':reset': { atMs: nowMs, by } },
      // The system's own publications do not count.
      ':count': standing.filter(({ publisher }) => publisher !== SYSTEM).length,
    },
  };
}
