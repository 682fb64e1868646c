/** HTTP server that speaks Lambda's Invoke API (2015-03-31) for a set of hosted functions. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FunctionHost, InvocationResult } from './host.ts';

/** Lambda's quotas for a payload. */
export const PAYLOAD_LIMITS = { requestResponseBytes: 6_291_456, eventBytes: 1_048_576 } as const;
/** Lambda tries a failed Event invocation twice more; it waits minutes, a developer should not. */
const EVENT_RETRY_DELAYS_MS = [1_000, 2_000] as const;

export type Functions = ReadonlyMap<string, FunctionHost>;

/** `POST /2015-03-31/functions/<name>/invocations`, and `GET /healthz`: 200 once every bundle is loaded. */
export function createInvokeApi(functions: Functions): Server {
  const server = createServer((request, response) => {
    route(functions, request, response).catch((error: unknown) => {
      console.error(JSON.stringify({ level: 'error', event: 'invoke api failed', error: String(error) }));
      if (!response.headersSent) refuse(response, 500, 'ServiceException', String(error));
    });
  });
  server.keepAliveTimeout = 65_000;
  return server;
}

async function route(functions: Functions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === '/healthz') {
    const ready = [...functions.values()].every((host) => host.ready);
    response.writeHead(ready ? 200 : 503).end();
    return;
  }
  const path = /^\/2015-03-31\/functions\/([^/?]+)\/invocations/.exec(request.url ?? '')?.[1];
  if (path === undefined || request.method !== 'POST') {
    refuse(response, 404, 'UnknownOperationException', 'only Invoke is known here');
    return;
  }
  await invoke(functions.get(functionNameOf(path)), functionNameOf(path), request, response);
}

/** The name out of a name, a name with qualifier, or an ARN. */
function functionNameOf(path: string): string {
  const text = decodeURIComponent(path);
  return /(?:^|:)function:([^:]+)/.exec(text)?.[1] ?? text.replace(/:.*$/, '');
}

async function invoke(
  host: FunctionHost | undefined,
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
) {
  const asEvent = request.headers['x-amz-invocation-type'] === 'Event';
  const limit = asEvent ? PAYLOAD_LIMITS.eventBytes : PAYLOAD_LIMITS.requestResponseBytes;
  const body = await readBody(request, limit);
  if (host === undefined) {
    refuse(response, 404, 'ResourceNotFoundException', `Function not found: ${name}`);
  } else if (body === undefined) {
    refuse(response, 413, 'RequestTooLargeException', `Request must be smaller than ${limit} bytes`);
  } else if (!isJson(body)) {
    refuse(response, 400, 'InvalidRequestContentException', 'Could not parse request body into json');
  } else if (request.headers['x-amz-invocation-type'] === 'DryRun') {
    response.writeHead(204).end();
  } else if (asEvent) {
    response.writeHead(202, { 'x-amzn-requestid': randomUUID() }).end();
    await runEvent(host, name, body);
  } else {
    answer(response, await host.invoke(body || '{}'));
  }
}

/** @returns the body, or `undefined` when it is over the limit (the rest is read and dropped) */
async function readBody(request: IncomingMessage, limitBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= limitBytes) chunks.push(chunk);
  }
  return bytes <= limitBytes ? Buffer.concat(chunks).toString('utf8') : undefined;
}

function isJson(text: string): boolean {
  if (text === '') return true;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

async function runEvent(host: FunctionHost, name: string, payload: string): Promise<void> {
  for (const delayMs of [0, ...EVENT_RETRY_DELAYS_MS]) {
    await sleep(delayMs, undefined, { ref: false });
    const result = await host.invoke(payload || '{}');
    if (result.kind === 'result') return;
  }
  console.error(JSON.stringify({ level: 'error', event: 'asynchronous invocation given up', functionName: name }));
}

function answer(response: ServerResponse, result: InvocationResult): void {
  if (result.kind === 'throttled') {
    refuse(response, 429, 'TooManyRequestsException', 'Rate Exceeded.');
    return;
  }
  const shown = result.kind === 'result' ? boundedResult(result.payload) : result;
  response.writeHead(200, {
    'content-type': 'application/json',
    'x-amzn-requestid': randomUUID(),
    'x-amz-executed-version': '$LATEST',
    ...(shown.kind === 'failure' && { 'x-amz-function-error': 'Unhandled' }),
  });
  response.end(shown.kind === 'failure' ? JSON.stringify(shown.failure) : shown.payload);
}

function boundedResult(payload: string): Exclude<InvocationResult, { kind: 'throttled' }> {
  if (Buffer.byteLength(payload) <= PAYLOAD_LIMITS.requestResponseBytes) return { kind: 'result', payload };
  const errorMessage = `Response payload size exceeded maximum allowed payload size (${PAYLOAD_LIMITS.requestResponseBytes} bytes).`;
  return { kind: 'failure', failure: { errorType: 'Function.ResponseSizeTooLarge', errorMessage } };
}

function refuse(response: ServerResponse, status: number, type: string, message: string): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'x-amzn-errortype': type,
    'x-amzn-requestid': randomUUID(),
  });
  response.end(JSON.stringify({ Type: 'User', Message: message, message }));
}
