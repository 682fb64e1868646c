import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairQueue, type Sender } from '#gateway/tenants/fair-queue.ts';

const tenant = (name: string): Sender => ({ kind: 'tenant', name });
const stranger = (name: string): Sender => ({ kind: 'stranger', name });

/** Fills a queue with as many as it takes. */
function fill(queue: FairQueue<string>, sender: Sender, wanted: number): number {
  let taken = 0;
  for (let i = 0; i < wanted; i++) if (queue.push(sender, `${sender.name}${i}`)) taken++;
  return taken;
}

describe('places', () => {
  it('a storm of one tenant fills half of the queue; the others still find room', () => {
    const queue = new FairQueue<string>(1_000);
    expect(fill(queue, tenant('a'), 5_000)).toBe(500);
    expect(fill(queue, tenant('b'), 100)).toBe(100);
    expect(queue.size).toBe(600);
  });

  it('n storms leave a part of 1 / (n + 1) to all others', () => {
    const queue = new FairQueue<string>(1_000);
    for (let round = 0; round < 1_000; round++) for (const name of ['a', 'b', 'c', 'd']) queue.push(tenant(name), name);
    expect(queue.size).toBe(800);
    expect(fill(queue, tenant('late'), 10)).toBe(10);
  });

  it('strangers together fill half of the queue at most, however many they are', () => {
    const queue = new FairQueue<string>(1_000);
    for (let round = 0; round < 100; round++) for (let i = 0; i < 256; i++) queue.push(stranger(`#${i}`), 'x');
    expect(queue.size).toBe(500);
    expect(fill(queue, tenant('a'), 100)).toBe(100);
  });

  it('room comes back when requests leave', () => {
    const queue = new FairQueue<string>(10);
    expect(fill(queue, tenant('a'), 10)).toBe(5);
    queue.take(3);
    expect(fill(queue, tenant('a'), 10)).toBe(3);
  });
});

describe('turns', () => {
  it('one of each tenant in turn, in the order of each', () => {
    const queue = new FairQueue<string>(100);
    fill(queue, tenant('a'), 5);
    fill(queue, tenant('b'), 2);
    expect(queue.take(5)).toEqual(['a0', 'b0', 'a1', 'b1', 'a2']);
    expect(queue.take(5)).toEqual(['a3', 'a4']);
    expect(queue.size).toBe(0);
  });

  it('three of tenants for one of strangers, while both wait', () => {
    const queue = new FairQueue<string>(100);
    fill(queue, tenant('a'), 6);
    fill(queue, stranger('#'), 6);
    expect(queue.take(8)).toEqual(['a0', 'a1', 'a2', '#0', 'a3', 'a4', 'a5', '#1']);
    expect(queue.take(8)).toEqual(['#2', '#3', '#4', '#5']);
  });

  it('who may not be served now keeps its place', () => {
    const queue = new FairQueue<string>(100);
    fill(queue, tenant('a'), 2);
    fill(queue, tenant('b'), 2);
    expect(queue.take(5, ({ name }) => name !== 'a')).toEqual(['b0', 'b1']);
    expect(queue.take(5)).toEqual(['a0', 'a1']);
  });

  it('drops who is late, wherever it stands', () => {
    const queue = new FairQueue<number>(100);
    for (const item of [1, 5, 2]) queue.push(tenant('a'), item);
    for (const item of [3, 9]) queue.push(stranger('#'), item);
    expect(queue.drop((item) => item < 4)).toEqual([1, 2, 3]);
    expect(queue.size).toBe(2);
    expect(queue.take(5)).toEqual([5, 9]);
    queue.push(tenant('a'), 1);
    expect([queue.drop(() => true), queue.size, queue.take(5)]).toEqual([[1], 0, []]);
  });
});

interface Numbered {
  readonly sender: string;
  readonly number: number;
}

/** What happens to a queue: requests of a sender come, or some are served. */
const steps = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('push' as const),
      sender: fc.integer({ min: 0, max: 7 }),
      count: fc.integer({ min: 1, max: 30 }),
    }),
    fc.record({ kind: fc.constant('take' as const), count: fc.integer({ min: 1, max: 12 }) }),
  ),
  { maxLength: 60 },
);

it('nobody starves, the order of each sender is kept, and nothing is lost or made', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const queue = new FairQueue<Numbered>(200);
      const pushed = new Map<string, number[]>();
      const served = new Map<string, number[]>();
      /** Served since a sender that waits was served last. */
      const passedOver = new Map<string, number>();
      let number = 0;
      const serve = (most: number): void => {
        for (const { sender, number: which } of queue.take(most)) {
          served.set(sender, [...(served.get(sender) ?? []), which]);
          for (const [other, numbers] of pushed)
            if ((served.get(other)?.length ?? 0) < numbers.length && other !== sender)
              passedOver.set(other, (passedOver.get(other) ?? 0) + 1);
          passedOver.set(sender, 0);
          // With 4 tenants and 4 strangers: a tenant waits for 3 other tenants and one stranger for each three of them,
          // a stranger for 3 other strangers and three tenants before each.
          for (const [other, count] of passedOver) expect(count).toBeLessThanOrEqual(other.startsWith('t') ? 5 : 16);
        }
      };
      for (const step of all) {
        if (step.kind === 'take') {
          serve(step.count);
          continue;
        }
        const sender: Sender = step.sender < 4 ? tenant(`t${step.sender}`) : stranger(`s${step.sender}`);
        for (let i = 0; i < step.count; i++) {
          number++;
          if (queue.push(sender, { sender: sender.name, number }))
            pushed.set(sender.name, [...(pushed.get(sender.name) ?? []), number]);
        }
      }
      serve(1_000);
      expect(queue.size).toBe(0);
      expect(served).toEqual(pushed);
    }),
    { numRuns: 150 },
  );
});
