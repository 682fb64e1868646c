import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { FlowGuard } from '#gateway/flow-guard.ts';
import { Flow, FlowTable, type Transport } from '#gateway/flow-table.ts';
import { HandshakeRates } from '#gateway/handshake-rates.ts';
import { createTelemetry } from '#gateway/telemetry.ts';

const T0 = 1_700_000_000_000;
const SETTINGS = { pingSeconds: 30, stalledSeconds: 30, strangerSeconds: 30, maxFlows: 8 };

function guarded() {
  const flows = new FlowTable();
  const telemetry = createTelemetry('silent', 'g');
  const closed: [Flow['id'], number][] = [];
  const open = (openedAtMs: number, transport: Transport = 'WS'): Flow => {
    const socket = {
      ping: () => undefined,
      terminate: () => undefined,
      close: (code: number) => closed.push([flow.id, code]),
    };
    const flow = new Flow(socket, new PassThrough(), transport, '192.0.2.7', 5061, openedAtMs);
    flows.add(flow);
    return flow;
  };
  return { guard: new FlowGuard(SETTINGS, flows, telemetry), open, closed, counts: telemetry.counts };
}

it('closes flows that have proven nothing, once they are old and the gateway is half full', () => {
  const { guard, open, closed, counts } = guarded();
  const stranger = open(T0);
  open(T0).identity = { domain: 'a.example', user: '1001', role: 'user' };
  open(T0, 'TCP');
  guard.advance(T0 + 60_000);
  expect(closed).toEqual([]);
  open(T0 + 50_000);
  guard.advance(T0 + 60_000);
  expect(closed).toEqual([[stranger.id, 1008]]);
  expect(counts.strangersClosed).toBe(1);
});

it('an address may connect as often at once as it may hold, then at a rate', () => {
  const rates = new HandshakeRates({ MAX_FLOWS_PER_ADDRESS: 10, MAX_HANDSHAKES_PER_SECOND_PER_ADDRESS: 2 });
  const taken = (address: string, atMs: number): number =>
    Array.from({ length: 20 }, () => rates.take(address, atMs)).filter(Boolean).length;
  expect([taken('192.0.2.1', T0), taken('192.0.2.1', T0 + 1_500), taken('192.0.2.2', T0)]).toEqual([10, 3, 10]);
});
