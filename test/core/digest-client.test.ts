import { describe, expect, it } from 'vitest';
import { ha1Of, readCredentials, verifyResponse } from '#core/digest.ts';
import { meetChallenge } from '#core/digest-client.ts';
import { parseCredentials } from '#core/sip/header.ts';

const REALM = 'http-auth@example.org';
const ACCOUNT = {
  ...{ username: 'Mufasa', realm: REALM },
  ha1: {
    md5: ha1Of('MD5', 'Mufasa', REALM, 'Circle of Life'),
    sha256: ha1Of('SHA-256', 'Mufasa', REALM, 'Circle of Life'),
  },
};
/** RFC 7616 section 3.9.1. */
const NONCE = '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v';
const OPAQUE = 'FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS';
const REQUEST = { method: 'GET', uri: '/dir/index.html', cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ' };
const challenge = (algorithm: string, more = ', qop="auth, auth-int"', realm = REALM, field = 'WWW-Authenticate') => ({
  ...{ field, count: 1 },
  value: `Digest realm="${realm}", nonce="${NONCE}", opaque="${OPAQUE}"${algorithm}${more}`,
});
const MD5 = challenge(', algorithm=MD5');
const SHA256 = challenge(', algorithm=SHA-256');
const meet = (...challenges: ReturnType<typeof challenge>[]) => meetChallenge({ challenges }, ACCOUNT, REQUEST);
const paramsOf = (credentials: ReturnType<typeof meet>) => parseCredentials(credentials?.[1] ?? '')?.params;

describe('a challenge is met (RFC 7616 section 3.9.1)', () => {
  it.each([
    ['MD5', MD5, '8ca523f5e9506fed4657c9700eebdbec'],
    ['SHA-256', SHA256, '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
  ])('with %s', (algorithm, given, response) => {
    const credentials = meet(given);
    expect(credentials?.[0]).toBe('Authorization');
    expect(paramsOf(credentials)?.get('response')).toBe(response);
    expect(paramsOf(credentials)?.get('opaque')).toBe(OPAQUE);
    expect(paramsOf(credentials)?.get('algorithm')).toBe(algorithm);
  });

  it('with the stronger of two, whatever their order', () => {
    for (const both of [
      [MD5, SHA256],
      [SHA256, MD5],
    ] as const)
      expect(paramsOf(meet(...both))?.get('algorithm')).toBe('SHA-256');
  });

  it('of a proxy, with the count of the nonce in eight hex digits', () => {
    const credentials = meet({ ...challenge('', ', qop="auth"', REALM, 'Proxy-Authenticate'), count: 26 });
    expect(credentials?.[0]).toBe('Proxy-Authorization');
    const params = paramsOf(credentials) ?? new Map();
    expect(params.get('nc')).toBe('0000001a');
    const read = readCredentials(params);
    if (read.kind !== 'credentials') throw new Error(read.kind);
    expect(verifyResponse(read.credentials, 'GET', ACCOUNT.ha1.md5)).toBe(true);
    expect(verifyResponse(read.credentials, 'PUT', ACCOUNT.ha1.md5)).toBe(false);
  });

  it('without qop, as RFC 2069 had it: no nc, no cnonce', () => {
    const params = paramsOf(meet(challenge('', '')));
    expect(params?.has('nc')).toBe(false);
    expect(params?.has('cnonce')).toBe(false);
    expect(params?.get('response')).toBe('7b2cc3b30e75b4777ea31027084363fd');
  });
});

it.each([
  ['another realm', challenge('', ', qop="auth"', 'other.example')],
  ['an unknown algorithm', challenge(', algorithm=SHA-512-256')],
  ['only auth-int', challenge('', ', qop="auth-int"')],
  ['another scheme', { field: 'WWW-Authenticate', count: 1, value: 'Bearer realm="x"' }],
  ['no nonce', { field: 'WWW-Authenticate', count: 1, value: `Digest realm="${REALM}"` }],
])('a challenge of %s is not met', (_, given) => {
  expect(meet(given)).toBeUndefined();
});
