/** Process `lampfield-streams`: the mapping between the table's stream and its function, and the file of call records. */
import { appendFileSync } from 'node:fs';
import path from 'node:path';
import { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { LOCAL_AWS } from '#cdk/local/local-aws.ts';
import { FUNCTIONS, RECORD_EXPORT, STREAM_MAPPING, TABLE } from '#cdk/system.ts';
import { recordPartition } from '#table/keys.ts';
import type { InvocationReport } from './batch-rules.ts';
import { openCheckpointFile } from './checkpoint-file.ts';
import { runMapping } from './event-source-mapping.ts';
import { invokeWithRecords } from './lambda-target.ts';
import { openRecordFile } from './record-file.ts';
import type { MappedRecord } from './stream-record.ts';

process.title = 'lampfield-streams';

const { DYNAMODB_ENDPOINT, LAMBDA_ENDPOINT, STREAM_ARN, RUN_DIR } = process.env;
if (STREAM_ARN === undefined || RUN_DIR === undefined) throw new Error('STREAM_ARN and RUN_DIR must be set');

const functionName = `lampfield-${STREAM_MAPPING.function}`;
const functionTimeoutMs = FUNCTIONS[STREAM_MAPPING.function].timeoutSeconds * 1_000;
const log = (event: string, details: object) => console.error(JSON.stringify({ level: 'warn', event, ...details }));
const streams = new DynamoDBStreamsClient({
  endpoint: DYNAMODB_ENDPOINT,
  ...LOCAL_AWS,
  maxAttempts: 1,
  requestHandler: { requestTimeout: 3_000, throwOnRequestTimeout: true },
});
const lambda = new LambdaClient({
  endpoint: LAMBDA_ENDPOINT,
  ...LOCAL_AWS,
  maxAttempts: 1,
  requestHandler: { requestTimeout: functionTimeoutMs + 2_000, throwOnRequestTimeout: true },
});
const checkpoints = openCheckpointFile(path.join(RUN_DIR, 'stream-checkpoints.json'), STREAM_ARN);
const recordFile = openRecordFile(path.join(RUN_DIR, 'records.jsonl'));
const failureFile = path.join(RUN_DIR, 'stream-failures.jsonl');
const stop = new AbortController();

process.once('SIGTERM', () => {
  stop.abort();
  checkpoints.flush();
  process.exit(0);
});

/** What both the function and the file take: the stream is read once for both. */
const filterPattern = { $or: [STREAM_MAPPING.filterPattern, RECORD_EXPORT.filterPattern] };

// By its partition key, which needs no look into the record.
const isCallRecord = ({ partitionKey }: MappedRecord): boolean =>
  partitionKey.startsWith(JSON.stringify({ S: recordPartition('') }).slice(0, -2));

async function deliver(records: readonly MappedRecord[]): Promise<InvocationReport> {
  const [ofCalls, others] = [records.filter(isCallRecord), records.filter((record) => !isCallRecord(record))];
  try {
    recordFile.append(ofCalls.map(({ json }) => json));
  } catch (error) {
    log('call records not written', { error: String(error) });
    return { kind: 'failed' };
  }
  return others.length === 0 ? { kind: 'succeeded' } : invokeWithRecords(lambda, functionName, others);
}

await runMapping(
  { ...STREAM_MAPPING, filterPattern, streamArn: STREAM_ARN, partitionKeyName: TABLE.partitionKey },
  {
    streams,
    checkpoints,
    invoke: deliver,
    giveUp(shardId, records, reason) {
      log('records given up', { reason, shardId, records: records.length, file: failureFile });
      for (const { json } of records) appendFileSync(failureFile, `{"reason":"${reason}","record":${json}}\n`);
    },
    log,
  },
  stop.signal,
);
