import { describe, expect, it } from 'vitest';
import { ContractError, DependencyUnavailable } from '#core/error.ts';
import type { Invoke } from '#gateway/backend.ts';
import { FunctionReach } from '#gateway/function-reach.ts';

const T0 = 1_700_000_000_000;

describe('reach of the functions', () => {
  it('begins with an answer, also of a function that failed, and ends two minutes after the last one', async () => {
    let nowMs = T0;
    let answer: () => Promise<unknown> = () => Promise.reject(new DependencyUnavailable('no way there'));
    const reach = new FunctionReach(() => nowMs);
    const invoke: Invoke = reach.listen(() => answer());
    await expect(invoke('lease', {}, 1_000)).rejects.toThrow('no way there');
    expect(reach.isReachable).toBe(false);

    answer = () => Promise.reject(new ContractError('the table is away'));
    await expect(invoke('lease', {}, 1_000)).rejects.toThrow('the table is away');
    expect(reach.isReachable).toBe(true);

    nowMs += 119_999;
    expect(reach.isReachable).toBe(true);
    nowMs += 1;
    expect(reach.isReachable).toBe(false);

    answer = () => Promise.resolve('done');
    expect(await invoke('lease', {}, 1_000)).toBe('done');
    expect(reach.isReachable).toBe(true);
  });
});
