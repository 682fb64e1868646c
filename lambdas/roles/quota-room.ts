/** Whether a tenant may have one more of what the HTTP API makes. */
import { Problem } from '#core/problem.ts';
import type { Table } from '#table/table.ts';
import { loadCounts, type TenantCounts } from '#table/tenant-counts.ts';

/**
 * One Query. What others make at the same moment is not seen: a tenant can have some more than its quota.
 * @throws {Problem} 409: it can be tried again when something of it is gone
 */
export async function requireRoom(table: Table, domain: string, of: keyof TenantCounts, quota: number): Promise<void> {
  const counts = await loadCounts(table, domain);
  if (counts[of] >= quota) throw new Problem(409, `The tenant may have ${quota} ${of}, and has ${counts[of]}.`);
}
