/** Numbers and times as they are written on a command line. Pure. */
import { InvalidArgumentError } from 'commander';

const SECONDS = { s: 1, m: 60, min: 60, h: 3_600, d: 86_400 } as const;

/** `90`, `90s`, `15m`, `8h`, `30d`: seconds. @throws {InvalidArgumentError} */
export function seconds(text: string): number {
  const [, count = '', unit = 's'] = /^(\d{1,9})\s*(s|m|min|h|d)?$/.exec(text) ?? [];
  if (count === '' || Number(count) === 0) throw new InvalidArgumentError('Write it as 90s, 15m, 8h or 30d.');
  return Number(count) * SECONDS[unit as keyof typeof SECONDS];
}

/** @throws {InvalidArgumentError} from what it gives */
export const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };

/** Of an option that may stand several times. */
export const repeated = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];
