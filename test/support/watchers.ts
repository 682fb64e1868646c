/** The watchers of a presentity, as the table has them. */
import type { Address } from '#core/identity.ts';
import type { Table } from '#table/table.ts';
import { type HeldSubscription, queryWatchersByEvent } from '#table/watcher-item.ts';

export async function queryWatchers(
  table: Table,
  presentity: Address,
  event: string,
  nowMs: number,
): Promise<readonly HeldSubscription[]> {
  return (await queryWatchersByEvent(table, presentity, [event], nowMs)).get(event) ?? [];
}
