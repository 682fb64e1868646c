import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { refusal } from '#cdk/cli/failure.ts';
import type { Lamp } from '#cdk/cli/watch/lamps.ts';
import { streamLamps } from '#cdk/cli/watch/stream-feed.ts';
import { PATIENCE_MS } from '#test/support/patience.ts';

let server: Server;
let sockets: WebSocketServer;
let heard: { path: string; authorization: string; says: unknown[]; socket: WebSocket }[];
/** Status with which handshakes are refused; 0: none. */
let refusing: number;
let lamps: Lamp[];
let statuses: string[];
let stop: AbortController;

beforeEach(async () => {
  [heard, lamps, statuses, refusing, stop] = [[], [], [], 0, new AbortController()];
  sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'lampfield.lamps.v1' });
  server = createServer();
  server.on('upgrade', (request, stream, head) => {
    if (refusing > 0) return void stream.end(`HTTP/1.1 ${refusing} Refused\r\nContent-Length: 0\r\n\r\n`);
    sockets.handleUpgrade(request, stream, head, (socket) => {
      const { url: path = '', headers } = request;
      const entry = { path, authorization: headers.authorization ?? '', says: [] as unknown[], socket };
      heard.push(entry);
      socket.on('message', (data) => entry.says.push(JSON.parse(data.toString())));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  stop.abort();
  for (const { socket } of heard) socket.terminate();
  await new Promise((resolve) => server.close(resolve));
});

function follow(newToken: () => Promise<string> = async () => `token-${heard.length}`): Promise<void> {
  const gateway = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return streamLamps(
    { gateway, newToken, users: ['1001', '1002'], signal: stop.signal },
    { onLamps: (news) => void lamps.push(...news), onStatus: (text) => void statuses.push(text) },
  );
}
const tell = (at: number, message: object): void => heard[at]?.socket.send(JSON.stringify(message));
const lampOf = (user: string, state: string, sequence: number) => ({
  ...{ type: 'lamp', user, state, sequence },
  dialogs: state === 'idle' ? [] : [{ id: 'd', state: 'confirmed', remote: { uri: 'sip:49@pstn.example' } }],
});

describe('the stream of lamps', () => {
  it('is asked for all users, and tells each change with who is at the other end', async () => {
    const following = follow();
    await vi.waitFor(() => expect(heard[0]?.says).toEqual([{ type: 'watch', users: ['1001', '1002'] }]), PATIENCE_MS);
    expect(heard[0]).toMatchObject({ path: '/lamps', authorization: 'Bearer token-0' });
    tell(0, lampOf('1001', 'busy', 7));
    tell(0, { type: 'refused', user: '1002', status: 403, reason: 'Forbidden' });
    tell(0, { type: 'of a newer gateway' });
    tell(0, lampOf('1001', 'idle', 8));
    await vi.waitFor(() => expect(lamps).toHaveLength(2), PATIENCE_MS);
    expect(lamps).toEqual([
      { user: '1001', lamp: 'busy', version: 7, remote: 'sip:49@pstn.example' },
      { user: '1001', lamp: 'idle', version: 8, remote: undefined },
    ]);
    expect(statuses.at(-1)).toBe('1002: 403 Forbidden');
    stop.abort();
    await following;
  });

  it('goes on from its cursor with a fresh token when the connection is lost', async () => {
    const following = follow();
    await vi.waitFor(() => expect(heard[0]?.says).toHaveLength(1), PATIENCE_MS);
    tell(0, { type: 'caughtUp', cursor: 'the-cursor' });
    tell(0, lampOf('1001', 'ringing', 9));
    await vi.waitFor(() => expect(lamps).toHaveLength(1), PATIENCE_MS);
    heard[0]?.socket.close(1012);
    await vi.waitFor(() => expect(heard[1]?.says).toEqual([{ type: 'resume', cursor: 'the-cursor' }]), 5_000);
    expect(heard[1]?.authorization).toBe('Bearer token-1');
    expect(statuses).toContain('the stream of lamps is lost; trying again');
    stop.abort();
    await following;
  });

  it('comes back after a refusal that passes', async () => {
    refusing = 503;
    const following = follow();
    await vi.waitFor(() => expect(statuses).toContain('the stream of lamps is lost; trying again'), 5_000);
    refusing = 0;
    await vi.waitFor(() => expect(heard).toHaveLength(1), 5_000);
    stop.abort();
    await following;
  });

  it.each([401, 403, 404])('ends when the gateway gives none: %d', async (status) => {
    refusing = status;
    await expect(follow()).rejects.toThrow(`no stream of lamps (${status})`);
  });

  it('ends when nobody hands out a token', async () => {
    await expect(follow(() => Promise.reject(refusal('refused (403).')))).rejects.toThrow('refused (403)');
  });
});
