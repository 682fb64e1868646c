import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gatewayIdOf } from '#contract/ids.ts';
import { FlowTokens, readRoutes, recordRouteOf, TOKEN_IV_BYTES } from '#gateway/calls/flow-token.ts';

const TOKEN = { gatewayId: gatewayIdOf('host-0123456789ab'), address: 'http://10.0.0.7:9090', callKey: 'key-1' };
const iv = Buffer.alloc(TOKEN_IV_BYTES, 7);
const tokens = new FlowTokens(() => ['the-secret-of-today']);

test('what is sealed is read again, from a Route as a client sends it', () => {
  const sealed = tokens.seal(TOKEN, iv);
  const route = recordRouteOf(sealed, '0123456789ab.invalid');
  const { token, rest } = readRoutes([`${route}, <sip:next.example;lr>`, '<sip:last.example;lr>']);
  expect(tokens.open(token ?? '')).toEqual(TOKEN);
  expect(rest).toEqual(['<sip:next.example;lr>', '<sip:last.example;lr>']);
  expect(sealed).not.toContain('10.0.0.7');
  expect(Buffer.from(sealed.slice(4), 'base64url').toString('latin1')).not.toContain('key-1');
});

test('a token of the secret before the last rotation is read, one of another secret is not', () => {
  const sealed = tokens.seal(TOKEN, iv);
  expect(new FlowTokens(() => ['the-secret-of-tomorrow', 'the-secret-of-today']).open(sealed)).toEqual(TOKEN);
  expect(new FlowTokens(() => ['another-secret-altogether']).open(sealed)).toBeUndefined();
});

test('a changed or invented token is not read', () => {
  const sealed = tokens.seal(TOKEN, iv);
  const bytes = Buffer.from(sealed.slice(4), 'base64url');
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, bits) => {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ bits;
      expect(tokens.open(`lf1-${changed.toString('base64url')}`)).toBeUndefined();
    }),
  );
  fc.assert(fc.property(fc.string(), (text) => tokens.open(`lf1-${text}`) === undefined));
  expect(tokens.open(sealed.slice(0, 40))).toBeUndefined();
});

test('a Route of somebody else is left alone', () => {
  expect(readRoutes(['<sip:proxy.example;lr>'])).toEqual({ token: undefined, rest: ['<sip:proxy.example;lr>'] });
  expect(readRoutes([])).toEqual({ token: undefined, rest: [] });
});
