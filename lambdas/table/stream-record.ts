/** Records of the table's stream, as Lambda hands them over, to presentity states. */
import * as v from 'valibot';
import { type GatewayId, gatewayIdOf } from '#contract/ids.ts';
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
  /** Who holds it, or held it. */
  readonly gatewayId: GatewayId | undefined;
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
export const decodeStateChange = (input: unknown): StateChange | undefined => readingOf(input).stateChange;

/**
 * @returns undefined for a record of another kind of item
 * @throws {ContractError} when it cannot be read
 */
export function decodeBindingChange(input: unknown): BindingChange | undefined {
  const reading = readingOf(input);
  const { sequenceNumber, partitionKey, sortKey, eventName } = reading;
  const user = sortKey.startsWith(BINDING_PREFIX) ? userOfKey(partitionKey) : undefined;
  if (user === undefined) return undefined;
  const gatewayId = (reading.after ?? reading.before)?.gatewayId;
  return {
    ...{ sequenceNumber, user, kind: eventName === 'REMOVE' ? 'gone' : 'came' },
    gatewayId: typeof gatewayId === 'string' ? gatewayIdOf(gatewayId) : undefined,
  };
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
  const reading = readingOf(input);
  if (reading.sortKey !== TENANT_SORT_KEY) return undefined;
  const { sequenceNumber, after } = reading;
  const domain = after && removalOf(after) ? tenantOfKey(after.PK) : undefined;
  return domain === undefined ? undefined : { sequenceNumber, domain };
}

/**
 * What stands behind any record. Look at the key before the images: they are large, and read when they are asked for.
 * @throws {ContractError} when it cannot be read
 */
export const imagesOfRecord = (input: unknown): RecordImages => readingOf(input);

/** A record as all who look at it read it: each part when it is asked for, and once. */
class Reading implements RecordImages {
  readonly eventName: 'INSERT' | 'MODIFY' | 'REMOVE';
  readonly sequenceNumber: string;
  readonly partitionKey: string;
  readonly sortKey: string;
  readonly #images: v.InferOutput<typeof record>['dynamodb'];
  #before: Item | undefined;
  #after: Item | undefined;
  #stateChange: StateChange | undefined;

  constructor({ eventName, dynamodb }: v.InferOutput<typeof record>) {
    this.eventName = eventName;
    this.sequenceNumber = dynamodb.SequenceNumber;
    this.partitionKey = dynamodb.Keys.PK.S;
    this.sortKey = dynamodb.Keys.SK.S;
    this.#images = dynamodb;
  }

  get before(): Item | undefined {
    const { OldImage } = this.#images;
    this.#before ??= OldImage && itemOf(OldImage);
    return this.#before;
  }

  get after(): Item | undefined {
    const { NewImage } = this.#images;
    this.#after ??= NewImage && itemOf(NewImage);
    return this.#after;
  }

  get stateChange(): StateChange | undefined {
    this.#stateChange ??= this.#readStateChange();
    return this.#stateChange;
  }

  #readStateChange(): StateChange | undefined {
    const presentity = this.sortKey === STATE_SORT_KEY ? presentityOfKey(this.partitionKey) : undefined;
    const { sequenceNumber } = this;
    if (presentity === undefined) return undefined;
    if (this.after === undefined) return undefined;
    return {
      ...{ sequenceNumber, presentity },
      before: this.before ? decodePresentity(this.before) : NO_STATE,
      after: decodePresentity(this.after),
    };
  }
}

/** As long as the batch is at work. */
const readings = new WeakMap<object, Reading>();

/** @throws {ContractError} */
function readingOf(input: unknown): Reading {
  const isObject = typeof input === 'object' && input !== null;
  const known = isObject ? readings.get(input) : undefined;
  if (known !== undefined) return known;
  const result = v.safeParse(record, input);
  if (!result.success) throw new ContractError(`Stream record: ${v.summarize(result.issues)}`);
  const reading = new Reading(result.output);
  if (isObject) readings.set(input, reading);
  return reading;
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
