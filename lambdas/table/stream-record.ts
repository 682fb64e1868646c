/** Records of the table's stream, as Lambda hands them over, to presentity states. */
import * as v from 'valibot';
import { ContractError } from '#core/error.ts';
import type { Address } from '#core/identity.ts';
import { NO_STATE, type Presentity } from '#core/presentity.ts';
import { BINDING_PREFIX, presentityOfKey, STATE_SORT_KEY, TENANT_SORT_KEY, tenantOfKey, userOfKey } from './keys.ts';
import { decodePresentity } from './presentity-item.ts';
import type { Item } from './table.ts';
import { removalOf } from './tenant-removal.ts';

/** One change of one presentity, in the order of its shard. */
export interface StateChange {
  readonly sequenceNumber: string;
  readonly presentity: Address;
  readonly before: Presentity;
  readonly after: Presentity;
}

/** A binding of a user has come (or changed), or gone. */
export interface BindingChange {
  readonly sequenceNumber: string;
  readonly user: Address;
  readonly kind: 'came' | 'gone';
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

/**
 * @returns undefined for a record of another kind of item
 * @throws {ContractError} when it cannot be read
 */
export function decodeBindingChange(input: unknown): BindingChange | undefined {
  const result = v.safeParse(record, input);
  if (!result.success) throw new ContractError(`Stream record: ${v.summarize(result.issues)}`);
  const { eventName, dynamodb } = result.output;
  const { Keys, SequenceNumber } = dynamodb;
  const user = Keys.SK.S.startsWith(BINDING_PREFIX) ? userOfKey(Keys.PK.S) : undefined;
  return user && { sequenceNumber: SequenceNumber, user, kind: eventName === 'REMOVE' ? 'gone' : 'came' };
}

/** Any record, its images as items. */
export interface RecordImages {
  readonly sequenceNumber: string;
  readonly partitionKey: string;
  readonly sortKey: string;
  readonly before: Item | undefined;
  readonly after: Item | undefined;
}

/**
 * @returns undefined for a record of anything but a tenant that is being removed
 * @throws {ContractError} when it cannot be read
 */
export function decodeRemovedTenant(
  input: unknown,
): { readonly sequenceNumber: string; readonly domain: string } | undefined {
  const { sequenceNumber, sortKey, after } = imagesOfRecord(input);
  const domain = sortKey === TENANT_SORT_KEY && after && removalOf(after) ? tenantOfKey(after.PK) : undefined;
  return domain === undefined ? undefined : { sequenceNumber, domain };
}

/**
 * What stands behind any record.
 * @throws {ContractError} when it cannot be read
 */
export function imagesOfRecord(input: unknown): RecordImages {
  const result = v.safeParse(record, input);
  if (!result.success) throw new ContractError(`Stream record: ${v.summarize(result.issues)}`);
  const { SequenceNumber, Keys, OldImage, NewImage } = result.output.dynamodb;
  return {
    ...{ sequenceNumber: SequenceNumber, partitionKey: Keys.PK.S, sortKey: Keys.SK.S },
    ...{ before: OldImage && itemOf(OldImage), after: NewImage && itemOf(NewImage) },
  };
}

/** The sequence number of a record, to report it as failed even if the rest of it cannot be read. */
export function sequenceNumberOf(input: unknown): string | undefined {
  const result = v.safeParse(v.object({ dynamodb: v.object({ SequenceNumber: v.string() }) }), input);
  return result.success ? result.output.dynamodb.SequenceNumber : undefined;
}

/** Images come in DynamoDB's own JSON; the item files check what is in them. */
function itemOf(image: Readonly<Record<string, unknown>>): Item {
  const item = plainMap(image);
  return { ...item, PK: String(item.PK), SK: String(item.SK) };
}

const plainMap = (attributes: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, plainValue(value)]));

/** The types that our items have; anything else is undefined, and refused by the item's own schema. */
function plainValue(attribute: unknown): unknown {
  const [[type, value] = []] = typeof attribute === 'object' && attribute !== null ? Object.entries(attribute) : [];
  switch (type) {
    case 'S':
    case 'BOOL':
      return value;
    case 'N':
      return Number(value);
    case 'L':
      return Array.isArray(value) ? value.map(plainValue) : undefined;
    case 'M':
      return typeof value === 'object' && value !== null ? plainMap(value) : undefined;
    case undefined:
      // DynamoDB Local's stream gives an empty map without its type.
      return {};
    default:
      return undefined;
  }
}
