/** Record item: the call detail record of a call that has ended, kept by TTL. */
import * as v from 'valibot';
import { CALL_CAUSES } from '#contract/call.ts';
import { CALL_TYPES } from '#core/call-policy.ts';
import type { CallRecord } from '#core/call-record.ts';
import { ContractError } from '#core/error.ts';
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

const text = v.string();
const recordAttributes = v.object({
  ...{ id: text, domain: text, callId: text, caller: text, callee: text },
  callerTag: v.optional(text),
  calleeTag: v.optional(text),
  setupAtMs: v.number(),
  answeredAtMs: v.optional(v.number()),
  endedAtMs: v.number(),
  billSeconds: v.number(),
  cause: v.picklist(CALL_CAUSES),
  endedBy: v.optional(v.picklist(['caller', 'callee'])),
  status: v.optional(v.number()),
  type: v.picklist(CALL_TYPES),
  profiles: v.array(v.object({ profile: text, value: text })),
  variables: v.record(text, text),
});

/** @throws {ContractError} when the item is not a record */
export function decodeRecord(item: Item): CallRecord {
  const result = v.safeParse(recordAttributes, item);
  if (!result.success) throw new ContractError(`Item ${item.PK} ${item.SK}: ${v.summarize(result.issues)}`);
  return result.output;
}
