/** Starts another function of the deployment, and does not wait for it (Lambda Invoke, as an event). */
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';

const TIMEOUT_MS = 3_000;

/** @param functionName undefined makes every start fail (this function was given no other) */
export function createFunctionStarter(
  functionName: string | undefined,
  endpoint: string | undefined,
): (payload: object) => Promise<void> {
  const client = new LambdaClient({
    ...(endpoint !== undefined && { endpoint }),
    maxAttempts: 2,
    requestHandler: { requestTimeout: TIMEOUT_MS, throwOnRequestTimeout: true },
  });
  return async (payload) => {
    if (functionName === undefined) throw new Error('This function has no other to start');
    const Payload = Buffer.from(JSON.stringify(payload));
    await client.send(new InvokeCommand({ FunctionName: functionName, InvocationType: 'Event', Payload }));
  };
}
