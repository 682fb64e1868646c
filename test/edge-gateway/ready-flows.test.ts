import { PassThrough } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Flow } from '#gateway/flow-table.ts';
import { ReadyFlows } from '#gateway/ready-flows.ts';
import type { Subscription } from '#gateway/subscription-table.ts';
import { TenantAccount } from '#gateway/tenants/tenant-account.ts';

function flowOf(account: TenantAccount | undefined): Flow {
  const flow = new Flow({} as never, new PassThrough(), 'WS', '192.0.2.7', 5061, 0);
  flow.account = account;
  return flow;
}

const A = new TenantAccount('a.example', 0);
const B = new TenantAccount('b.example', 0);

it('a fan-out of one tenant waits for 64 NOTIFYs of another one at most, once it has the turn', async () => {
  const sent: (string | undefined)[] = [];
  const ready = new ReadyFlows(
    (flow) => sent.push(flow.account?.domain) && 1,
    () => undefined,
  );
  for (let i = 0; i < 10_000; i++) ready.add(flowOf(A));
  ready.schedule();
  expect(sent).toHaveLength(256);
  ready.add(flowOf(B));
  ready.schedule();
  expect(sent).toHaveLength(256);
  await nextTurn();
  expect(sent.indexOf('b.example')).toBe(256 + 64);
  while (sent.length < 10_001) await nextTurn();
  expect(sent.filter((domain) => domain === 'a.example')).toHaveLength(10_000);
});

it('what one flow sends counts, so that few flows with many subscriptions are no longer a turn', async () => {
  const order: string[] = [];
  const ready = new ReadyFlows(
    (flow) => {
      order.push(flow.account?.domain ?? '');
      return 64;
    },
    () => undefined,
  );
  for (let i = 0; i < 3; i++) ready.add(flowOf(A));
  for (let i = 0; i < 3; i++) ready.add(flowOf(B));
  ready.add(flowOf(undefined));
  ready.schedule();
  expect(order).toEqual(['a.example', 'b.example', '', 'a.example']);
  await nextTurn();
  expect(order.slice(4)).toEqual(['b.example', 'a.example', 'b.example']);
});

it('keeps the order of a tenant over any number of flows, and serves what comes meanwhile', async () => {
  const served: Flow[] = [];
  const more: Flow[] = [];
  const ready = new ReadyFlows(
    (flow) => {
      served.push(flow);
      const next = more.shift();
      if (next !== undefined) ready.add(next);
      return 1;
    },
    () => undefined,
  );
  const first = Array.from({ length: 6_000 }, () => flowOf(A));
  more.push(...Array.from({ length: 6_000 }, () => flowOf(A)));
  const all = [...first, ...more];
  for (const flow of first) ready.add(flow);
  ready.schedule();
  while (served.length < 12_000) await nextTurn();
  expect(served.every((flow, index) => flow === all[index])).toBe(true);
});

it('takes what a flow may send: a small set whole, of a large one the first 64, and then it has its turn again', async () => {
  const sent: number[] = [];
  const ready: ReadyFlows = new ReadyFlows(
    (flow) => {
      const some = ready.takeSlice(flow, flow.unsent ?? new Set());
      sent.push(some.size);
      return some.size;
    },
    () => undefined,
  );
  const flow = flowOf(A);
  flow.unsent = new Set(Array.from({ length: 150 }, () => ({}) as Subscription));
  ready.add(flow);
  ready.schedule();
  while (flow.unsent !== undefined) await nextTurn();
  expect(sent).toEqual([64, 64, 22]);
});
