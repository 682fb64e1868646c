/** Turns records of the Streams API into what Lambda hands to a function. Pure. */
import { createHash } from 'node:crypto';
import type { AttributeValue, _Record as StreamRecord } from '@aws-sdk/client-dynamodb-streams';
import type { BatchRecord } from './batch-rules.ts';

export interface MappedRecord extends BatchRecord {
  /** JSON text of one element of the event's `Records`. */
  readonly json: string;
  /** Records with the same key stay in order. */
  readonly partitionKey: string;
}

/** DynamoDB Local cuts creation times to the minute; a record counts as young as it can be. */
const CREATION_TIME_GRAIN_MS = 60_000;

/** The record as a function sees it (DynamoDB stream event of Lambda). */
export function eventOf(record: StreamRecord, streamArn: string): object {
  const { dynamodb, userIdentity } = record;
  return {
    eventID: record.eventID,
    eventName: record.eventName,
    eventVersion: record.eventVersion,
    eventSource: 'aws:dynamodb',
    awsRegion: record.awsRegion,
    eventSourceARN: streamArn,
    ...(userIdentity && { userIdentity: { type: userIdentity.Type, principalId: userIdentity.PrincipalId } }),
    dynamodb: {
      ...dynamodb,
      ApproximateCreationDateTime: Math.floor((dynamodb?.ApproximateCreationDateTime?.getTime() ?? 0) / 1_000),
      Keys: mapItem(dynamodb?.Keys),
      NewImage: mapItem(dynamodb?.NewImage),
      OldImage: mapItem(dynamodb?.OldImage),
    },
  };
}

/** Adds what the mapping must know of a record to its event. */
export function mapRecord(record: StreamRecord, event: object, partitionKeyName: string, nowMs: number): MappedRecord {
  const createdAtMs = record.dynamodb?.ApproximateCreationDateTime?.getTime() ?? nowMs;
  const json = JSON.stringify(event);
  return {
    sequenceNumber: sequenceNumberOf(record),
    createdAtMs: Math.min(nowMs, createdAtMs + CREATION_TIME_GRAIN_MS),
    bytes: Buffer.byteLength(json),
    json,
    partitionKey: JSON.stringify(record.dynamodb?.Keys?.[partitionKeyName]),
  };
}

/** @throws {Error} on a record without sequence number, which no stream has */
export function sequenceNumberOf(record: StreamRecord): string {
  const sequenceNumber = record.dynamodb?.SequenceNumber;
  if (sequenceNumber === undefined) throw new Error('a stream record has no sequence number');
  return sequenceNumber;
}

type Item = Record<string, AttributeValue>;

function mapItem(item: Item | undefined): object | undefined {
  return item && Object.fromEntries(Object.entries(item).map(([name, value]) => [name, mapValue(value)]));
}

/** Binary values differ: bytes for the SDK, base64 in an event. */
function mapValue(value: AttributeValue): object {
  if (value.B !== undefined) return { B: base64(value.B) };
  if (value.BS !== undefined) return { BS: value.BS.map(base64) };
  if (value.L !== undefined) return { L: value.L.map(mapValue) };
  if (value.M !== undefined) return { M: mapItem(value.M) };
  // DynamoDB Local leaves the type of an empty map out of its stream records.
  return Object.keys(value).length === 0 ? { M: {} } : value;
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** Which of `lanes` parallel batches a key belongs to, always the same one. */
export function laneOf(partitionKey: string, lanes: number): number {
  return createHash('md5').update(partitionKey).digest().readUInt32BE(0) % lanes;
}
