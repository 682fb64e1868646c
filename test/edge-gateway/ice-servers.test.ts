import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { readConfig } from '#gateway/config.ts';
import { iceServersFor } from '#gateway/ice-servers.ts';

const T0 = 1_700_000_000_000;
const NEEDED = {
  FUNCTIONS: '{"methods":{},"flowClosed":"f","lease":"l"}',
  INSTRUCTION_SECRET: 'a-secret-of-the-tests',
};
const read = (value: unknown) => readConfig({ ...NEEDED, ICE_SERVERS: JSON.stringify(value) }).ICE_SERVERS;

describe('ICE_SERVERS', () => {
  test('there are none by default', () => {
    expect(readConfig(NEEDED).ICE_SERVERS).toEqual([]);
  });

  test.each([
    ['STUN', { urls: 'stun:stun.example:3478' }],
    ['several URIs', { urls: ['turn:turn.example', 'turns:turn.example'], username: 'u', credential: 'c' }],
    ['a secret', { urls: 'turn:turn.example?transport=udp', secret: 's' }],
  ])('%s is taken as it is', (_name, server) => {
    expect(read([server])).toEqual([server]);
  });

  test.each([
    ['not JSON at all', 'stun:stun.example'],
    ['a page', [{ urls: 'https://turn.example' }]],
    ['TURN without credentials, which a browser would throw at', [{ urls: 'turn:turn.example' }]],
    ['TURN with half of them', [{ urls: 'turn:turn.example', username: 'u' }]],
    ['a secret beside a credential', [{ urls: 'turn:turn.example', secret: 's', credential: 'c' }]],
    ['a misspelt name', [{ urls: 'stun:stun.example', user: 'u' }]],
  ])('%s is refused', (_name, value) => {
    expect(() => read(value)).toThrow(/ICE_SERVERS/);
  });

  test('what is wrong is told without the credential', () => {
    for (const credential of ['hush', 4711, { hush: 4711 }])
      expect(() => read([{ urls: 'turn:turn.example', secret: 'hush', credential }])).toThrow(
        /^(?![\s\S]*(hush|4711))/,
      );
  });
});

test('a visitor gets a credential that ends, never the secret (TURN REST API)', () => {
  const [server] = iceServersFor([{ urls: 'turn:turn.example', secret: 'hush' }], T0);
  expect(server).toEqual({
    urls: 'turn:turn.example',
    username: `${T0 / 1_000 + 3_600}:lampfield`,
    credential: createHmac('sha1', 'hush')
      .update(`${T0 / 1_000 + 3_600}:lampfield`)
      .digest('base64'),
  });
});
