import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
} from '@aws-sdk/client-dynamodb-streams';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failedBatchesOf, redrive } from '#cdk/redrive.ts';
import { STREAM_MAPPING } from '#cdk/system.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { raiseVersion } from '#table/presentity-changes.ts';
import { decodeStateChange } from '#table/stream-record.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';

const T0 = 4_000_000_000_000;
const CHANGES = STREAM_MAPPING.batchSize + 20;
let local: TestTable;
let table: DynamoDbTable;
let streams: DynamoDBStreamsClient;
let shardId: string;

beforeAll(async () => {
  local = await startTable();
  table = openDynamoDbTable(local);
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  streams = new DynamoDBStreamsClient({ endpoint: local.endpoint, region: 'local', credentials });
  for (let version = 1; version <= CHANGES; version += 1)
    await raiseVersion(table, { domain: 'demo.example', user: '1002' }, version, T0);
  const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn: local.streamArn }));
  shardId = StreamDescription?.Shards?.[0]?.ShardId ?? '';
});
afterAll(async () => {
  streams.destroy();
  table.close();
  await local.stop();
});

/** What notify is handed, and whether it takes it. */
function notify(batchItemFailures: readonly unknown[] = []) {
  const events: (readonly object[])[] = [];
  const invoke = async ({ Records }: { readonly Records: readonly object[] }) => {
    events.push(Records);
    return { batchItemFailures };
  };
  return { events, invoke };
}
async function firstNumber(): Promise<string> {
  const from = { StreamArn: local.streamArn, ShardId: shardId, ShardIteratorType: 'TRIM_HORIZON' } as const;
  const { ShardIterator } = await streams.send(new GetShardIteratorCommand(from));
  const { Records } = await streams.send(new GetRecordsCommand({ ShardIterator, Limit: 1 }));
  return Records?.[0]?.dynamodb?.SequenceNumber ?? '';
}
const numberOf = (record: object | undefined): string => decodeStateChange(record)?.sequenceNumber ?? '';
const batchOf = (startSequenceNumber: string, endSequenceNumber: string) => ({
  ...{ shardId, startSequenceNumber, endSequenceNumber, streamArn: local.streamArn },
});

describe('redrive', () => {
  it('hands every record of a failed batch over, as Lambda does, in their order and in batches of the mapping', async () => {
    const all = notify();
    // From the first record of this table to after its last one.
    const result = await redrive(batchOf(await firstNumber(), '9'.repeat(21)), { streams, invoke: all.invoke });
    expect(result.failed).toBe(0);
    const records = all.events.flat();
    expect(all.events.every(({ length }) => length <= STREAM_MAPPING.batchSize)).toBe(true);
    const versions = records.map((record) => decodeStateChange(record)?.after.version);
    expect(versions.filter((version) => version !== undefined).slice(-CHANGES)).toEqual(
      Array.from({ length: CHANGES }, (_, index) => T0 + 1 + index),
    );

    // A part of them, and no record more.
    const some = notify([{ itemIdentifier: 'x' }]);
    const [from, to] = [numberOf(records.at(-10)), numberOf(records.at(-6))];
    expect(await redrive(batchOf(from, to), { streams, invoke: some.invoke })).toEqual({ records: 5, failed: 1 });
    expect(some.events.flat().map(numberOf)).toEqual(records.slice(-10, -5).map(numberOf));
  });

  it('reads what the queue says, and refuses what is no failure of a stream', () => {
    const info = { shardId: 's', startSequenceNumber: '1', endSequenceNumber: '2', streamArn: 'arn', batchSize: 2 };
    const Body = JSON.stringify({ requestContext: { condition: 'RetryAttemptsExhausted' }, DDBStreamBatchInfo: info });
    const { batchSize: _size, ...known } = info;
    expect(failedBatchesOf(JSON.stringify({ Messages: [{ MessageId: '1', Body }] }))).toEqual([known]);
    expect(failedBatchesOf('')).toEqual([]);
    expect(() => failedBatchesOf(JSON.stringify({ Messages: [{ Body: '{}' }] }))).toThrow('DDBStreamBatchInfo');
  });
});
