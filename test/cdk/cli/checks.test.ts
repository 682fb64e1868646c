import { describe, expect, it } from 'vitest';
import { type Check, runChecks } from '#cdk/cli/doctor/checks.ts';

const good = (name: string, ...needs: string[]): Check => ({
  ...{ name, needs, advice: `mend ${name}` },
  run: () => Promise.resolve({ detail: `${name} is well`, ms: 5 }),
});

describe('checks of the doctor', () => {
  it('leaves out what a failed one makes useless, and says what to do about it', async () => {
    const told: string[] = [];
    const bad: Check = { ...good('b', 'a'), run: () => Promise.reject(new Error('it is broken')) };
    const results = await runChecks([good('a'), bad, good('c', 'b'), good('d', 'c'), good('e', 'a')], ({ check }) =>
      told.push(check),
    );
    expect(results).toEqual([
      { check: 'a', outcome: 'ok', ms: 5, detail: 'a is well' },
      { check: 'b', outcome: 'failed', ms: expect.any(Number), detail: 'it is broken', advice: 'mend b' },
      { check: 'c', outcome: 'skipped', detail: 'not possible without b' },
      { check: 'd', outcome: 'skipped', detail: 'not possible without c' },
      { check: 'e', outcome: 'ok', ms: 5, detail: 'e is well' },
    ]);
    expect(told).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('warns, and goes on', async () => {
    const warns: Check = { ...good('a'), run: () => Promise.resolve({ detail: '3 days left', warning: 'Renew it.' }) };
    const [first, second] = await runChecks([warns, good('b', 'a')], () => undefined);
    expect(first).toMatchObject({ outcome: 'warning', detail: '3 days left', advice: 'Renew it.' });
    expect(second).toMatchObject({ outcome: 'ok' });
  });

  it('waits for nothing for ever', async () => {
    const silent: Check = { ...good('a'), run: () => new Promise(() => undefined) };
    const [result] = await runChecks([silent], () => undefined, 30);
    expect(result).toMatchObject({ outcome: 'failed', detail: 'nothing came within 0.03 s' });
  });
});
