/** Worker thread of one function: loads its bundle once and runs invocations side by side. */
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { LOCAL_AWS } from '#cdk/local/local-aws.ts';
import { describeFailure, type InvokeMessage, type WorkerMessage, type WorkerSettings } from './protocol.ts';
import { guardTable } from './table-guard.ts';

type Handler = (event: unknown, context: object) => unknown;

const settings = workerData as WorkerSettings;
const post = (message: WorkerMessage) => parentPort?.postMessage(message);

if (settings.describedAs !== undefined) guardTable(settings.describedAs);
const handler = await loadHandler();
parentPort?.on('message', (message: InvokeMessage) => void invoke(message));
post({ kind: 'ready' });

async function loadHandler(): Promise<Handler> {
  const module = (await import(pathToFileURL(settings.modulePath).href)) as { handler?: Handler };
  if (typeof module.handler !== 'function') throw new Error(`${settings.modulePath} exports no handler`);
  return module.handler;
}

async function invoke({ requestId, payload, deadlineMs }: InvokeMessage): Promise<void> {
  try {
    const result = await handler(JSON.parse(payload), contextOf(requestId, deadlineMs));
    post({ kind: 'result', requestId, payload: JSON.stringify(result ?? null) });
  } catch (thrown) {
    post({ kind: 'failure', requestId, failure: describeFailure(thrown) });
  }
}

function contextOf(awsRequestId: string, deadlineMs: number): object {
  const { functionName, memoryMb } = settings;
  return {
    awsRequestId,
    functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:${LOCAL_AWS.region}:000000000000:function:${functionName}`,
    memoryLimitInMB: String(memoryMb),
    logGroupName: `/aws/lambda/${functionName}`,
    logStreamName: 'local',
    callbackWaitsForEmptyEventLoop: false,
    getRemainingTimeInMillis: () => Math.max(0, deadlineMs - Date.now()),
  };
}
