/** Record item: the call detail record of a call that has ended, kept by TTL. */
import type { CallRecord } from '#core/call-record.ts';
import { recordKey } from './keys.ts';
import type { Item } from './table.ts';

const DAY_SECONDS = 24 * 3_600;

/** @param keepDays from the end of the call */
export function recordItem(record: CallRecord, keepDays: number): Item {
  const { domain, endedAtMs, id } = record;
  return {
    ...recordKey(domain, endedAtMs, id),
    ...record,
    ttl: Math.floor(endedAtMs / 1_000) + keepDays * DAY_SECONDS,
  };
}
