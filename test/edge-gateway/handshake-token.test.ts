import { describe, expect, it } from 'vitest';
import { tokenOf } from '#gateway/handshake-token.ts';

describe('the token of a handshake', () => {
  it.each([
    ['none', {}, '/', undefined],
    ['in Authorization', { authorization: 'Bearer a.b.c' }, '/', { token: 'a.b.c' }],
    ['as a subprotocol', { 'sec-websocket-protocol': 'sip, lampfield.token.a.b.c' }, '/', { token: 'a.b.c' }],
    ['in the query', {}, '/?access_token=a.b.c', { token: 'a.b.c' }],
    ['with a domain', {}, '/?domain=demo.example&access_token=a.b.c', { token: 'a.b.c', domain: 'demo.example' }],
    ['of another scheme, which is no token', { authorization: 'Basic eDp5' }, '/', { token: '' }],
    ['empty', {}, '/?access_token=', { token: '' }],
    ['only a domain', {}, '/?domain=demo.example', undefined],
  ])('%s', (_what, headers, url, expected) => {
    expect(tokenOf({ headers, url })).toEqual(expected);
  });
});
