import { expect, it } from 'vitest';
import { generationPrefix, isSuperseded } from '#core/gateway-generation.ts';

const idOf = (revision: number, region: string) => `${generationPrefix(revision, region)}ip-10-20-1-7-0a1b2c`;
const own = idOf(9, 'eu-central-1');

it('a gateway is superseded by a newer generation of its own region', () => {
  expect(isSuperseded(own, [own, idOf(10, 'eu-central-1')])).toBe(true);
});

it('is not by one as old, an older one, or one of another region, where others are counted', () => {
  expect(isSuperseded(own, [own, idOf(9, 'eu-central-1'), idOf(8, 'eu-central-1')])).toBe(false);
  expect(isSuperseded(own, [idOf(99, 'us-east-1'), 'laptop-0a1b2c'])).toBe(false);
});

it('is not when it does not know its own', () => {
  expect(isSuperseded('laptop-0a1b2c', [idOf(10, 'eu-central-1')])).toBe(false);
});
