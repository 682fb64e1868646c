/** Records of the table's stream, as Lambda hands them over, to presentity states. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import * as v from 'valibot';
import { ContractError } from '#core/error.ts';
import type { Address } from '#core/identity.ts';
import { NO_STATE, type Presentity } from '#core/presentity.ts';
import { presentityOfKey, STATE_SORT_KEY } from './keys.ts';
import { decodePresentity } from './presentity-item.ts';
import type { Item } from './table.ts';

/** One change of one presentity, in the order of its shard. */
export interface StateChange {
  readonly sequenceNumber: string;
  readonly presentity: Address;
  readonly before: Presentity;
  readonly after: Presentity;
}

const image = v.optional(v.record(v.string(), v.unknown()));
const record = v.object({
  eventName: v.picklist(['INSERT', 'MODIFY', 'REMOVE']),
  dynamodb: v.object({
    SequenceNumber: v.string(),
    Keys: v.object({ PK: v.object({ S: v.string() }), SK: v.object({ S: v.string() }) }),
    OldImage: image,
    NewImage: image,
  }),
});
const streamEvent = v.object({ Records: v.array(v.unknown()) });

/** The records of a batch, unread: one that cannot be read must not hide the others. */
export function recordsOf(event: unknown): readonly unknown[] {
  const result = v.safeParse(streamEvent, event);
  if (!result.success) throw new ContractError(`Stream event: ${v.summarize(result.issues)}`);
  return result.output.Records;
}

/**
 * @returns undefined for a record that changes no state: another kind of item, or one that TTL took away
 * @throws {ContractError} when it cannot be read
 */
export function decodeStateChange(input: unknown): StateChange | undefined {
  const result = v.safeParse(record, input);
  if (!result.success) throw new ContractError(`Stream record: ${v.summarize(result.issues)}`);
  const { SequenceNumber, Keys, OldImage, NewImage } = result.output.dynamodb;
  const presentity = Keys.SK.S === STATE_SORT_KEY ? presentityOfKey(Keys.PK.S) : undefined;
  if (presentity === undefined || NewImage === undefined) return undefined;
  return {
    sequenceNumber: SequenceNumber,
    presentity,
    before: OldImage ? decodePresentity(itemOf(OldImage)) : NO_STATE,
    after: decodePresentity(itemOf(NewImage)),
  };
}

/** The sequence number of a record, to report it as failed even if the rest of it cannot be read. */
export function sequenceNumberOf(input: unknown): string | undefined {
  const result = v.safeParse(v.object({ dynamodb: v.object({ SequenceNumber: v.string() }) }), input);
  return result.success ? result.output.dynamodb.SequenceNumber : undefined;
}

// Lambda hands images over in DynamoDB's own JSON; the keys were checked above.
const itemOf = (attributes: Record<string, unknown>): Item =>
  unmarshall(attributes as Record<string, AttributeValue>) as Item;
