/** A receiver of webhooks for tests: a real HTTP server that verifies signatures by itself, and misbehaves on demand. */
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from './ports.ts';

const TOLERANCE_SECONDS = 300;

/** By the words of the specification, with nothing of the product's. */
export function isGoodSignature(
  secret: string,
  fields: Readonly<Record<string, string | string[] | undefined>>,
  body: string,
  nowMs: number,
): boolean {
  const [id, timestamp, signatures] = ['id', 'timestamp', 'signature'].map((name) => String(fields[`webhook-${name}`]));
  if (Math.abs(nowMs / 1_000 - Number(timestamp)) > TOLERANCE_SECONDS) return false;
  const hmac = createHmac('sha256', Buffer.from(secret.replace(/^whsec_/, ''), 'base64'));
  const expected = hmac.update(`${id}.${timestamp}.${body}`).digest('base64');
  return (signatures ?? '').split(' ').includes(`v1,${expected}`);
}

export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly id: string;
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it as a receiver does
  readonly data: any;
}

export interface WebhookReceiver {
  readonly url: string;
  readonly received: Received[];
  /** How it answers; `hang` never does. */
  answer: number | 'hang' | ((response: ServerResponse, received: Received) => void);
  /** POSTs under way, and the most there ever were. */
  readonly load: { now: number; most: number };
  /** The next one from `since` on that matches. */
  next(matches: (received: Received) => boolean, since?: number, withinMs?: number): Promise<Received>;
  /** Answers nothing any more: connections are refused. */
  stop(): Promise<void>;
  /** On the same port again. */
  start(): Promise<void>;
}

export async function startReceiver(): Promise<WebhookReceiver> {
  const port = await freePort();
  const server = createServer(async (request, response) => {
    receiver.load.now += 1;
    receiver.load.most = Math.max(receiver.load.most, receiver.load.now);
    response.once('close', () => {
      receiver.load.now -= 1;
    });
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const { type, data } = JSON.parse(text);
    const got: Received = { headers: request.headers, text, type, data, id: String(request.headers['webhook-id']) };
    receiver.received.push(got);
    if (typeof receiver.answer === 'function') receiver.answer(response, got);
    else if (receiver.answer !== 'hang') response.writeHead(receiver.answer).end('what nobody reads');
  });
  const receiver: WebhookReceiver = {
    ...{ url: `http://127.0.0.1:${port}/hooks?key=s3cret-of-the-address`, received: [], answer: 204 },
    load: { now: 0, most: 0 },
    async next(matches, since = receiver.received.length, withinMs = 15_000) {
      for (const endMs = Date.now() + withinMs; Date.now() < endMs; await pause(20)) {
        const found = receiver.received.slice(since).find(matches);
        if (found !== undefined) return found;
      }
      throw new Error(`not received; since then: ${JSON.stringify(receiver.received.slice(since).map((r) => r.data))}`);
    },
    async stop() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
    async start() {
      await once(server.listen(port, '127.0.0.1'), 'listening');
    },
  };
  await receiver.start();
  return receiver;
}
