/** Process `lampfield-streams`: the event source mapping of the system between the table's stream and its function. */
import { appendFileSync } from 'node:fs';
import path from 'node:path';
import { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { LOCAL_AWS } from '#cdk/local/local-aws.ts';
import { FUNCTIONS, STREAM_MAPPING, TABLE } from '#cdk/system.ts';
import { openCheckpointFile } from './checkpoint-file.ts';
import { runMapping } from './event-source-mapping.ts';
import { invokeWithRecords } from './lambda-target.ts';

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
const failureFile = path.join(RUN_DIR, 'stream-failures.jsonl');
const stop = new AbortController();

process.once('SIGTERM', () => {
  stop.abort();
  checkpoints.flush();
  process.exit(0);
});

await runMapping(
  { ...STREAM_MAPPING, streamArn: STREAM_ARN, partitionKeyName: TABLE.partitionKey },
  {
    streams,
    checkpoints,
    invoke: (records) => invokeWithRecords(lambda, functionName, records),
    giveUp(shardId, records, reason) {
      log('records given up', { reason, shardId, records: records.length, file: failureFile });
      for (const { json } of records) appendFileSync(failureFile, `{"reason":"${reason}","record":${json}}\n`);
    },
    log,
  },
  stop.signal,
);
