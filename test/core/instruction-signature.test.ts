import { describe, expect, it } from 'vitest';
import { signInstructions, verifyInstructions } from '#core/instruction-signature.ts';

const T0 = 1_700_000_000_000;
const BODY = '{"instructions":[]}';
const signed = { signature: signInstructions('s3cret', T0, BODY), signedAt: String(T0) };

describe('instruction signature', () => {
  it('holds a minute either way', () => {
    expect(verifyInstructions('s3cret', signed, BODY, T0)).toBe(true);
    expect(verifyInstructions('s3cret', signed, BODY, T0 + 60_000)).toBe(true);
    expect(verifyInstructions('s3cret', signed, BODY, T0 - 60_000)).toBe(true);
    expect(verifyInstructions('s3cret', signed, BODY, T0 + 60_001)).toBe(false);
    expect(verifyInstructions('s3cret', signed, BODY, T0 - 60_001)).toBe(false);
  });

  it.each([
    ['another secret', 'other', signed, BODY],
    ['another body', 's3cret', signed, '{"instructions":[1]}'],
    ['another time', 's3cret', { ...signed, signedAt: String(T0 + 1) }, BODY],
    ['a time that is no number', 's3cret', { ...signed, signedAt: '1e12' }, BODY],
    ['no time', 's3cret', { ...signed, signedAt: undefined }, BODY],
    ['no signature', 's3cret', { ...signed, signature: undefined }, BODY],
    ['a short signature', 's3cret', { ...signed, signature: signed.signature.slice(2) }, BODY],
  ])('fails with %s', (_what, secret, received, body) => {
    expect(verifyInstructions(secret, received, body, T0)).toBe(false);
  });
});
