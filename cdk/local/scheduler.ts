/**
 * Process `lampfield-scheduler`: runs the scheduled functions; of `expire` a single pass each second instead of AWS's loop in
 * each minute, and the canary if somebody wants it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { EXPIRE_SCHEDULE, FUNCTIONS, type FunctionName } from '#cdk/system.ts';
import { LOCAL_AWS } from './local-aws.ts';

process.title = 'lampfield-scheduler';

const EXPIRE_EVERY_MS = 1_000;
const READY_CHECK_MS = 250;
const lambda = new LambdaClient({ endpoint: process.env.LAMBDA_ENDPOINT, ...LOCAL_AWS, maxAttempts: 1 });
const warn = (error: string) => console.error(JSON.stringify({ level: 'warn', event: 'scheduled run failed', error }));

process.once('SIGTERM', () => process.exit(0));

async function repeat(name: FunctionName, everyMs: number, event: object): Promise<never> {
  const Payload = JSON.stringify(event);
  for (;;) {
    try {
      const command = new InvokeCommand({ FunctionName: `lampfield-${name}`, Payload });
      const { FunctionError, Payload: result } = await lambda.send(command);
      if (FunctionError !== undefined) warn(result?.transformToString() ?? FunctionError);
    } catch (error) {
      warn(String(error));
    }
    await sleep(everyMs);
  }
}

/** From when the gateway is ready: a first run that is too early would have nothing to say for a minute. */
async function runCanary(readyz: string): Promise<never> {
  while (!(await isReady(readyz))) await sleep(READY_CHECK_MS);
  return repeat('canary', FUNCTIONS.canary.trigger.everySeconds * 1_000, {});
}

const isReady = (readyz: string): Promise<boolean> =>
  fetch(readyz).then(
    ({ ok }) => ok,
    () => false,
  );

const { CANARY_READYZ: readyz } = process.env;
await Promise.all([
  repeat(EXPIRE_SCHEDULE.function, EXPIRE_EVERY_MS, { loopSeconds: 0 }),
  ...(readyz === undefined ? [] : [runCanary(readyz)]),
]);
