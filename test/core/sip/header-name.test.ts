import { describe, expect, it } from 'vitest';
import { headerIdAt, headerIdOf, headerNameOf, longLowerName } from '#core/sip/header-name.ts';

const KNOWN = Array.from({ length: 100 }, (_, id) => headerNameOf(id)).filter((name) => name !== '');

describe('header names', () => {
  it('are each found by their own name in any case', () => {
    expect(KNOWN.length).toBeGreaterThan(60);
    for (const [i, name] of KNOWN.entries()) {
      expect(headerIdOf(name.toLowerCase())).toBe(i + 1);
      for (const form of [name, name.toLowerCase(), name.toUpperCase()]) {
        expect(headerIdAt(`${form}:`, 0, form.length)).toBe(i + 1);
        expect(headerIdAt(`xx${form}: `, 2, 2 + form.length)).toBe(i + 1);
      }
    }
  });

  it.each([
    ['v', 'via'],
    ['M', 'contact'],
    ['o', 'event'],
    ['X', 'session-expires'],
    ['q', 'q'],
    ['EVENT', 'event'],
    ['X-Own', 'x-own'],
  ])('%s is %s', (name, long) => {
    expect(longLowerName(name)).toBe(long);
  });

  it.each(['', 'Call\rID', 'Call_ID', 'Call-IE', 'Vi\u0001', 'v'.repeat(40), 'ü', 'constructor', '__proto__'])(
    '%j is no known one',
    (name) => {
      expect(headerIdAt(name, 0, name.length)).toBe(0);
      expect(headerIdOf(name)).toBe(0);
    },
  );
});
