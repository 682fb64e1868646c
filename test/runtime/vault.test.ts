import { describe, expect, it } from 'vitest';
import { createVaultReader } from '#runtime/vault.ts';

describe('the vault of a function', () => {
  it('is made once for a secret, and anew when the secret has changed', async () => {
    let secret = 'one';
    const read = createVaultReader(async () => secret);
    const first = await read();
    expect(await read()).toBe(first);
    const sealed = first.seal('text', 'place');

    secret = 'two one';
    const second = await read();
    expect(second).not.toBe(first);
    expect(second.open(sealed, 'place')).toBe('text');
    expect(second.isOutdated(sealed)).toBe(true);
  });
});
