/** Message item: an instant message that waits for its recipient. A mailbox has a fixed number of places. */
import * as v from 'valibot';
import { ContractError } from '#core/error.ts';
import type { Address } from '#core/identity.ts';
import { mailboxPartition, messageKey } from './keys.ts';
import { type Item, partitionQuery, type Table } from './table.ts';

/** Messages that may wait for one user. */
export const MAILBOX_PLACES = 50;
const MAX_ATTEMPTS = 3;

export interface StoredMessage {
  /** Names the message; it is delivered, and removed, by this. */
  readonly id: string;
  readonly receivedAtMs: number;
  readonly expiresAtMs: number;
  /** Without Via: the message starts its way anew. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

const messageAttributes = v.object({
  id: v.string(),
  receivedAtMs: v.number(),
  expiresAtMs: v.number(),
  headers: v.array(v.tuple([v.string(), v.string()])),
  body: v.string(),
});

/**
 * One Query and one PutItem into a free place.
 * @returns the id that names the message from now on; undefined when the mailbox is full
 */
export async function storeMessage(
  table: Table,
  recipient: Address,
  message: StoredMessage,
  nowMs: number,
): Promise<string | undefined> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    const place = await freePlace(table, recipient, message.id, nowMs);
    if (place === undefined) return undefined;
    const id = `${place}.${message.id}`;
    const ttl = Math.floor(message.expiresAtMs / 1_000);
    const item = { ...messageKey(recipient.domain, recipient.user, place), ...message, id, ttl };
    const result = await table.put(item, {
      condition: 'attribute_not_exists(PK) OR expiresAtMs <= :now OR id = :id',
      values: { ':now': nowMs, ':id': id },
    });
    if (result.kind === 'done') return id;
  }
  return undefined;
}

/** One consistent Query: what waits and has not expired, oldest first. */
export async function loadMessages(table: Table, { domain, user }: Address, nowMs: number): Promise<StoredMessage[]> {
  const items = await table.query(partitionQuery(mailboxPartition(domain, user), undefined, { consistent: true }));
  return items
    .map(decodeMessage)
    .filter(({ expiresAtMs }) => expiresAtMs > nowMs)
    .toSorted((left, right) => left.receivedAtMs - right.receivedAtMs);
}

/** One DeleteItem; another message that has taken the place stays. */
export async function removeMessage(table: Table, { domain, user }: Address, id: string): Promise<void> {
  const place = id.slice(0, id.indexOf('.'));
  await table.delete(messageKey(domain, user, place), { condition: 'id = :id', values: { ':id': id } });
}

/** Two writers start their search at different places, so that they seldom meet. */
async function freePlace(
  table: Table,
  { domain, user }: Address,
  id: string,
  nowMs: number,
): Promise<string | undefined> {
  const query = partitionQuery(mailboxPartition(domain, user), undefined, {
    ...{ consistent: true, projection: 'SK, expiresAtMs' },
  });
  const items = await table.query(query);
  const taken = new Set(items.filter(({ expiresAtMs }) => Number(expiresAtMs) > nowMs).map(({ SK }) => SK));
  const start = [...id].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
  const places = Array.from({ length: MAILBOX_PLACES }, (_, i) => String((start + i) % MAILBOX_PLACES));
  return places.find((place) => !taken.has(messageKey(domain, user, place).SK));
}

/** @throws {ContractError} when the item is not a message */
function decodeMessage(item: Item): StoredMessage {
  const result = v.safeParse(messageAttributes, item);
  if (!result.success) throw new ContractError(`Item ${item.PK} ${item.SK}: ${v.summarize(result.issues)}`);
  return result.output;
}
