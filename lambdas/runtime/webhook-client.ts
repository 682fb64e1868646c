/** Posts to the receiver of a webhook: bounded in time, header and body, without redirects, never into our own network. */
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { WebhookAnswer } from '#core/webhook.ts';
import { guardedLookup, NO_PUBLIC_ADDRESS, refusalOf } from './guarded-connection.ts';

export interface WebhookClientSettings {
  /** Only on one machine: receivers may be there too, without https. */
  readonly allowsLoopback: boolean;
  readonly timeoutMs: number;
}

/** One receiver. */
export interface WebhookConnection {
  /** One POST. Never throws. */
  post(fields: Readonly<Record<string, string>>, body: string): Promise<WebhookAnswer>;
  close(): void;
}

const MAX_HEADER_BYTES = 8_192;
/** What an answer may have before its connection is not used again; nobody reads it. */
const MAX_ANSWER_BYTES = 16_384;
/** Idle connections of one receiver. */
const MAX_SOCKETS = 4;

export function openWebhookConnection(address: string, settings: WebhookClientSettings): WebhookConnection {
  const { allowsLoopback, timeoutMs } = settings;
  const url = new URL(address);
  const refusal = refusalOf(url, allowsLoopback);
  const isTls = url.protocol === 'https:';
  const agent = new (isTls ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: MAX_SOCKETS });
  const lookup = guardedLookup(allowsLoopback);

  function send(fields: Readonly<Record<string, string>>, body: string): Promise<WebhookAnswer> {
    return new Promise((resolve, reject) => {
      const headers = {
        ...{ 'content-type': 'application/json', 'user-agent': 'Lampfield-Webhooks/1', ...fields },
        'content-length': String(Buffer.byteLength(body)),
      };
      const signal = AbortSignal.timeout(timeoutMs);
      const options = { method: 'POST', headers, agent, lookup, signal, maxHeaderSize: MAX_HEADER_BYTES };
      const outgoing = (isTls ? requestHttps : requestHttp)(url, options, (incoming) => {
        discard(incoming);
        resolve({ kind: 'answered', status: incoming.statusCode ?? 0, retryAfterSeconds: retryAfterOf(incoming) });
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  return {
    async post(fields, body) {
      if (refusal !== undefined) return { kind: 'failed', reason: refusal, isSlow: false };
      try {
        return await send(fields, body);
      } catch (error) {
        return failureOf(error, timeoutMs);
      }
    },
    close: () => agent.destroy(),
  };
}

function discard(incoming: IncomingMessage): void {
  let bytes = 0;
  incoming.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) incoming.destroy();
  });
  incoming.on('error', () => undefined);
}

function retryAfterOf({ headers }: IncomingMessage): number | undefined {
  const text = headers['retry-after'];
  return text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) : undefined;
}

/** In words of ours: what a library says may hold the address, and that may hold a secret. */
function failureOf(error: unknown, timeoutMs: number): WebhookAnswer {
  const { name, message } = error instanceof Error ? error : new Error();
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (name === 'AbortError' || name === 'TimeoutError')
    return { kind: 'failed', reason: `no answer within ${timeoutMs / 1_000} s`, isSlow: true };
  const reason = message === NO_PUBLIC_ADDRESS ? message : (REASONS[code] ?? `no connection (${code || name})`);
  return { kind: 'failed', reason, isSlow: false };
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection closed without an answer',
  ENOTFOUND: 'the name does not exist',
  EAI_AGAIN: 'the name cannot be looked up',
  ETIMEDOUT: 'no connection in time',
  CERT_HAS_EXPIRED: 'the certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is signed by itself',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is of another name',
  HPE_HEADER_OVERFLOW: 'the header of the answer is too long',
};
