import { describe, expect, it } from 'vitest';
import {
  challengeHeaders,
  type DigestAlgorithm,
  type DigestCredentials,
  expectedResponse,
  ha1Of,
  readCredentials,
  verifyResponse,
} from '#core/digest.ts';

const RFC_7616: Omit<DigestCredentials, 'algorithm' | 'response'> = {
  username: 'Mufasa',
  realm: 'http-auth@example.org',
  uri: '/dir/index.html',
  nonce: '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v',
  nc: '00000001',
  cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
  qop: 'auth',
};
const MD5_RESPONSE = '8ca523f5e9506fed4657c9700eebdbec';
const SHA_256_RESPONSE = '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1';

function credentials(algorithm: DigestAlgorithm, response: string): DigestCredentials {
  return { ...RFC_7616, algorithm, response };
}

describe('digest response', () => {
  it.each([
    ['MD5', MD5_RESPONSE],
    ['SHA-256', SHA_256_RESPONSE],
  ] as const)('is that of RFC 7616 section 3.9.1 with %s', (algorithm, response) => {
    const ha1 = ha1Of(algorithm, 'Mufasa', 'http-auth@example.org', 'Circle of Life');
    expect(expectedResponse(credentials(algorithm, ''), 'GET', ha1)).toBe(response);
    expect(verifyResponse(credentials(algorithm, response), 'GET', ha1)).toBe(true);
  });

  it('is that of RFC 2617 section 3.5', () => {
    const old: DigestCredentials = {
      ...RFC_7616,
      algorithm: 'MD5',
      realm: 'testrealm@host.com',
      nonce: 'dcd98b7102dd2f0e8b11d0f600bfb0c093',
      cnonce: '0a4f113b',
      response: '6629fae49393a05397450978507c4ef1',
    };
    const ha1 = ha1Of('MD5', 'Mufasa', 'testrealm@host.com', 'Circle Of Life');
    expect(verifyResponse(old, 'GET', ha1)).toBe(true);
  });

  const ha1 = ha1Of('MD5', 'Mufasa', 'http-auth@example.org', 'Circle of Life');
  it.each([
    ['another method', credentials('MD5', MD5_RESPONSE), 'PUT', ha1],
    ['a wrong password', credentials('MD5', MD5_RESPONSE), 'GET', ha1Of('MD5', 'Mufasa', 'http-auth@example.org', 'x')],
    ['an unknown user', credentials('MD5', MD5_RESPONSE), 'GET', undefined],
    ['a response that goes on', credentials('MD5', `${MD5_RESPONSE}00`), 'GET', ha1],
    ['a response that stops short', credentials('MD5', MD5_RESPONSE.slice(0, 31)), 'GET', ha1],
    ['a response outside ASCII', credentials('MD5', 'ł'.repeat(32)), 'GET', ha1],
  ])('does not verify with %s', (_what, given, method, stored) => {
    expect(verifyResponse(given, method, stored)).toBe(false);
  });

  it('does not verify for an unknown user whose HA1 is guessed to be the filler', () => {
    const guessed = expectedResponse(credentials('MD5', ''), 'GET', '0'.repeat(32));
    expect(verifyResponse(credentials('MD5', guessed), 'GET', undefined)).toBe(false);
  });
});

describe('readCredentials', () => {
  const complete = new Map(
    Object.entries({ ...RFC_7616, response: SHA_256_RESPONSE, algorithm: 'sha-256', qop: 'auth' }),
  );
  const changed = (name: string, value: string | undefined) => {
    const params = new Map(complete);
    if (value === undefined) params.delete(name);
    else params.set(name, value);
    return readCredentials(params);
  };

  it('reads all parameters, the algorithm in any case', () => {
    expect(readCredentials(complete)).toEqual({
      kind: 'credentials',
      credentials: credentials('SHA-256', SHA_256_RESPONSE),
    });
  });

  it('takes MD5 when no algorithm is named (RFC 7616 section 3.3)', () => {
    expect(changed('algorithm', undefined)).toMatchObject({ kind: 'credentials', credentials: { algorithm: 'MD5' } });
  });

  it.each(['username', 'realm', 'nonce', 'uri', 'response', 'cnonce'])('calls it malformed without %s', (name) => {
    expect(changed(name, undefined)).toEqual({ kind: 'malformed', reason: `Missing Digest ${name}` });
  });

  it.each(['', '1', '000000001', '0000000g'])('calls it malformed with nc "%s"', (nc) => {
    expect(changed('nc', nc)).toEqual({ kind: 'malformed', reason: 'Bad Digest nc' });
  });

  it.each([
    ['algorithm', 'SHA-512-256'],
    ['algorithm', 'MD5-sess'],
    ['qop', 'auth-int'],
    ['qop', undefined],
  ])('calls %s=%s unsupported, as we did not offer it', (name, value) => {
    expect(changed(name, value)).toEqual({ kind: 'unsupported' });
  });
});

describe('challengeHeaders', () => {
  it('offers SHA-256 before MD5 with one nonce (RFC 8760)', () => {
    expect(challengeHeaders('demo.example', 'n1', false)).toEqual([
      ['WWW-Authenticate', 'Digest realm="demo.example", nonce="n1", algorithm=SHA-256, qop="auth"'],
      ['WWW-Authenticate', 'Digest realm="demo.example", nonce="n1", algorithm=MD5, qop="auth"'],
    ]);
  });

  it('says stale=true only when told so', () => {
    expect(challengeHeaders('demo.example', 'n1', true)[0]?.[1]).toContain(', stale=true');
  });
});
