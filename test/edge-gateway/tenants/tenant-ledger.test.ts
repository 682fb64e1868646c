import { PassThrough } from 'node:stream';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { GatewayQuotas } from '#contract/schemas.ts';
import { parseMessage, type SipRequest } from '#core/sip/message.ts';
import { Flow } from '#gateway/flow-table.ts';
import { type Counts, createTelemetry } from '#gateway/telemetry.ts';
import { TenantLedger } from '#gateway/tenants/tenant-ledger.ts';

const T0 = 1_700_000_000_000;
const QUOTAS: GatewayQuotas = {
  ...{ flows: 4, subscriptions: 10, calls: 2 },
  ...{ requestsPerSecond: 20, publicationsPerSecond: 2, messagesPerSecond: 1 },
};

let now: number;
let counts: Counts;
let warn: ReturnType<typeof vi.fn>;
let ledger: TenantLedger;

beforeEach(() => {
  now = T0;
  const telemetry = createTelemetry('silent', 'g');
  warn = vi.fn();
  counts = telemetry.counts;
  const log = Object.assign(telemetry.log, { warn });
  ledger = new TenantLedger({ log, counts, nowMs: () => now, chance: () => 0.5 });
});

const openFlow = (): Flow => new Flow({} as never, new PassThrough(), 'WS', '192.0.2.7', 5061, now);

function prove(domain: string): Flow {
  const flow = openFlow();
  ledger.hold(flow, domain);
  return flow;
}

function requestOf(domain: string, method = 'SUBSCRIBE'): SipRequest {
  const lines = [
    `${method} sip:1002@${domain} SIP/2.0`,
    'Via: SIP/2.0/WS c.invalid;branch=z9hG4bK1',
    `From: <sip:1001@${domain}>;tag=1`,
    `To: <sip:1002@${domain}>`,
    'Call-ID: 1',
    `CSeq: 1 ${method}`,
    'Content-Length: 0',
  ];
  const text = `${lines.join('\r\n')}\r\n\r\n`;
  const parsed = parseMessage(text, text.length);
  if (parsed.kind !== 'request') throw new Error('not a request');
  return parsed;
}

const admitted = (flow: Flow, method: string, tries: number): number =>
  Array.from({ length: tries }, () => ledger.limitRate(flow, method)).filter((refusal) => refusal === undefined).length;
const useOf = (domain: string, limit: string) => ledger.useOf(domain).find((each) => each.limit === limit);

describe('rates', () => {
  it('a tenant may send five seconds of its rate at once, then its rate; refused with 503 and Retry-After', () => {
    const flow = prove('a.example');
    ledger.takeQuotas('a.example', QUOTAS);
    expect(admitted(flow, 'PUBLISH', 30)).toBe(10);
    const refusal = ledger.limitRate(flow, 'PUBLISH');
    expect(refusal).toMatchObject({ status: 503, reason: 'Too Many Requests Of This Tenant' });
    expect(refusal?.headers).toEqual([['Retry-After', '3']]);
    now += 2_000;
    expect(admitted(flow, 'PUBLISH', 30)).toBe(4);
    expect(counts.tenantRequestsLimited).toBe(20 + 1 + 26);
    expect(useOf('a.example', 'publicationsPerSecond')?.refused).toBe(47);
  });

  it('counts over all flows of the tenant, and leaves other tenants alone', () => {
    const [one, two, other] = [prove('a.example'), prove('a.example'), prove('b.example')];
    for (const domain of ['a.example', 'b.example']) ledger.takeQuotas(domain, QUOTAS);
    expect(admitted(one, 'PUBLISH', 6) + admitted(two, 'PUBLISH', 6)).toBe(10);
    expect(admitted(other, 'PUBLISH', 6)).toBe(6);
  });

  it('a refused PUBLISH costs the other requests of the tenant nothing, and the other way round', () => {
    const flow = prove('a.example');
    ledger.takeQuotas('a.example', QUOTAS);
    admitted(flow, 'PUBLISH', 1_000);
    expect(admitted(flow, 'SUBSCRIBE', 200)).toBe(90);
    expect(admitted(flow, 'MESSAGE', 5)).toBe(0);
    now += 1_000;
    expect(admitted(flow, 'MESSAGE', 9)).toBe(5);
  });

  it('gives each gateway an equal share, and takes a changed quota at once', () => {
    const flow = prove('a.example');
    ledger.takeQuotas('a.example', QUOTAS);
    ledger.takeGateways(2);
    expect(admitted(flow, 'PUBLISH', 30)).toBe(5);
    expect(useOf('a.example', 'flows')?.share).toBe(2);
    ledger.takeQuotas('a.example', { ...QUOTAS, publicationsPerSecond: 20 });
    now += 1_000;
    expect(admitted(flow, 'PUBLISH', 30)).toBe(10);
  });

  it('who has proven nothing is of no tenant', () => {
    expect(admitted(openFlow(), 'PUBLISH', 100)).toBe(100);
  });
});

describe('what is held', () => {
  it('flows are refused by the function, and only those that prove to be of the tenant', () => {
    const flows = Array.from({ length: 4 }, () => prove('a.example'));
    ledger.takeQuotas('a.example', QUOTAS);
    expect(ledger.fullFor(openFlow(), requestOf('a.example'))).toBe('flows');
    expect(ledger.fullFor(openFlow(), requestOf('b.example'))).toBeUndefined();
    expect(ledger.fullFor(flows[0] ?? openFlow(), requestOf('a.example'))).toBeUndefined();
    ledger.flowClosed(flows[0] ?? openFlow());
    expect(ledger.fullFor(openFlow(), requestOf('a.example'))).toBeUndefined();
    expect(useOf('a.example', 'flows')).toMatchObject({ used: 3, share: 4 });
  });

  it('a flow counts once, whatever it proves later, and no longer when it is closed', () => {
    const flow = prove('a.example');
    ledger.hold(flow, 'a.example');
    expect(useOf('a.example', 'flows')?.used).toBe(1);
    ledger.hold(flow, 'b.example');
    expect(useOf('a.example', 'flows')?.used).toBe(0);
    expect(useOf('b.example', 'flows')?.used).toBe(1);
    ledger.flowClosed(flow);
    ledger.flowClosed(flow);
    expect(useOf('b.example', 'flows')?.used).toBe(0);
  });

  it('subscriptions that are being opened count', () => {
    const flow = prove('a.example');
    ledger.takeQuotas('a.example', QUOTAS);
    const { account } = flow;
    if (account === undefined) throw new Error('no account');
    account.subscriptions = 7;
    account.opening = 2;
    expect(ledger.limitHeld(flow, 'subscriptions')).toBeUndefined();
    account.opening = 3;
    expect(ledger.limitHeld(flow, 'subscriptions')).toMatchObject({
      status: 503,
      reason: 'Too Many Subscriptions Of This Tenant',
      headers: [['Retry-After', '32']],
    });
    expect(ledger.fullFor(openFlow(), requestOf('a.example'), 'subscriptions')).toBe('subscriptions');
  });

  it('a call does not fail for want of a flow, only for too many calls', () => {
    for (let i = 0; i < 4; i++) prove('a.example');
    ledger.takeQuotas('a.example', QUOTAS);
    const invite = requestOf('a.example', 'INVITE');
    expect(ledger.fullFor(openFlow(), invite, 'calls')).toBeUndefined();
    ledger.callStarted('a.example');
    ledger.callStarted('a.example');
    expect(ledger.fullFor(openFlow(), invite, 'calls')).toBe('calls');
    ledger.callEnded('a.example');
    expect(ledger.fullFor(openFlow(), invite, 'calls')).toBeUndefined();
  });
});

describe('what operators hear', () => {
  it('a limit that is used to 80 %, once a minute', () => {
    ledger.takeQuotas('a.example', QUOTAS);
    for (let i = 0; i < 3; i++) prove('a.example');
    const pass = (seconds: number): void => {
      for (let i = 0; i < seconds; i++) {
        now += 1_000;
        ledger.advance();
      }
    };
    pass(10);
    expect(warn).not.toHaveBeenCalled();
    prove('a.example');
    pass(10);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]?.[0]).toMatchObject({ tenant: 'a.example', limit: 'flows', used: 4, share: 4 });
    pass(50);
    expect(warn).toHaveBeenCalledTimes(1);
    pass(20);
    expect(warn).toHaveBeenCalledTimes(2);
  });

  it('rates are of the last ten seconds', () => {
    const flow = prove('a.example');
    ledger.takeQuotas('a.example', QUOTAS);
    admitted(flow, 'SUBSCRIBE', 50);
    now += 10_000;
    ledger.advance();
    expect(useOf('a.example', 'requestsPerSecond')).toMatchObject({ used: 5, share: 20 });
    now += 10_000;
    ledger.advance();
    expect(useOf('a.example', 'requestsPerSecond')?.used).toBe(0);
  });

  it('a tenant that holds nothing is forgotten after two minutes', () => {
    const flow = prove('a.example');
    now += 300_000;
    ledger.advance();
    expect(ledger.size).toBe(1);
    ledger.flowClosed(flow);
    now += 119_000;
    ledger.advance();
    expect(ledger.size).toBe(1);
    now += 10_000;
    ledger.advance();
    expect(ledger.size).toBe(0);
  });
});
