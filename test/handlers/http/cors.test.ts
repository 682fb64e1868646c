import { describe, expect, test } from 'vitest';
import { preflightAnswer, readableBy } from '../../../lambdas/handlers/http/cors.ts';

const CONSOLE = 'http://127.0.0.1:8080';
const preflight = { method: 'OPTIONS', headers: { origin: CONSOLE, 'access-control-request-method': 'PUT' } };
const answer = { statusCode: 200, headers: { etag: '"1"' }, body: '{}' };

describe('CORS', () => {
  test('a page of an allowed origin may send its key and conditions, and read entity-tags', () => {
    expect(preflightAnswer(preflight, [CONSOLE])).toMatchObject({
      statusCode: 204,
      headers: {
        'access-control-allow-origin': CONSOLE,
        'access-control-allow-methods': 'GET,PUT,POST,DELETE',
        'access-control-allow-headers': 'authorization,content-type,if-match,if-none-match',
      },
    });
    expect(readableBy({ method: 'GET', headers: { origin: CONSOLE } }, [CONSOLE], answer)).toMatchObject({
      ...{ statusCode: 200, body: '{}' },
      headers: {
        ...{ etag: '"1"', vary: 'origin', 'access-control-allow-origin': CONSOLE },
        'access-control-expose-headers': expect.stringContaining('etag'),
      },
    });
  });

  test('another origin is told nothing, and cookies are never allowed', () => {
    const other = 'http://127.0.0.1:8081';
    expect(preflightAnswer(preflight, [other])?.headers).toEqual({});
    for (const headers of [{ origin: other }, {}])
      expect(readableBy({ method: 'GET', headers }, [CONSOLE], answer).headers).toEqual(answer.headers);
    expect(readableBy(undefined, [CONSOLE], answer).headers).toEqual(answer.headers);
    expect(Object.keys(preflightAnswer(preflight, [CONSOLE])?.headers ?? {})).not.toContain(
      'access-control-allow-credentials',
    );
  });

  test('a preflight is an OPTIONS with origin and method; any other OPTIONS is a request like others', () => {
    expect(preflightAnswer({ method: 'OPTIONS', headers: { origin: CONSOLE } }, [CONSOLE])).toBeUndefined();
    expect(preflightAnswer({ ...preflight, method: 'GET' }, [CONSOLE])).toBeUndefined();
  });
});
