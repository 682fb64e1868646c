/** Process `lampfield-api`: the HTTP API as API Gateway is in front of its function, over the Lambda Invoke API. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import * as v from 'valibot';
import { LOCAL_AWS } from './local-aws.ts';

process.title = 'lampfield-api';

/** API Gateway's quota for a payload, and how long it waits for a function. */
const MAX_BODY_BYTES = 10 * 1024 * 1024;
const TIMEOUT_MS = 30_000;
const JSON_TYPE = { 'content-type': 'application/json' };

const functionResponse = v.object({
  statusCode: v.number(),
  headers: v.optional(v.record(v.string(), v.string()), {}),
  body: v.optional(v.string(), ''),
});

const { API_PORT, LAMBDA_ENDPOINT } = process.env;
const lambda = new LambdaClient({
  endpoint: LAMBDA_ENDPOINT,
  ...LOCAL_AWS,
  maxAttempts: 1,
  requestHandler: { requestTimeout: TIMEOUT_MS, throwOnRequestTimeout: true },
});

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    console.error(JSON.stringify({ level: 'error', event: 'api failed', error: String(error) }));
    // As API Gateway answers when its function fails.
    if (!response.headersSent) response.writeHead(500, JSON_TYPE);
    response.end('{"message":"Internal Server Error"}');
  });
});
await once(server.listen(Number(API_PORT), '127.0.0.1'), 'listening');

process.once('SIGTERM', () => process.exit(0));

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === '/healthz') return void response.writeHead(200).end();
  const body = await readBody(request);
  if (body === undefined) {
    response.writeHead(413, JSON_TYPE).end('{"message":"Request Entity Too Large"}');
    return;
  }
  const Payload = JSON.stringify(eventOf(request, body));
  const invoked = await lambda.send(new InvokeCommand({ FunctionName: 'lampfield-api', Payload }));
  if (invoked.FunctionError !== undefined) throw new Error(invoked.Payload?.transformToString());
  const result = v.parse(functionResponse, JSON.parse(invoked.Payload?.transformToString() ?? ''));
  response.writeHead(result.statusCode, result.headers).end(request.method === 'HEAD' ? undefined : result.body);
}

/** @returns undefined when it is over the quota */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return bytes <= MAX_BODY_BYTES ? Buffer.concat(chunks) : undefined;
}

/** What API Gateway's REST APIs hand to a function (payload version 1.0), as far as it is read. */
function eventOf(request: IncomingMessage, body: Buffer): object {
  const [path = '/', ...query] = (request.url ?? '/').split('?');
  const asked = new URLSearchParams(query.join('?'));
  const parameters = Object.fromEntries([...asked.keys()].map((name) => [name, asked.getAll(name)]));
  const headers = Object.entries(request.headers).map(([name, value]) => [name, [value].flat().join(',')]);
  return {
    resource: '/{proxy+}',
    httpMethod: request.method,
    headers: Object.fromEntries(headers),
    multiValueQueryStringParameters: query.length > 0 ? parameters : null,
    requestContext: {
      requestId: randomUUID(),
      path,
      httpMethod: request.method,
      stage: 'v1',
      identity: { sourceIp: request.socket.remoteAddress },
    },
    body: body.length > 0 ? body.toString('base64') : null,
    isBase64Encoded: body.length > 0,
  };
}
