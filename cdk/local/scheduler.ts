/** Process `lampfield-scheduler`: runs the scheduled function, a single pass each second instead of AWS's loop in each minute. */
import { setTimeout as sleep } from 'node:timers/promises';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { EXPIRE_SCHEDULE } from '#cdk/system.ts';
import { LOCAL_AWS } from './local-aws.ts';

process.title = 'lampfield-scheduler';

const EVERY_MS = 1_000;
const FunctionName = `lampfield-${EXPIRE_SCHEDULE.function}`;
const Payload = JSON.stringify({ loopSeconds: 0 });
const lambda = new LambdaClient({ endpoint: process.env.LAMBDA_ENDPOINT, ...LOCAL_AWS, maxAttempts: 1 });
const warn = (error: string) => console.error(JSON.stringify({ level: 'warn', event: 'scheduled run failed', error }));

process.once('SIGTERM', () => process.exit(0));

for (;;) {
  try {
    const { FunctionError, Payload: result } = await lambda.send(new InvokeCommand({ FunctionName, Payload }));
    if (FunctionError !== undefined) warn(result?.transformToString() ?? FunctionError);
  } catch (error) {
    warn(String(error));
  }
  await sleep(EVERY_MS);
}
