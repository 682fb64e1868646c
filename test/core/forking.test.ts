import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bestResponse, isDecisive } from '#core/forking.ts';

const response = (status: number) => ({ status, reason: 'R', headers: [] });
const best = (...statuses: number[]) => bestResponse(statuses.map(response))?.status;

describe('bestResponse (RFC 3261 section 16.7)', () => {
  it.each([
    [[486, 200, 603], 200],
    [[486, 503, 603], 603],
    [[503, 486, 302], 302],
    [[500, 404], 404],
    [[404, 415], 415],
    [[500, 503], 500],
  ])('of %j is %i', (statuses, expected) => expect(best(...statuses)).toBe(expected));

  it('of no answers is none', () => expect(best()).toBeUndefined());

  it('is one of the answers, the same class in every order, and 2xx if there is one', () => {
    const statuses = fc.array(fc.integer({ min: 200, max: 699 }), { minLength: 1, maxLength: 8 });
    return fc.assert(
      fc.property(statuses, (given) => {
        const chosen = best(...given) ?? 0;
        const reversed = best(...given.toReversed()) ?? 0;
        expect(given).toContain(chosen);
        expect(Math.floor(chosen / 100)).toBe(Math.floor(reversed / 100));
        if (given.some((status) => status < 300)) expect(chosen).toBeLessThan(300);
      }),
    );
  });
});

it('2xx and 6xx decide before the other branches answer', () => {
  expect([200, 202, 302, 404, 503, 600].filter((status) => isDecisive(response(status)))).toEqual([200, 202, 600]);
});
