/** Writes of items that the HTTP API changes: each has a version, and is written only as it was read. */
import type { Key } from './keys.ts';
import type { Attributes, Condition, TransactionWrite } from './table.ts';

/** Compares numbers and never goes back, not even over a deletion: it follows the clock. */
export const nextVersion = (seen: number | undefined, nowMs: number): number => Math.max(nowMs, (seen ?? 0) + 1);

/**
 * Sets these attributes, and takes away those that are undefined; others stay.
 * @param seen the version that was read, 0 for an item without one; undefined: there must be nothing
 */
export function changeWrite(
  key: Key,
  attributes: Attributes,
  seen: number | undefined,
  version: number,
): TransactionWrite {
  const all = Object.entries({ ...attributes, version });
  const names = Object.fromEntries(all.map(([name], index) => [`#a${index}`, name]));
  const values = Object.fromEntries(
    all.flatMap(([, value], index) => (value === undefined ? [] : [[`:a${index}`, value]])),
  );
  const set = all.flatMap(([, value], index) => (value === undefined ? [] : [`#a${index} = :a${index}`]));
  const removed = all.flatMap(([, value], index) => (value === undefined ? [`#a${index}`] : []));
  const condition = conditionOf(seen);
  return {
    kind: 'update',
    key,
    update: `SET ${set.join(', ')}${removed.length === 0 ? '' : ` REMOVE ${removed.join(', ')}`}`,
    ...condition,
    names: { ...names, ...condition.names },
    values: { ...values, ...condition.values },
  };
}

/** @param seen the version that was read */
export const removalWrite = (key: Key, seen: number): TransactionWrite => ({
  kind: 'delete',
  key,
  ...conditionOf(seen),
});

/** Without what is empty: DynamoDB takes no empty map of placeholders. */
function conditionOf(seen: number | undefined): Condition {
  if (seen === undefined) return { condition: 'attribute_not_exists(PK)' };
  const names = { '#version': 'version' };
  if (seen > 0) return { condition: '#version = :seen', names, values: { ':seen': seen } };
  return { condition: 'attribute_exists(PK) AND attribute_not_exists(#version)', names };
}
