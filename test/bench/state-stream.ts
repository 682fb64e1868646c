/** The stream of a table in DynamoDB Local, read to its end after each operation. */

import { setTimeout as sleep } from 'node:timers/promises';
import { type DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type _Record as StreamRecord,
} from '@aws-sdk/client-dynamodb-streams';
import { LOCAL_AWS } from '#cdk/local/local-aws.ts';
import { matchesFilter } from '#cdk/local/streams/filter-criteria.ts';
import { eventOf } from '#cdk/local/streams/stream-record.ts';
import { STREAM_MAPPING } from '#cdk/system.ts';

export interface StreamReading {
  /** All records since the last reading. */
  readonly records: number;
  /** Those that the event source mapping hands to `notify`. */
  readonly delivered: readonly object[];
}

export interface StateStream {
  read(): Promise<StreamReading>;
  close(): void;
}

const MARK = 'MARK';
const BETWEEN_READS_MS = 5;

/** @param client a way to the table beside the one that is measured */
export async function openStateStream(
  client: DynamoDBClient,
  tableName: string,
  streamArn: string,
  endpoint: string,
): Promise<StateStream> {
  const streams = new DynamoDBStreamsClient({ endpoint, ...LOCAL_AWS });
  const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn: streamArn }));
  const ShardId = StreamDescription?.Shards?.[0]?.ShardId;
  const from = { StreamArn: streamArn, ShardId, ShardIteratorType: 'LATEST' } as const;
  let { ShardIterator } = await streams.send(new GetShardIteratorCommand(from));
  let marks = 0;

  /** Reads until a record comes that was written after all others. */
  async function read(): Promise<StreamReading> {
    marks += 1;
    const mark = `${MARK}${marks}`;
    await client.send(new PutItemCommand({ TableName: tableName, Item: { PK: { S: MARK }, SK: { S: mark } } }));
    const found: StreamRecord[] = [];
    while (found.at(-1)?.dynamodb?.Keys?.SK?.S !== mark) {
      const page = await streams.send(new GetRecordsCommand({ ShardIterator }));
      ShardIterator = page.NextShardIterator;
      found.push(...(page.Records ?? []));
      if (page.Records?.length === 0) await sleep(BETWEEN_READS_MS);
    }
    const events = found.slice(0, -1).map((record) => eventOf(record, streamArn));
    const delivered = events.filter((event) => matchesFilter(STREAM_MAPPING.filterPattern, event));
    return { records: events.length, delivered };
  }

  return { read, close: () => streams.destroy() };
}
