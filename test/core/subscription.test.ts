import { describe, expect, it } from 'vitest';
import type { SipRejection } from '#core/error.ts';
import { grantExpiry } from '#core/subscription.ts';

const POLICY = { minExpiresSeconds: 60, defaultExpiresSeconds: 3_600, maxExpiresSeconds: 7_200 };

describe('grantExpiry (RFC 6665 section 4.2.1.1)', () => {
  it.each([
    [undefined, 3_600],
    [0, 0],
    [60, 60],
    [599, 599],
    [7_200, 7_200],
    [4_294_967_295, 7_200],
  ])('of %s is %s', (requested, granted) => {
    expect(grantExpiry(requested, POLICY)).toBe(granted);
  });

  it('refuses what is not zero and under the minimum with 423 and Min-Expires', () => {
    for (const requested of [1, 59]) {
      expect(() => grantExpiry(requested, POLICY)).toThrow(
        expect.objectContaining({ status: 423, headers: [['Min-Expires', '60']] }) as SipRejection,
      );
    }
  });

  it('spreads grants from ten minutes on by a tenth downwards, never upwards', () => {
    expect(grantExpiry(3_600, POLICY, 1)).toBe(3_240);
    expect(grantExpiry(600, POLICY, 0.5)).toBe(570);
    expect(grantExpiry(599, POLICY, 1)).toBe(599);
  });
});
