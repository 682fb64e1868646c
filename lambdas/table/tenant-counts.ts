/** How many users, lists and webhooks a tenant has, counted with each change. */
import * as v from 'valibot';
import { COUNT_PREFIX, countKey, tenantKey } from './keys.ts';
import { type Item, partitionQuery, type Table, type TransactionWrite } from './table.ts';

export interface TenantCounts {
  readonly users: number;
  readonly lists: number;
  readonly webhooks: number;
}

const count = v.optional(v.number(), 0);
const countAttributes = v.object({ users: count, lists: count, webhooks: count });

/** @param name of the user, list or webhook: it says which part of the counter is used */
export const countWrite = (domain: string, of: keyof TenantCounts, name: string, change: 1 | -1): TransactionWrite => ({
  kind: 'update',
  key: countKey(domain, name),
  update: 'ADD #of :change',
  names: { '#of': of },
  values: { ':change': change },
});

/** For whoever puts users and lists into a table without this. */
export const countItem = (domain: string, counts: Partial<TenantCounts>): Item => ({
  ...countKey(domain, ''),
  ...counts,
});

/** One Query. */
export async function loadCounts(table: Table, domain: string): Promise<TenantCounts> {
  const items = await table.query(partitionQuery(tenantKey(domain).PK, COUNT_PREFIX, { consistent: true }));
  const counts = items.map((item) => v.parse(countAttributes, item));
  return {
    users: counts.reduce((sum, { users }) => sum + users, 0),
    lists: counts.reduce((sum, { lists }) => sum + lists, 0),
    webhooks: counts.reduce((sum, { webhooks }) => sum + webhooks, 0),
  };
}
