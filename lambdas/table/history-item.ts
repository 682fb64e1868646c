/** History item: one change of a presentity's lamp, kept for some hours by TTL. */
import * as v from 'valibot';
import { DIALOG_RANK } from '#core/dialog.ts';
import { ContractError } from '#core/error.ts';
import type { Address } from '#core/identity.ts';
import { LAMP_STATES } from '#core/lamp.ts';
import { CAUSES, type LampChange } from '#core/lamp-history.ts';
import type { Page } from './call-list.ts';
import { historyKey, historyPartition } from './keys.ts';
import type { Item, Table } from './table.ts';

const optionalText = v.optional(v.string());
const lamp = v.picklist(LAMP_STATES);
const states = Object.keys(DIALOG_RANK) as (keyof typeof DIALOG_RANK)[];
const historyAttributes = v.object({
  version: v.number(),
  atMs: v.number(),
  from: lamp,
  to: lamp,
  sources: v.array(
    v.object({
      cause: v.picklist(CAUSES),
      ...{ publication: optionalText, publisher: optionalText, entityTag: optionalText, event: optionalText },
      by: optionalText,
    }),
  ),
  dialogs: v.array(
    v.object({
      state: v.picklist(states),
      direction: v.optional(v.picklist(['initiator', 'recipient'])),
      ...{ callId: optionalText, remote: optionalText },
    }),
  ),
  registered: v.optional(v.boolean()),
  presence: v.optional(v.picklist(['open', 'closed'])),
});

/** A change of one presentity. */
export interface PresentityChange {
  readonly presentity: Address;
  readonly change: LampChange;
}

/** One BatchWriteItem 25 changes. Safe to repeat: a change has its own key. */
export async function saveChanges(
  table: Table,
  changes: readonly PresentityChange[],
  keepHours: number,
): Promise<void> {
  const items = changes.map(({ presentity: { domain, user }, change }): Item => {
    const ttl = Math.floor(change.atMs / 1_000) + keepHours * 3_600;
    return { ...historyKey(domain, user, change.atMs, change.version), ...change, ttl };
  });
  // No key may stand twice in a batch.
  const put = [...new Map(items.map((item) => [`${item.PK} ${item.SK}`, item])).values()];
  await table.writeBatch({ put, delete: [] });
}

/** One Query: the changes of a lamp, the newest first. */
export async function listChanges(
  table: Table,
  { domain, user }: Address,
  limit: number,
  place?: string,
): Promise<Page<LampChange>> {
  const items = await table.query({
    keyCondition: `PK = :history${place === undefined ? '' : ' AND SK < :place'}`,
    values: { ':history': historyPartition(domain, user), ...(place !== undefined && { ':place': place }) },
    descending: true,
    limit,
  });
  const last = items.at(-1)?.SK;
  return { items: items.slice(0, limit).map(decodeChange), ...(items.length >= limit && last && { place: last }) };
}

/** @throws {ContractError} when the item is not a change */
function decodeChange(item: Item): LampChange {
  const result = v.safeParse(historyAttributes, item);
  if (!result.success) throw new ContractError(`Item ${item.PK} ${item.SK}: ${v.summarize(result.issues)}`);
  return result.output;
}
