import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { dialogInfo, type ReceivedMessage, readMessage } from '#test/support/sip-client.ts';
import { Control } from './fuzz-control.ts';

const ANSWERED_AFTER_MS = 150;

/** Answers as the system does: a SUBSCRIBE with 200 and a NOTIFY, a PUBLISH after a while with both. */
async function startNotifier(published: (socket: WebSocket) => void): Promise<{ url: string; stop: () => void }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'sip' });
  await once(server, 'listening');
  let subscribed: { socket: WebSocket; request: ReceivedMessage } | undefined;
  const notify = (body: string): void => {
    const callId = `Call-ID: ${subscribed?.request.header('call-id')}`;
    subscribed?.socket.send(['NOTIFY sip:a@b SIP/2.0', callId, 'CSeq: 1 NOTIFY', '', body].join('\r\n'));
  };
  const answer = (socket: WebSocket, request: ReceivedMessage): void => {
    const echoed = ['Call-ID', 'CSeq', 'To'].map((name) => `${name}: ${request.header(name)}`);
    socket.send(['SIP/2.0 200 OK', ...echoed, 'SIP-ETag: a', '', ''].join('\r\n'));
  };
  server.on('connection', (socket) => {
    socket.on('message', async (data) => {
      const request = readMessage(String(data));
      if (request.method === 'SUBSCRIBE') {
        subscribed = { socket, request };
        answer(socket, request);
        notify(dialogInfo('sip:1009@acme.example', { state: 'terminated' }));
      } else if (request.method === 'PUBLISH') {
        published(socket);
        await pause(ANSWERED_AFTER_MS);
        answer(socket, request);
        notify(request.body);
      }
    });
  });
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`, stop: () => server.close() };
}

test('a control that is stopped in the middle of a change waits for its answer', async () => {
  const first = Promise.withResolvers<WebSocket>();
  const notifier = await startNotifier(first.resolve);
  const control = await Control.open(notifier.url);
  control.start(3_000);
  await first.promise;
  await control.stop();
  expect([control.problems, control.changes, control.delaysMs.length]).toEqual([[], 1, 1]);
  notifier.stop();
});
