/**
 * Hands records of the stream to `notify` once more that stand in its failure queue (cdk/README.md, Redrive). Standard input
 * has what `aws sqs receive-message` says. Safe to repeat: gateways drop a state that is not newer than what they have.
 */
import { text } from 'node:stream/consumers';
import {
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type _Record as StreamRecord,
} from '@aws-sdk/client-dynamodb-streams';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { Command } from 'commander';
import * as v from 'valibot';
import { eventOf, sequenceNumberOf } from './local/streams/stream-record.ts';
import { STREAM_MAPPING } from './system.ts';

/** What Lambda puts into the queue: not the records, but where they stand in the stream, for 24 hours. */
const failureMessage = v.object({
  DDBStreamBatchInfo: v.object({
    shardId: v.string(),
    startSequenceNumber: v.string(),
    endSequenceNumber: v.string(),
    streamArn: v.string(),
  }),
});
export type FailedBatch = v.InferOutput<typeof failureMessage>['DDBStreamBatchInfo'];

const received = v.object({
  Messages: v.optional(v.array(v.object({ Body: v.pipe(v.string(), v.parseJson(), failureMessage) })), []),
});
const answer = v.object({ batchItemFailures: v.array(v.unknown()) });

export interface RedrivePorts {
  readonly streams: DynamoDBStreamsClient;
  /** Calls `notify` with an event of the stream. */
  readonly invoke: (event: { readonly Records: readonly object[] }) => Promise<unknown>;
}

export interface Redriven {
  readonly records: number;
  /** Records that notify has not taken this time either. */
  readonly failed: number;
}

/** The batches that `aws sqs receive-message --output json` has shown. @throws {ValiError} for anything else */
export const failedBatchesOf = (output: string): FailedBatch[] =>
  v.parse(received, JSON.parse(output || '{}')).Messages.map(({ Body }) => Body.DDBStreamBatchInfo);

/** Reads one failed batch from the stream and hands it over; only what the mapping's filter lets through is acted upon. */
export async function redrive(batch: FailedBatch, { streams, invoke }: RedrivePorts): Promise<Redriven> {
  let [records, failed] = [0, 0];
  for await (const page of pagesOf(batch, streams)) {
    for (let from = 0; from < page.length; from += STREAM_MAPPING.batchSize) {
      const some = page.slice(from, from + STREAM_MAPPING.batchSize);
      const result = v.parse(answer, await invoke({ Records: some.map((each) => eventOf(each, batch.streamArn)) }));
      records += some.length;
      failed += result.batchItemFailures.length;
    }
  }
  return { records, failed };
}

async function* pagesOf(batch: FailedBatch, streams: DynamoDBStreamsClient): AsyncGenerator<StreamRecord[]> {
  const last = BigInt(batch.endSequenceNumber);
  const { ShardIterator } = await streams.send(
    new GetShardIteratorCommand({
      ...{ StreamArn: batch.streamArn, ShardId: batch.shardId },
      ...{ ShardIteratorType: 'AT_SEQUENCE_NUMBER', SequenceNumber: batch.startSequenceNumber },
    }),
  );
  let next = ShardIterator;
  while (next !== undefined) {
    const { Records = [], NextShardIterator } = await streams.send(new GetRecordsCommand({ ShardIterator: next }));
    const within = Records.filter((record) => BigInt(sequenceNumberOf(record)) <= last);
    if (within.length > 0) yield within;
    const newest = Records.at(-1);
    const isOver = newest === undefined || BigInt(sequenceNumberOf(newest)) >= last;
    next = isOver ? undefined : NextShardIterator;
  }
}

async function main({ function: functionName }: { function: string }): Promise<void> {
  const lambda = new LambdaClient({});
  const invoke: RedrivePorts['invoke'] = async (event) => {
    const Payload = Buffer.from(JSON.stringify(event));
    const result = await lambda.send(new InvokeCommand({ FunctionName: functionName, Payload }));
    const body = result.Payload?.transformToString() ?? '';
    if (result.FunctionError !== undefined) throw new Error(`${functionName} failed: ${body}`);
    return JSON.parse(body);
  };
  const streams = new DynamoDBStreamsClient({});
  for (const batch of failedBatchesOf(await text(process.stdin))) {
    const { records, failed } = await redrive(batch, { streams, invoke });
    const span = `${batch.shardId} ${batch.startSequenceNumber}-${batch.endSequenceNumber}`;
    process.stdout.write(`${span}: ${records} records, ${failed} failed again\n`);
    if (failed > 0) process.exitCode = 1;
  }
}

if (import.meta.main)
  await new Command('redrive')
    .description('Hands failed batches of the stream to notify once more; standard input: aws sqs receive-message')
    .requiredOption('--function <name>', 'name of notify, such as lampfield-prod-notify')
    .action(main)
    .parseAsync();
