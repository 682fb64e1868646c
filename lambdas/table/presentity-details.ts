/** What an event package shows of a presentity beside its own item. */
import type { PackageSource } from '#core/event-package.ts';
import type { Address } from '#core/identity.ts';
import type { Presentity } from '#core/presentity.ts';
import { loadBindings } from './binding-item.ts';
import type { Table } from './table.ts';
import { loadWatchers } from './watcher-item.ts';

/** No read when the package is made of the state alone; one Query otherwise. */
export async function loadDetails(
  table: Table,
  address: Address,
  source: PackageSource,
  presentity: Presentity,
  nowMs: number,
): Promise<Presentity> {
  switch (source.kind) {
    case 'state':
      return presentity;
    case 'bindings': {
      const bindings = await loadBindings(table, address);
      return { ...presentity, bindings: bindings.filter(({ expiresAtMs }) => expiresAtMs > nowMs) };
    }
    case 'watchers':
      return { ...presentity, watchers: await loadWatchers(table, address, source.of, nowMs) };
    default:
      return source satisfies never;
  }
}
