/** Process `lampfield-api`: the HTTP API as API Gateway is in front of its function, over the Lambda Invoke API. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import * as v from 'valibot';
import { corsHeaders, isPreflight } from './cors.ts';
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

const { API_PORT, LAMBDA_ENDPOINT, ALLOWED_ORIGINS = '' } = process.env;
const allowedOrigins = ALLOWED_ORIGINS.split(',');
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
  const { origin } = request.headers;
  if (isPreflight(request.method, request.headers)) {
    return void response.writeHead(204, corsHeaders(origin, allowedOrigins, 'preflight')).end();
  }
  for (const [name, value] of Object.entries(corsHeaders(origin, allowedOrigins, 'answer')))
    response.setHeader(name, value);
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

/** Payload format version 2.0 of API Gateway's HTTP APIs. */
function eventOf(request: IncomingMessage, body: Buffer): object {
  const [rawPath = '/', ...query] = (request.url ?? '/').split('?');
  const headers = Object.entries(request.headers).map(([name, value]) => [name, [value].flat().join(',')]);
  return {
    version: '2.0',
    routeKey: 'ANY /v1/{proxy+}',
    rawPath,
    rawQueryString: query.join('?'),
    headers: Object.fromEntries(headers),
    requestContext: {
      requestId: randomUUID(),
      http: { method: request.method, path: rawPath, protocol: 'HTTP/1.1', sourceIp: request.socket.remoteAddress },
      time: new Date().toUTCString(),
      timeEpoch: Date.now(),
    },
    ...(body.length > 0 && { body: body.toString('base64') }),
    isBase64Encoded: body.length > 0,
  };
}
