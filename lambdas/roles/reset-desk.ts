/** Reset desk: removes publications whose publishers do not, so that a lamp that is stuck is free again. */
import { isLive } from '#core/dialog.ts';
import { StaleWrite } from '#core/error.ts';
import type { Address } from '#core/identity.ts';
import { etagOf, requirePrecondition } from '#core/precondition.ts';
import { Problem } from '#core/problem.ts';
import type { Publication } from '#core/publication.ts';
import { loadCalls } from '#table/call-item.ts';
import { isPublicationOfCall } from '#table/call-publication.ts';
import { stateKey } from '#table/keys.ts';
import { decodePresentity, type StoredState, SYSTEM } from '#table/presentity-item.ts';
import { resetWrite } from '#table/publication-reset.ts';
import type { Table } from '#table/table.ts';
import { auditWrites, type Change, type ChangePorts } from './change.ts';
import { requirePresentity } from './live-desk.ts';

export interface ResetWish {
  /** Undefined: all of the presentity. */
  readonly publication?: string | undefined;
  /** Those of live calls too. */
  readonly isForced: boolean;
}

/** What became of it. */
export interface ResetResult {
  readonly removed: readonly string[];
  /** Dialogs of calls that are going on: end the call, or force it. */
  readonly kept: readonly { readonly publication: string; readonly callId: string }[];
}

const MAX_ATTEMPTS = 3;

/**
 * One read, one transaction of the state and the audit line; one Query more for each publication of the system's own
 * calls. The stream tells the watchers.
 * @throws {Problem} 404 when there is no such presentity or publication, 409 when the only one is of a live call, 412
 */
export async function resetPublications(
  ports: ChangePorts,
  change: Change,
  address: Address,
  wish: ResetWish,
): Promise<ResetResult> {
  const { table } = ports;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    const stored = await loadStored(table, address);
    requirePrecondition(change.precondition, etagOf(stored.version));
    const { removed, kept } = await decide(table, address.domain, meantBy(stored, wish, address), wish);
    const result = { removed: removed.map(({ id }) => id), kept };
    if (removed.length === 0) return result;
    const write = resetWrite(address, stored, removed, change.by, change.nowMs);
    const told = { shown: { publications: kept.map(({ publication }) => publication) }, action: 'reset' };
    const before = { publications: removed.map(({ id, publisher, event }) => ({ id, publisher, event })) };
    const lines = auditWrites(ports, change, [address.domain], before, told);
    if ((await table.transact([write, ...lines])).kind === 'done') return result;
  }
  throw new StaleWrite(change.resource);
}

async function loadStored(table: Table, { domain, user }: Address): Promise<StoredState> {
  const item = await table.get(stateKey(domain, user), { consistent: true });
  if (item) return decodePresentity(item);
  return { ...(await requirePresentity(table, { domain, user })), publicationCount: 0 };
}

function meantBy({ publications }: StoredState, { publication }: ResetWish, { user }: Address): readonly Publication[] {
  if (publication === undefined) return publications;
  const found = publications.filter(({ id }) => id === publication);
  if (found.length === 0) throw new Problem(404, `There is no publication ${publication} of ${user}.`);
  return found;
}

async function decide(table: Table, domain: string, meant: readonly Publication[], wish: ResetWish) {
  const calls = wish.isForced ? [] : await Promise.all(meant.map((each) => liveCallOf(table, domain, each)));
  const kept = meant.flatMap((each, index) => {
    const callId = calls[index];
    return callId === undefined ? [] : [{ publication: each.id, callId }];
  });
  if (wish.publication !== undefined && kept[0]) {
    const detail = `It shows the call ${kept[0].callId}, which is going on: end the call, or repeat this with ?force=1.`;
    throw new Problem(409, detail);
  }
  return { kept, removed: meant.filter((_, index) => calls[index] === undefined) };
}

/** @returns Call-ID of the call that the publication shows, if it is one of the system's own that is going on */
async function liveCallOf(table: Table, domain: string, publication: Publication): Promise<string | undefined> {
  const { publisher, content } = publication;
  if (publisher !== SYSTEM || content.kind !== 'dialogs') return undefined;
  const callId = content.live.find(isLive)?.callId;
  if (callId === undefined) return undefined;
  const calls = await loadCalls(table, domain, callId);
  const isShown = calls.some(
    ({ snapshot }) => snapshot.state !== 'terminated' && isPublicationOfCall(publication.id, snapshot),
  );
  return isShown ? callId : undefined;
}
