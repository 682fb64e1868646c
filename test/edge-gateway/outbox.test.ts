import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { encodeTextFrames, Outbox, type OutboxOwner } from '#gateway/outbox.ts';

let server: Server;
let peer: WebSocket;
let stream: Duplex;
/** Where the peer's messages go. */
let messages: string[] = [];
let arrived = (): void => undefined;

beforeAll(async () => {
  const upgrades = new WebSocketServer({ noServer: true });
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.on('upgrade', (request, socket, head) => {
    stream = socket;
    upgrades.handleUpgrade(request, socket, head, () => undefined);
  });
  peer = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  peer.on('message', (data) => {
    messages.push(String(data));
    arrived();
  });
  await once(peer, 'open');
});
afterAll(() => {
  peer.terminate();
  server.close();
});

/** What a real WebSocket peer reads from these bytes. */
function received(bytes: Buffer, count = 1): Promise<string[]> {
  messages = [];
  const all = new Promise<string[]>((resolve) => {
    arrived = () => {
      if (messages.length === count) resolve(messages);
    };
  });
  stream.write(bytes);
  return all;
}

function owner(): { owner: OutboxOwner; writes: Buffer[] } {
  const writes: Buffer[] = [];
  const stream = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      writes.push(chunk);
      done();
    },
  });
  return { owner: { stream, frames: undefined }, writes };
}

test.each([0, 1, 125, 126, 127, 65_535, 65_536, 70_000])(
  'a message of %i bytes is one text frame (RFC 6455)',
  async (size) => {
    expect(await received(encodeTextFrames(['x'.repeat(size)]))).toEqual(['x'.repeat(size)]);
  },
);

test('any texts, ASCII or not, are read back as they were', async () => {
  const texts = fc.array(fc.string({ unit: 'grapheme', maxLength: 300 }), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(texts, async (given) => {
      expect(await received(encodeTextFrames(given), given.length)).toEqual(given);
    }),
  );
});

test('what one turn sends to a flow leaves in one write, in order', async () => {
  const outbox = new Outbox();
  const first = owner();
  const second = owner();
  outbox.send(first.owner, 'one');
  outbox.send(second.owner, 'other');
  outbox.send(first.owner, 'two');
  expect(first.writes).toHaveLength(0);
  await Promise.resolve();
  expect(first.writes).toHaveLength(1);
  expect(await received(first.writes[0] ?? Buffer.alloc(0), 2)).toEqual(['one', 'two']);
  expect(await received(second.writes[0] ?? Buffer.alloc(0))).toEqual(['other']);
});

test('a destroyed stream is not written to', () => {
  const outbox = new Outbox();
  const gone = owner();
  gone.owner.stream.destroy();
  outbox.send(gone.owner, 'late');
  outbox.flush();
  expect(gone.writes).toHaveLength(0);
});
