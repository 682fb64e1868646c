import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countedAddress, NO_FAILURES, secondsToWait } from '#core/sign-in-guard.ts';

describe('the address that failures count for', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::', 'fe80:0:0:0::/64'],
  ])('of %s is %s', (address, counted) => {
    expect(countedAddress(address)).toBe(counted);
  });
});

describe('the time to wait', () => {
  const count = fc.nat({ max: 10_000 });

  it('is nothing without failures, never over a minute, and never less with more of them', () => {
    expect(secondsToWait(NO_FAILURES, 0)).toBe(0);
    fc.assert(
      fc.property(count, count, fc.nat({ max: 120_000 }), (ofUser, ofAddress, elapsedMs) => {
        const wait = (user: number, address: number) =>
          secondsToWait({ ofUser: user, ofUserAtMs: 1, ofAddress: address, ofAddressAtMs: 1 }, 1 + elapsedMs);
        const seconds = wait(ofUser, ofAddress);
        return (
          seconds >= 0 &&
          seconds <= 60 &&
          wait(ofUser + 1, ofAddress) >= seconds &&
          wait(ofUser, ofAddress + 1) >= seconds
        );
      }),
    );
  });
});
