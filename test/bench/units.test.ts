import { beforeAll, describe, expect, it } from 'vitest';
import { ITEM_BYTES, OPERATIONS } from '#cdk/cost/measured.ts';
import { startTable } from '#test/support/dynamodb.ts';
import { measureUnits, type Units } from './units.ts';

let measured: Units;

beforeAll(async () => {
  const { endpoint, stop } = await startTable();
  measured = await measureUnits(endpoint);
  await stop();
}, 180_000);

describe('what the cost model takes for granted (npm run bench -- units --write measures it anew)', () => {
  it('knows the operations that are measured', () => {
    expect(Object.keys(OPERATIONS).sort()).toEqual(Object.keys(measured.operations).sort());
  });

  it.each(Object.keys(OPERATIONS) as (keyof typeof OPERATIONS)[])('%s consumes that still', (name) => {
    expect(measured.operations[name]).toEqual(OPERATIONS[name]);
  });

  it('items have about the size that they had', () => {
    for (const [kind, bytes] of Object.entries(ITEM_BYTES)) {
      const now = measured.itemBytes[kind] ?? 0;
      expect({ kind, isNear: Math.abs(now - bytes) <= bytes * 0.2 + 20 }).toEqual({ kind, isNear: true });
    }
  });
});
