import { describe, expect, it } from 'vitest';
import { ContractError, DependencyUnavailable, SipRejection } from '#core/error.ts';
import { createTelemetry } from '#runtime/telemetry.ts';
import { envelopeOf, T0 } from '#test/support/envelope.ts';
import { createRequestHandler, type RequestRole } from '../../lambdas/handlers/request-handler.ts';

const OK = { response: { status: 200, reason: 'OK', headers: [] } };

/** Handles envelopes with these Call-IDs; collects the log lines. */
async function handle(role: RequestRole, envelopes: readonly unknown[]) {
  const lines: Record<string, unknown>[] = [];
  const telemetry = createTelemetry('info', (line) => lines.push(JSON.parse(line)));
  const handler = createRequestHandler('test', role, telemetry, () => T0);
  const { outcomes } = await handler({ contractVersion: 1, envelopes });
  return { lines, outcomes };
}

const call = (callId: string) => envelopeOf({ method: 'SUBSCRIBE', callId, headers: [['Authorization', 'Digest x']] });

describe('request handler', () => {
  it('answers each envelope, in the order of the envelopes', async () => {
    const role: RequestRole = async ({ request }, nowMs) => {
      const callId = request.headers.find(([name]) => name === 'Call-ID')?.[1];
      return { response: { status: 200, reason: `${callId} at ${nowMs}`, headers: [] } };
    };
    const { outcomes } = await handle(role, [call('c1'), call('c2')]);
    expect(outcomes.map(({ response }) => response.reason)).toEqual([`c1 at ${T0}`, `c2 at ${T0}`]);
  });

  const failures: [string, unknown, object][] = [
    [
      'a rejection',
      new SipRejection(489, 'Bad Event', [['Allow-Events', 'dialog']]),
      { status: 489, reason: 'Bad Event', headers: [['Allow-Events', 'dialog']] },
    ],
    [
      'an outage behind it',
      new DependencyUnavailable('DynamoDB', { retryAfterSeconds: 7 }),
      { status: 503, reason: 'Service Unavailable', headers: [['Retry-After', '7']] },
    ],
    ['a contract error', new ContractError('item'), { status: 500, reason: 'Server Internal Error', headers: [] }],
    ['a defect', new TypeError('x'), { status: 500, reason: 'Server Internal Error', headers: [] }],
  ];
  it.each(failures)('answers %s and does not touch the others', async (_what, error, response) => {
    let calls = 0;
    const role: RequestRole = async () => {
      calls += 1;
      if (calls === 1) throw error;
      return OK;
    };
    const { outcomes } = await handle(role, [call('c1'), call('c2')]);
    expect(outcomes).toEqual([{ response }, OK]);
  });

  it('answers 500 to an envelope that it cannot read, and the others', async () => {
    const { outcomes, lines } = await handle(async () => OK, [{ request: 1 }, call('c2')]);
    expect(outcomes.map(({ response }) => response.status)).toEqual([500, 200]);
    expect(lines[0]).toMatchObject({ level: 'error', error: 'ContractError' });
  });

  it.each([{}, { contractVersion: 2, envelopes: [call('c1')] }, { contractVersion: 1, envelopes: [] }, null])(
    'fails as a whole when the batch is %j',
    async (event) => {
      const handler = createRequestHandler('test', async () => OK, createTelemetry('silent'));
      await expect(handler(event)).rejects.toThrow(ContractError);
    },
  );

  it('keeps the order of one Call-ID, and runs different ones together', async () => {
    const seen: string[] = [];
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const role: RequestRole = async ({ request }) => {
      const name = request.requestUri;
      seen.push(`${name} starts`);
      if (name === 'sip:first') await held;
      if (name === 'sip:other') release();
      seen.push(`${name} ends`);
      return OK;
    };
    const request = (requestUri: string, callId: string) => envelopeOf({ method: 'PUBLISH', requestUri, callId });
    await handle(role, [request('sip:first', 'c1'), request('sip:second', 'c1'), request('sip:other', 'c2')]);
    expect(seen.indexOf('sip:first ends')).toBeLessThan(seen.indexOf('sip:second starts'));
    expect(seen.indexOf('sip:other ends')).toBeLessThan(seen.indexOf('sip:first ends'));
  });

  it('logs one line an envelope, without credentials', async () => {
    const { lines } = await handle(async () => OK, [call('c1')]);
    expect(lines).toEqual([
      {
        level: 'info',
        hop: 'test',
        method: 'SUBSCRIBE',
        callId: 'c1',
        cseq: '1 SUBSCRIBE',
        flow: 'flow-1',
        outcome: 200,
        durationMs: 0,
      },
    ]);
  });

  it('logs a refusal as ordinary, an outage as a warning, a defect with its stack', async () => {
    const line = async (error: unknown) => (await handle(() => Promise.reject(error), [call('c1')])).lines[0];
    expect(await line(new SipRejection(403, 'Forbidden'))).toMatchObject({ level: 'info', outcome: 403 });
    const outage = new DependencyUnavailable('DynamoDB', { cause: new Error('refused') });
    expect(await line(outage)).toMatchObject({ level: 'warn', outcome: 503, cause: 'Error: refused' });
    expect(await line(new TypeError('x'))).toMatchObject({ level: 'error', stack: expect.any(String) });
  });
});
