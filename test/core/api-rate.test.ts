import { expect, it } from 'vitest';
import { ApiRates } from '#core/api-rate.ts';
import { Problem } from '#core/problem.ts';

const T0 = 1_700_000_000_000;

function refusalOf(take: () => unknown): Problem {
  try {
    take();
  } catch (error) {
    if (error instanceof Problem) return error;
  }
  throw new Error('it was not refused');
}

it('tells what is left, and refuses with 429, Retry-After and the same fields', () => {
  const rates = new ApiRates('tenant');
  expect(rates.take('a.example', 2, T0)).toEqual({
    'ratelimit-policy': '"tenant";q=10;w=5',
    ratelimit: '"tenant";r=9;t=1',
  });
  for (let i = 0; i < 8; i++) rates.take('a.example', 2, T0);
  expect(rates.take('a.example', 2, T0).ratelimit).toBe('"tenant";r=0;t=5');
  const refused = refusalOf(() => rates.take('a.example', 2, T0));
  expect(refused.status).toBe(429);
  expect(refused.headers).toMatchObject({ 'retry-after': '1', ratelimit: '"tenant";r=0;t=5' });
  expect(rates.take('b.example', 2, T0).ratelimit).toBe('"tenant";r=9;t=1');
  expect(rates.take('a.example', 2, T0 + 1_000).ratelimit).toBe('"tenant";r=1;t=5');
});

it('a tenant that may not ask at all is told to come in a minute', () => {
  expect(refusalOf(() => new ApiRates('tenant').take('a.example', 0, T0)).headers['retry-after']).toBe('60');
});

it('takes many at once; what is more than can ever be saved takes everything', () => {
  const rates = new ApiRates('changes');
  expect(rates.take('a.example', 100, T0, 400).ratelimit).toBe('"changes";r=100;t=4');
  expect(refusalOf(() => rates.take('a.example', 100, T0, 300)).headers).toMatchObject({ 'retry-after': '2' });
  expect(rates.take('a.example', 100, T0 + 2_000, 300).ratelimit).toBe('"changes";r=0;t=5');
  expect(refusalOf(() => rates.take('a.example', 100, T0 + 6_000, 2_000)).headers).toMatchObject({
    'retry-after': '1',
  });
  expect(rates.take('a.example', 100, T0 + 7_000, 2_000).ratelimit).toBe('"changes";r=0;t=5');
});
