import { describe, expect, it } from 'vitest';
import { createCache } from '#runtime/cache.ts';

function counting(options: { keepMs: number; maxEntries: number }) {
  const loads: string[] = [];
  const clock = { nowMs: 0 };
  const load = async (key: string): Promise<string | undefined> => {
    loads.push(key);
    return key === 'nobody' ? undefined : `${key} ${loads.length}`;
  };
  return { loads, clock, get: createCache(load, { ...options, now: () => clock.nowMs }) };
}

describe('cache', () => {
  it('loads a value once while it is fresh, also for callers at the same time', async () => {
    const { get, clock, loads } = counting({ keepMs: 10, maxEntries: 5 });
    expect(await Promise.all([get('a'), get('a')])).toEqual(['a 1', 'a 1']);
    clock.nowMs = 9;
    expect(await get('a')).toBe('a 1');
    clock.nowMs = 10;
    expect(await get('a')).toBe('a 2');
    expect(loads).toEqual(['a', 'a']);
  });

  it('keeps that there is nothing', async () => {
    const { get, loads } = counting({ keepMs: 10, maxEntries: 5 });
    expect([await get('nobody'), await get('nobody'), loads.length]).toEqual([undefined, undefined, 1]);
  });

  it('drops the oldest when it is full', async () => {
    const { get, loads } = counting({ keepMs: 10, maxEntries: 2 });
    for (const key of ['a', 'b', 'c', 'b', 'c', 'a']) await get(key);
    expect(loads).toEqual(['a', 'b', 'c', 'a']);
  });

  it('does not keep a failure', async () => {
    let calls = 0;
    const get = createCache(
      async () => {
        calls += 1;
        if (calls === 1) throw new Error('down');
        return calls;
      },
      { keepMs: 10, maxEntries: 2 },
    );
    await expect(get('a')).rejects.toThrow('down');
    expect(await get('a')).toBe(2);
  });
});
