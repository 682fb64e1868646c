import { createHmac, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concerns, judge, mayConcern, retryDelayMs } from '#core/webhook.ts';
import { signedFields, webhookSecretOf } from '#core/webhook-signature.ts';
import { isGoodSignature } from '#test/support/webhook-receiver.ts';

const T0 = 1_700_000_000_000;

describe('the signature of a webhook', () => {
  it('is that of the example of Standard Webhooks', () => {
    // https://github.com/standard-webhooks/standard-webhooks: test vector of its libraries.
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    const fields = signedFields([secret], 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330_000, '{"test": 2432232314}');
    expect(fields).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('is good for who has one of the secrets, and for nothing else', () => {
    const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(bytes, bytes, fc.string(), fc.string(), (one, other, id, body) => {
        fc.pre(Buffer.compare(one, other) !== 0);
        const [secret, next] = [webhookSecretOf(one), webhookSecretOf(other)];
        const only = signedFields([secret], id, T0, body);
        expect(isGoodSignature(secret, only, body, T0)).toBe(true);
        expect(isGoodSignature(next, only, body, T0)).toBe(false);
        expect(isGoodSignature(secret, only, `${body} `, T0)).toBe(false);
        expect(isGoodSignature(secret, { ...only, 'webhook-id': `${id}x` }, body, T0)).toBe(false);
        expect(isGoodSignature(secret, only, body, T0 + 301_000)).toBe(false);
        const both = signedFields([next, secret], id, T0, body);
        expect([secret, next].map((each) => isGoodSignature(each, both, body, T0))).toEqual([true, true]);
      }),
    );
  });
});

describe('tries', () => {
  it('come later and later, an hour apart at most, and half of it is chance', () => {
    expect([1, 2, 3, 4].map((failures) => retryDelayMs(failures, 1))).toEqual([5_000, 10_000, 20_000, 40_000]);
    expect([1, 4].map((failures) => retryDelayMs(failures, 0))).toEqual([2_500, 20_000]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e9 }), fc.double({ min: 0, max: 1, noNaN: true }), (failures, chance) => {
        const delay = retryDelayMs(failures, chance);
        expect(delay).toBeGreaterThanOrEqual(2_500);
        expect(delay).toBeLessThanOrEqual(3_600_000);
        expect(retryDelayMs(failures + 1, chance)).toBeGreaterThanOrEqual(delay);
      }),
    );
  });

  it('wait for as long as the receiver asks, within the hour', () => {
    expect(retryDelayMs(1, 0, 60)).toBe(60_000);
    expect(retryDelayMs(1, 0, 999_999)).toBe(3_600_000);
    expect(retryDelayMs(9, 1, 1)).toBe(1_280_000);
  });
});

describe('an answer', () => {
  it.each([
    [200, 'delivered'],
    [204, 'delivered'],
    [301, 'failed'],
    [400, 'refused'],
    [401, 'failed'],
    [404, 'failed'],
    [410, 'gone'],
    [422, 'refused'],
    [429, 'failed'],
    [500, 'failed'],
  ] as const)('%d means %s', (status, verdict) => {
    expect(judge({ kind: 'answered', status })).toBe(verdict);
  });

  it('that never came is a failure', () => {
    expect(judge({ kind: 'failed', reason: 'x', isSlow: true })).toBe('failed');
  });
});

describe('whom a webhook is told of', () => {
  it.each([
    [{}, true, true],
    [{ users: ['1001'] }, true, true],
    [{ users: ['1002'] }, false, false],
    [{ users: [] }, false, false],
    [{ groups: ['sales'] }, true, true],
    [{ groups: ['support'] }, false, true],
    [{ users: ['1001'], groups: ['support'] }, true, true],
  ])('%j', (scope, isConcerned, isPossible) => {
    expect(concerns(scope, '1001', ['sales'])).toBe(isConcerned);
    expect(mayConcern(scope, '1001')).toBe(isPossible);
  });
});

it('the receiver of the documentation tells a genuine message from others', () => {
  const page = readFileSync(new URL('../../lambdas/webhooks.md', import.meta.url), 'utf8');
  const [, code = ''] = /^ {4}(function isGenuine[\s\S]*?^ {4}\}$)/m.exec(page) ?? [];
  const isGenuine = new Function('createHmac', 'timingSafeEqual', `${code}; return isGenuine;`)(
    createHmac,
    timingSafeEqual,
  );
  const [secret, next] = [7, 8].map((byte) => webhookSecretOf(new Uint8Array(32).fill(byte)));
  const fields = signedFields([next ?? '', secret ?? ''], 'm', T0, '{}');
  const nowSeconds = T0 / 1_000;
  expect([secret, next].map((each) => isGenuine(each, fields, '{}', nowSeconds))).toEqual([true, true]);
  expect(isGenuine(secret, fields, '{ }', nowSeconds)).toBe(false);
  expect(isGenuine('whsec_AAAA', fields, '{}', nowSeconds)).toBe(false);
  expect([300, 301].map((later) => isGenuine(secret, fields, '{}', nowSeconds + later))).toEqual([true, false]);
  expect(isGenuine(secret, {}, '{}', nowSeconds)).toBe(false);
});
