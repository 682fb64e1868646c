/**
 * The state of a presentity for who subscribes. What has run out and was not swept yet is swept first: a watcher that was
 * told less than its version says would not hear of the next one when that looks like the version again.
 */
import { DependencyUnavailable, StaleWrite } from '#core/error.ts';
import { type Address, addressOfAor } from '#core/identity.ts';
import { hasRunOut, type Presentity } from '#core/presentity.ts';
import { loadPresentities, loadPresentity } from '#table/presentity-item.ts';
import { sweepPresentity } from '#table/presentity-sweep.ts';
import type { Table } from '#table/table.ts';
import { inParallel } from './batches.ts';

const MAX_ATTEMPTS = 3;
const PARALLEL = 8;

/**
 * One GetItem; when something has run out two more and one UpdateItem.
 * @throws {DependencyUnavailable} when others keep changing the item in between
 */
export async function loadCurrent(table: Table, address: Address, nowMs: number): Promise<Presentity> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const presentity = await loadPresentity(table, address);
    if (!hasRunOut(presentity, nowMs)) return presentity;
    await sweepOrLose(table, address, nowMs);
  }
  throw new DependencyUnavailable(`State of ${address.user}: the item keeps changing`, { retryAfterSeconds: 1 });
}

/** The same of many: one BatchGetItem a hundred, and {@link loadCurrent} for each that has run out. @returns by AOR */
export async function loadManyCurrent(
  table: Table,
  addresses: readonly Address[],
  nowMs: number,
): Promise<Map<string, Presentity>> {
  const states = await loadPresentities(table, addresses);
  const over = [...states].filter(([, state]) => hasRunOut(state, nowMs));
  await inParallel(over, PARALLEL, async ([aor]) => {
    const address = addressOfAor(aor);
    if (address) states.set(aor, await loadCurrent(table, address, nowMs));
  });
  return states;
}

/** Whoever was faster has written a new version, which is read now. */
async function sweepOrLose(table: Table, address: Address, nowMs: number): Promise<void> {
  try {
    await sweepPresentity(table, address, nowMs);
  } catch (error) {
    if (!(error instanceof StaleWrite)) throw error;
  }
}
