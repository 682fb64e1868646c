import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createVault, SealBroken } from '#core/sealed-text.ts';

const vault = createVault('first-key', randomBytes);
const PLACE = '["USER#demo.example#1001","PROFILE"]';

describe('a vault', () => {
  it('opens what it sealed, whatever the text', () => {
    const anyText = fc.string({ unit: 'grapheme', maxLength: 300 });
    fc.assert(fc.property(anyText, anyText, (text, place) => vault.open(vault.seal(text, place), place) === text));
  });

  it('shows nothing of the text, and never the same twice', () => {
    const [one, other] = [vault.seal('hash-of-a-password', PLACE), vault.seal('hash-of-a-password', PLACE)];
    expect(one).toMatch(/^[\w-]{8}\.[\w-]+$/);
    expect(Buffer.from(one.slice(9), 'base64url').toString('latin1')).not.toContain('hash');
    expect(one).not.toBe(other);
  });

  it('does not open at another place: an item copied over another user opens nothing', () => {
    const sealed = vault.seal('text', PLACE);
    expect(() => vault.open(sealed, '["USER#demo.example#1002","PROFILE"]')).toThrow(SealBroken);
  });

  it('notices every changed, missing or added byte', () => {
    const sealed = vault.seal('text', PLACE);
    const bytes = Buffer.from(sealed.slice(9), 'base64url');
    for (let index = 0; index < bytes.length; index++) {
      const changed = Buffer.from(bytes);
      changed[index] = (changed[index] ?? 0) ^ 1;
      expect(() => vault.open(sealed.slice(0, 9) + changed.toString('base64url'), PLACE)).toThrow(SealBroken);
    }
    const others = [bytes.subarray(0, -1), Buffer.concat([bytes, Buffer.of(0)]), Buffer.alloc(0)];
    for (const other of others) {
      expect(() => vault.open(sealed.slice(0, 9) + other.toString('base64url'), PLACE)).toThrow(SealBroken);
    }
    expect(() => vault.open('', PLACE)).toThrow(SealBroken);
  });

  it('says where, and never what', () => {
    const error = (() => {
      try {
        return vault.open(`${vault.seal('hush', PLACE)}AAAA`, PLACE);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(String(error)).toContain('1001');
    expect(String(error)).not.toContain('hush');
  });
});

describe('the change of a key', () => {
  const old = vault.seal('text', PLACE);

  it('first adds the new one behind: it opens, and does not seal yet', () => {
    const both = createVault('first-key second-key', randomBytes);
    const second = createVault('second-key', randomBytes);
    expect(both.open(second.seal('new', PLACE), PLACE)).toBe('new');
    expect(vault.open(both.seal('text', PLACE), PLACE)).toBe('text');
    expect(both.isOutdated(old)).toBe(false);
  });

  it('then puts it in front: it seals, the old one still opens and is known as old', () => {
    const both = createVault('second-key\nfirst-key', randomBytes);
    expect(both.open(old, PLACE)).toBe('text');
    expect(both.isOutdated(old)).toBe(true);
    expect(both.isOutdated(both.seal('text', PLACE))).toBe(false);
    expect(() => vault.open(both.seal('text', PLACE), PLACE)).toThrow(SealBroken);
  });

  it('ends without the old one: what it sealed is lost', () => {
    expect(() => createVault('second-key', randomBytes).open(old, PLACE)).toThrow(/which is not here/);
  });
});

it('a vault without a key is none', () => {
  expect(() => createVault(' \n', randomBytes)).toThrow('no key');
});
