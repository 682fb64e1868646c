/** Who watches the watchers of a presentity (RFC 3857) learns of those who watch it through an event list. */
import { watcherInfoName } from '#core/event-package.ts';
import { addressOfAor } from '#core/identity.ts';
import { isCounted, type Presentity } from '#core/presentity.ts';
import { countChange } from '#table/presentity-changes.ts';
import type { Table } from '#table/table.ts';

/**
 * Members of a list gained or lost a watcher: one write each, but only for those whose watchers are watched.
 * @param states by AOR
 */
export async function countMemberChanges(
  states: ReadonlyMap<string, Presentity>,
  event: string,
  table: Table,
  nowMs: number,
): Promise<void> {
  const watcherInfo = watcherInfoName(event);
  const watched = [...states].filter(([, state]) => isCounted(state, watcherInfo, nowMs));
  await Promise.all(
    watched.map(async ([aor]) => {
      const address = addressOfAor(aor);
      if (address) await countChange(table, address, watcherInfo, nowMs);
    }),
  );
}
