/** A PUBLISH as one conditional UpdateItem of its presentity (its expression: publication-expression). */
import { isLive } from '#core/dialog.ts';
import { DependencyUnavailable } from '#core/error.ts';
import type { Address } from '#core/identity.ts';
import { type DialogDocument, PUBLICATION_LIMITS, type PublicationContent } from '#core/publication.ts';
import { type Key, stateKey } from './keys.ts';
import { decodePresentity, dialogField, type StoredState } from './presentity-item.ts';
import { composePublicationUpdate, type PublicationWrite, roomFor, type SweepRule } from './publication-expression.ts';
import type { Table, Update, WriteResult } from './table.ts';

/** `unmatched`: no such publication with this entity-tag. `full`, `crowded`: too many publications, live dialogs. */
export type PublicationResult = 'done' | 'unmatched' | 'full' | 'crowded';

const MAX_ATTEMPTS = 3;

/**
 * One UpdateItem; a second one when the item's next sweep stands later than the new expiry, which is rare.
 * @throws {DependencyUnavailable} when others keep changing the item in between
 */
export async function commitPublication(
  table: Table,
  address: Address,
  write: PublicationWrite,
  nowMs: number,
): Promise<PublicationResult> {
  const key = stateKey(address.domain, address.user);
  let sweep: SweepRule = 'keepEarlier';
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const result = await updateWithin(table, key, composePublicationUpdate(write, key.PK, sweep, nowMs));
    if (result === 'tooLarge') return 'full';
    if (result.kind === 'done') return 'done';
    const stored = result.item && decodePresentity(result.item);
    const refusal = refusalOf(write, stored, nowMs);
    if (refusal) return refusal;
    sweep = isSweptTooLate(write, stored) ? 'moveForward' : 'keepEarlier';
  }
  throw new DependencyUnavailable(`Publication of ${key.PK}: the item keeps changing`, { retryAfterSeconds: 1 });
}

/** An item is 400 KB at most, which the limits of publications do not keep it from in every case. */
export async function updateWithin(table: Table, key: Key, update: Update): Promise<WriteResult | 'tooLarge'> {
  try {
    return await table.update(key, update);
  } catch (error) {
    const isTooLarge = error instanceof Error && error.name === 'ValidationException' && /size/i.test(error.message);
    if (isTooLarge) return 'tooLarge';
    throw error;
  }
}

/** Why the item refused the write for good; undefined when only the time of its sweep did. */
function refusalOf(
  write: PublicationWrite,
  stored: StoredState | undefined,
  nowMs: number,
): PublicationResult | undefined {
  const standing = stored?.publications.find(({ id }) => id === write.publicationId);
  // The answer to a first attempt was lost: what stands is our own.
  if (write.kind !== 'remove' && standing?.entityTag === write.entityTag) return 'done';
  if (write.kind === 'initial') {
    return stored && stored.publicationCount >= PUBLICATION_LIMITS.perPresentity ? 'full' : undefined;
  }
  const isMatched =
    standing?.entityTag === write.expectedTag &&
    standing.expiresAtMs > nowMs &&
    standing.event === write.event &&
    standing.publisher === write.publisher;
  if (!isMatched) return 'unmatched';
  const isCrowded = write.kind === 'modify' && write.document.kind === 'dialogs' && !hasRoom(write.document, standing);
  return isCrowded ? 'crowded' : undefined;
}

/** A full document replaces what stands; a partial one adds to it. */
function hasRoom({ scope, dialogs }: DialogDocument, { content }: { content: PublicationContent }): boolean {
  if (scope === 'full' || content.kind !== 'dialogs') return true;
  return content.live.length <= roomFor(new Set(dialogs.filter(isLive).map(dialogField)).size);
}

function isSweptTooLate(write: PublicationWrite, stored: StoredState | undefined): boolean {
  return write.kind !== 'remove' && stored?.dueAtMs !== undefined && stored.dueAtMs > write.expiresAtMs;
}
