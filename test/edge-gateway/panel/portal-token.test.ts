import { describe, expect, test } from 'vitest';
import { endOfToken, PortalToken, readFragment } from '#gateway/panel/portal-token.ts';

const T0 = 1_700_000_000_000;
const tokenUntil = (ms: number): string =>
  `h.${Buffer.from(JSON.stringify({ exp: ms / 1_000 })).toString('base64url')}.s`;

describe('the fragment of the address', () => {
  test.each([
    ['#access_token=a.b.c&user=1001&domain=Demo.Example', { token: 'a.b.c', user: '1001', domain: 'demo.example' }],
    ['#user=1001&domain=demo.example', undefined],
    ['#access_token=a.b.c&domain=demo.example', undefined],
    ['#list', undefined],
    ['', undefined],
  ])('%s', (fragment, expected) => {
    expect(readFragment(fragment)).toEqual(expected);
  });
});

describe('the token of the page', () => {
  test.each([
    [tokenUntil(T0), T0],
    ['h.!!!.s', undefined],
    ['abc', undefined],
    [`h.${btoa('{}')}.s`, undefined],
  ])('%s ends at %s', (token, endMs) => {
    expect(endOfToken(token)).toBe(endMs);
  });

  test('is renewed a minute before its end, not earlier', async () => {
    let asked = 0;
    const token = new PortalToken(tokenUntil(T0 + 120_000), async () => {
      asked++;
      return tokenUntil(T0 + 600_000);
    });
    expect([token.renewInMs(T0), await token.current(T0), asked]).toEqual([60_000, tokenUntil(T0 + 120_000), 0]);
    expect([await token.current(T0 + 60_000), asked]).toEqual([tokenUntil(T0 + 600_000), 1]);
    expect(token.renewInMs(T0 + 60_000)).toBe(480_000);
  });

  test('stays when the portal has no other', async () => {
    const token = new PortalToken('abc', async () => undefined);
    expect([await token.renewed(), token.renewInMs(T0)]).toEqual(['abc', Number.POSITIVE_INFINITY]);
  });
});
