import { describe, expect, test } from 'vitest';
import { corsHeaders, isPreflight } from '#cdk/local/cors.ts';

const CONSOLE = 'http://127.0.0.1:8080';

describe('CORS in front of the local HTTP API', () => {
  test('a page of an allowed origin may send its key and conditions, and read entity-tags', () => {
    expect(corsHeaders(CONSOLE, [CONSOLE], 'preflight')).toMatchObject({
      'access-control-allow-origin': CONSOLE,
      'access-control-allow-methods': 'GET,PUT,POST,DELETE',
      'access-control-allow-headers': 'authorization,content-type,if-match,if-none-match',
    });
    expect(corsHeaders(CONSOLE, [CONSOLE], 'answer')).toMatchObject({
      'access-control-allow-origin': CONSOLE,
      'access-control-expose-headers': expect.stringContaining('etag'),
    });
  });

  test('another origin is told nothing, and cookies are never allowed', () => {
    for (const kind of ['preflight', 'answer'] as const) {
      expect(corsHeaders('http://127.0.0.1:8081', [CONSOLE], kind)).toEqual({});
      expect(corsHeaders(undefined, [CONSOLE], kind)).toEqual({});
      expect(Object.keys(corsHeaders(CONSOLE, [CONSOLE], kind))).not.toContain('access-control-allow-credentials');
    }
  });

  test('a preflight is an OPTIONS with origin and method; any other OPTIONS goes to the function', () => {
    expect(isPreflight('OPTIONS', { origin: CONSOLE, 'access-control-request-method': 'PUT' })).toBe(true);
    expect(isPreflight('OPTIONS', { origin: CONSOLE })).toBe(false);
    expect(isPreflight('GET', { origin: CONSOLE, 'access-control-request-method': 'PUT' })).toBe(false);
  });
});
