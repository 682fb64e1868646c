import { describe, expect, test } from 'vitest';
import { refusalOf, unreachable } from '#gateway/panel/admin/refusal.ts';

describe('refusals say what is wrong and what to do (RFC 9457)', () => {
  test('the detail is the title, and members are named by their path', () => {
    const body = {
      ...{ type: 'about:blank', title: 'Bad Request', status: 400, detail: 'The body is not as it should be.' },
      errors: [
        { pointer: '#/policy/calls/a~1b', detail: 'is not known here' },
        { pointer: '#', detail: 'is missing' },
      ],
    };
    const refusal = refusalOf(400, body, null);
    expect(refusal.message).toBe('The body is not as it should be.');
    expect(refusal.advice).toMatch(/Correct/);
    expect(refusal.errors).toEqual([
      { member: 'policy.calls.a/b', detail: 'is not known here' },
      { member: '', detail: 'is missing' },
    ]);
  });

  test.each([
    [401, /Sign in with another/],
    [403, /permission/],
    [404, /go back/],
    [412, /Somebody changed it/],
    [500, /Try again/],
    [503, /Try again/],
  ])('%i comes with advice', (status, advice) => {
    expect(refusalOf(status, { detail: 'x' }, null).advice).toMatch(advice);
  });

  test('429 says how long to wait, and an endless time is not believed', () => {
    expect(refusalOf(429, {}, '7').advice).toContain('in 7 s');
    expect(refusalOf(429, {}, 'tomorrow').advice).toContain('in a few s');
  });

  test('what a proxy wrote is shown, cut; of nothing the status is said', () => {
    expect(refusalOf(502, `<html>${'x'.repeat(999)}`, null).message).toHaveLength(200);
    expect(refusalOf(502, undefined, null).message).toBe('The HTTP API answered 502.');
  });

  test('a request is named when it is our defect, and only then', () => {
    const body = { detail: 'x', instance: 'urn:lampfield:request:7' };
    expect(refusalOf(500, body, null).instance).toBe('urn:lampfield:request:7');
    expect(refusalOf(404, body, null).instance).toBeUndefined();
  });

  test('no answer: where it was looked for, and why it may be', () => {
    expect(unreachable('api.example')).toMatchObject({ status: 0, message: expect.stringContaining('api.example') });
    expect(unreachable('api.example').advice).toContain('CORS');
  });
});
