import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DependencyUnavailable } from '#core/error.ts';
import { createKeySetLoader, fetchKeySet } from '#runtime/key-set-client.ts';
import { isPublicAddress } from '#runtime/network-address.ts';
import { makeKey, startIssuer, type TestIssuer } from '#test/support/issuer.ts';

let issuer: TestIssuer;
beforeEach(async () => {
  issuer = await startIssuer(await makeKey('one'));
});
afterEach(() => issuer.stop());

describe('a key set', () => {
  it('is fetched once for ten minutes', async () => {
    let nowMs = 1_000_000;
    const load = createKeySetLoader({ allowsLoopback: true, now: () => nowMs });
    const [first, second] = await Promise.all([load(issuer.jwksUri, 'known'), load(issuer.jwksUri, 'known')]);
    expect(first.keys[0]?.kid).toBe('one');
    nowMs += 599_999;
    expect([second, await load(issuer.jwksUri, 'known')]).toEqual([first, first]);
    expect(issuer.asked).toBe(1);
    nowMs += 1;
    await load(issuer.jwksUri, 'known');
    expect(issuer.asked).toBe(2);
  });

  it('is renewed for an unknown key at once, five times a minute at most, however many tokens name one', async () => {
    let nowMs = 1_000_000;
    const load = createKeySetLoader({ allowsLoopback: true, now: () => nowMs });
    await load(issuer.jwksUri, 'known');
    issuer.keys = [...issuer.keys, await makeKey('two')];
    const renewed = await Promise.all(Array.from({ length: 20 }, () => load(issuer.jwksUri, 'renewal')));
    expect(renewed[0]?.keys.map(({ kid }) => kid)).toEqual(['one', 'two']);
    expect(issuer.asked).toBe(2);
    for (let n = 0; n < 20; n++) await load(issuer.jwksUri, 'renewal');
    expect(issuer.asked).toBe(6);
    nowMs += 60_000;
    await load(issuer.jwksUri, 'renewal');
    expect(issuer.asked).toBe(7);
  });

  it('outlives its issuer for a day; without one it is an outage, asked again after five seconds', async () => {
    let nowMs = 1_000_000;
    const load = createKeySetLoader({ allowsLoopback: true, now: () => nowMs });
    const known = await load(issuer.jwksUri, 'known');
    issuer.answer = (_request, response) => response.writeHead(500).end();
    nowMs += 3_600_000;
    expect(await load(issuer.jwksUri, 'known')).toBe(known);
    expect(issuer.asked).toBe(2);
    expect(await load(issuer.jwksUri, 'known')).toBe(known);
    expect(issuer.asked).toBe(2);

    const other = `${issuer.jwksUri}?other`;
    await expect(load(other, 'known')).rejects.toThrow(DependencyUnavailable);
    await expect(load(other, 'known')).rejects.toThrow(DependencyUnavailable);
    expect(issuer.asked).toBe(3);
    issuer.answer = undefined;
    nowMs += 5_000;
    expect((await load(other, 'known')).keys).toHaveLength(1);
  });
});

describe('fetching', () => {
  it.each<[string, TestIssuer['answer']]>([
    ['another status', (_, response) => response.writeHead(404).end('{"keys":[]}')],
    ['a redirect', (_, response) => response.writeHead(302, { location: '/jwks2' }).end()],
    ['too much', (_, response) => response.end(JSON.stringify({ keys: [], more: 'x'.repeat(200_000) }))],
    ['no JSON', (_, response) => response.end('<html>')],
    ['no key set', (_, response) => response.end('{"keys":{}}')],
    ['an answer that never ends', (_, response) => response.write('{')],
  ])('%s is a failure', async (_what, answer) => {
    issuer.answer = answer;
    await expect(fetchKeySet(issuer.jwksUri, true)).rejects.toThrow();
    expect(issuer.asked).toBe(1);
  });

  it('never asks an address of our own network, by number or by name', async () => {
    const { port } = new URL(issuer.jwksUri);
    const uris = [
      issuer.jwksUri,
      `https://localhost:${port}/jwks`,
      `https://[::1]:${port}/`,
      'https://169.254.169.254/',
    ];
    for (const uri of uris) await expect(fetchKeySet(uri, false)).rejects.toThrow(/public/);
    await expect(fetchKeySet(`http://localhost:${port}/jwks`, false)).rejects.toThrow('Not https');
    expect(issuer.asked).toBe(0);
    expect((await fetchKeySet(`http://localhost:${port}/jwks`, true)).keys).toHaveLength(1);
  });
});

it.each([
  ...['8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8'].map((address) => [address, true] as const),
  ...[
    '10.1.2.3',
    '172.31.0.1',
    '192.168.1.1',
    '127.0.0.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
  ].map((address) => [address, false] as const),
  ...[
    '::1',
    '::',
    'fd00::1',
    'fe80::1',
    '::ffff:10.0.0.1',
    '64:ff9b::a00:1',
    '2002:a00:1::',
    'ff02::1',
    'a.example',
  ].map((address) => [address, false] as const),
])('%s is an address of the public Internet: %s', (address, isPublic) => {
  expect(isPublicAddress(address)).toBe(isPublic);
});
