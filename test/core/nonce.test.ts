import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isNonceValid, makeNonce, NONCE_LIFETIME_MS } from '#core/nonce.ts';

const T0 = 1_700_000_000_000;
const SCOPE = { secrets: ['s3cret'], flowId: 'flow-1', realm: 'demo.example' };

describe('nonce', () => {
  it('is valid on its flow for ten minutes', () => {
    const nonce = makeNonce(SCOPE, T0);
    expect(isNonceValid(nonce, SCOPE, T0)).toBe(true);
    expect(isNonceValid(nonce, SCOPE, T0 + NONCE_LIFETIME_MS)).toBe(true);
    expect(isNonceValid(nonce, SCOPE, T0 + NONCE_LIFETIME_MS + 1)).toBe(false);
  });

  it('may come from an instance whose clock is a little ahead, not far ahead', () => {
    expect(isNonceValid(makeNonce(SCOPE, T0 + 2_000), SCOPE, T0)).toBe(true);
    expect(isNonceValid(makeNonce(SCOPE, T0 + 60_000), SCOPE, T0)).toBe(false);
  });

  it.each([
    ['flow', { ...SCOPE, flowId: 'flow-2' }],
    ['realm', { ...SCOPE, realm: 'acme.example' }],
    ['secret', { ...SCOPE, secrets: ['other', 'another'] }],
    ['split of flow and realm', { ...SCOPE, flowId: 'flow-1","demo.example', realm: '' }],
  ])('is worthless with another %s', (_what, scope) => {
    expect(isNonceValid(makeNonce(SCOPE, T0), scope, T0)).toBe(false);
  });

  it('cannot be altered in any character', () => {
    const nonce = makeNonce(SCOPE, T0);
    fc.assert(
      fc.property(fc.nat(nonce.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, character) => {
        fc.pre(nonce[at] !== character);
        const altered = nonce.slice(0, at) + character + nonce.slice(at + 1);
        expect(isNonceValid(altered, SCOPE, T0)).toBe(false);
      }),
    );
  });

  it('stays valid when its secret is no longer the first one, and one of the new secret is valid where that is not yet the first', () => {
    const before = { ...SCOPE, secrets: ['old', 'new'] };
    const after = { ...SCOPE, secrets: ['new', 'old'] };
    expect(isNonceValid(makeNonce(before, T0), after, T0)).toBe(true);
    expect(isNonceValid(makeNonce(after, T0), before, T0)).toBe(true);
    expect(makeNonce(before, T0)).not.toBe(makeNonce(after, T0));
  });

  it('is not any other text', () => {
    fc.assert(fc.property(fc.string(), (text) => !isNonceValid(text, SCOPE, T0)));
  });

  it('needs no quoting in a header field', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 47 }), (nowMs) => {
        expect(makeNonce(SCOPE, nowMs)).toMatch(/^[\w-]{32}$/);
      }),
    );
  });
});
