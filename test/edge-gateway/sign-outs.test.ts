import { describe, expect, it } from 'vitest';
import type { Identity } from '#contract/schemas.ts';
import { isMeant, type SignOut, SignOuts } from '#gateway/sign-outs.ts';

const T0 = 1_700_000_000_000;
const proven = (proof: Identity['proof'], user = '1001', domain = 'a.example'): Identity => ({
  ...{ domain, user, role: 'user', proof },
});
const TOKEN = proven({ way: 'token', tokenId: 'one', issuedAtMs: T0 });
const PORTAL = proven({ way: 'sharedSecret', by: 'portal', issuedAtMs: T0 });

describe('what is taken back', () => {
  it.each<[string, Omit<SignOut, 'domain'>, Identity, boolean]>([
    ['a tenant’s tokens of before', { way: 'token', issuedBeforeMs: T0 + 1 }, TOKEN, true],
    ['not those of the same moment and later', { way: 'token', issuedBeforeMs: T0 }, TOKEN, false],
    ['one token', { way: 'token', tokenId: 'one' }, TOKEN, true],
    ['not another token', { way: 'token', tokenId: 'two' }, TOKEN, false],
    ['a user’s', { user: '1001', way: 'token' }, TOKEN, true],
    ['not another user’s', { user: '1002', way: 'token' }, TOKEN, false],
    ['not what was proven in another way', { way: 'password' }, TOKEN, false],
    ['credentials of one secret', { way: 'sharedSecret', by: 'portal' }, PORTAL, true],
    ['not those of another secret', { way: 'sharedSecret', by: 'other' }, PORTAL, false],
    [
      'a password of which nobody knows since when',
      { way: 'password', issuedBeforeMs: T0 },
      proven({ way: 'password' }),
      true,
    ],
    ['a proof of which nothing is known', { way: 'password', issuedBeforeMs: T0 }, proven(undefined), true],
    ['not when a certain token is meant', { tokenId: 'one' }, proven(undefined), false],
    ['not at another tenant', { way: 'token' }, proven(TOKEN.proof, '1001', 'b.example'), false],
  ])('%s', (_, order, identity, expected) => {
    expect(isMeant({ domain: 'a.example', ...order }, identity)).toBe(expected);
  });

  it('is remembered for longer than functions believe what they have read, and then forgotten', () => {
    const signOuts = new SignOuts();
    expect(signOuts.cover(TOKEN, T0)).toBe(false);
    signOuts.add({ domain: 'a.example', way: 'token', tokenId: 'one' }, T0);
    signOuts.add({ domain: 'a.example', way: 'password' }, T0);
    expect([signOuts.cover(TOKEN, T0 + 15_000), signOuts.cover(PORTAL, T0 + 15_000)]).toEqual([true, false]);
    expect(signOuts.cover(TOKEN, T0 + 20_000)).toBe(false);
  });
});
