/** Lists for operators: tenants, live calls, records; each from a place on, so that a page costs what it shows. */
import type { CallRecord } from '#core/call-record.ts';
import { type Call, decodeCall } from './call-item.ts';
import { LISTED_INDEX, LISTED_TENANTS, listedCall, listedCalls, recordPartition } from './keys.ts';
import { decodeRecord } from './record-item.ts';
import type { Table } from './table.ts';

/** What was found, and the place of the last of it; no place when that was all. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly place?: string;
}

/** One Query of the index `listed`. @returns domains in their order */
export async function listTenants(table: Table): Promise<string[]> {
  const items = await table.query({
    index: LISTED_INDEX,
    keyCondition: 'listedAs = :tenants',
    values: { ':tenants': LISTED_TENANTS },
  });
  return items.map(({ PK }) => PK.slice(PK.indexOf('#') + 1));
}

/** One Query of the index `listed`, one consistent BatchGetItem: live calls, the oldest first. */
export async function listCalls(table: Table, domain: string, limit: number, place?: string): Promise<Page<Call>> {
  const keys = await table.query({
    index: LISTED_INDEX,
    keyCondition: `listedAs = :calls${place === undefined ? '' : ' AND listedBy > :place'}`,
    values: { ':calls': listedCalls(domain), ...(place !== undefined && { ':place': place }) },
    limit,
  });
  const items = await table.getBatch(
    keys.map(({ PK, SK }) => ({ PK, SK })),
    { consistent: true },
  );
  const live = items.map(decodeCall).filter(({ snapshot }) => snapshot.state !== 'terminated');
  const last = keys.at(-1)?.listedBy;
  const isFull = keys.length >= limit && typeof last === 'string';
  return { items: live.toSorted(byStart), ...(isFull && { place: last }) };
}

const placeOf = ({ snapshot }: Call): string => listedCall(snapshot.startedAtMs, snapshot.callKey);
const byStart = (left: Call, right: Call): number => (placeOf(left) < placeOf(right) ? -1 : 1);

/** One Query: records of ended calls, the newest first. */
export async function listRecords(
  table: Table,
  domain: string,
  limit: number,
  place?: string,
): Promise<Page<CallRecord>> {
  const items = await table.query({
    keyCondition: `PK = :records${place === undefined ? '' : ' AND SK < :place'}`,
    values: { ':records': recordPartition(domain), ...(place !== undefined && { ':place': place }) },
    descending: true,
    limit,
  });
  const last = items.at(-1)?.SK;
  return { items: items.slice(0, limit).map(decodeRecord), ...(items.length >= limit && last && { place: last }) };
}
