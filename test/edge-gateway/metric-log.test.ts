import { describe, expect, test } from 'vitest';
import { METRICS } from '#core/metric.ts';
import { MetricLog } from '#gateway/metric-log.ts';
import { createTelemetry } from '#gateway/telemetry.ts';

const T0 = 1_700_000_000_000;
const GAUGES = {
  ...{ flows: () => 5, subscriptions: () => 40, parkedSubscriptions: () => 1, notifiesOutstanding: () => 2 },
  ...{ forwardsUnderWay: () => 0, flowsHeldBack: () => 0, sendBacklogBytes: () => 900, requestsWaiting: () => 7 },
  ...{ calls: () => 3, callTransactions: () => 4 },
};

function world(stage: string | undefined) {
  const telemetry = createTelemetry('silent', 'g');
  const lines: Record<string, unknown>[] = [];
  let isLeaseHeld = true;
  const ports = { ...telemetry, gauges: GAUGES, isLeaseHeld: () => isLeaseHeld };
  const log = new MetricLog(stage, { ...ports, write: (line) => lines.push(JSON.parse(line)) }, T0);
  return { ...telemetry, log, lines, loseLease: () => (isLeaseHeld = false) };
}

describe("the gateway's metrics", () => {
  test('are all there in each line: what it holds, how counters grew, a sample of latencies', () => {
    const { log, lines, counts, lampLatency, loseLease } = world('lampfield-dev');
    counts.requestsReceived = 10;
    lampLatency.observe(31);
    log.advance(T0);
    counts.requestsReceived = 12;
    counts.notifiesTimedOut = 1;
    counts.serverErrors = 4;
    loseLease();
    for (const ms of [12, 45]) lampLatency.observe(ms);
    for (let second = 1; second <= 60; second++) log.advance(T0 + second * 1_000);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatchObject({ Stage: 'lampfield-dev', Service: 'gateway', Requests: 10, LampMs: [31] });
    const names = Object.entries(METRICS).filter(([, { service }]) => service === 'gateway');
    for (const [name] of names) expect(lines[1]).toHaveProperty(name);
    expect(lines[1]).toMatchObject({
      ...{ Flows: 5, Subscriptions: 40, SendBacklogBytes: 900, RequestsWaiting: 7, Calls: 3, LeaseMissing: 1 },
      ...{ Requests: 2, SuspectWatchers: 1, ServerErrors: 4, Overloads: 0, LampMs: [12, 45] },
    });
  });

  test('are not told where nobody reads them', () => {
    const { log, lines } = world(undefined);
    log.advance(T0 + 120_000);
    expect(lines).toEqual([]);
  });

  test('for Prometheus the latency of lamps is a histogram', async () => {
    const { lampLatency, registry } = world(undefined);
    for (const ms of [4, 60, 2_500]) lampLatency.observe(ms);
    const text = await registry.metrics();
    expect(text).toContain('lampfield_lamp_seconds_bucket{le="0.1"} 2');
    expect(text).toContain('lampfield_lamp_seconds_count 3');
  });
});
