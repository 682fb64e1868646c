/** Passwords that the HTTP API sets: which are good enough, and how one is made up. Pure. */
import { type ProblemError, pointerOf } from './problem.ts';

export const PASSWORD_LENGTH = { least: 10, most: 128 } as const;
const GENERATED_BYTES = 15;

/** What is wrong with a password; undefined for a good one. */
export function weaknessOf(password: string, user: string, domain: string): ProblemError | undefined {
  const detail = weaknessText(password, [user, domain, `${user}@${domain}`]);
  return detail === undefined ? undefined : { pointer: pointerOf(['password']), detail };
}

function weaknessText(password: string, names: readonly string[]): string | undefined {
  if (password.length < PASSWORD_LENGTH.least) return `is too short: ${PASSWORD_LENGTH.least} characters at least`;
  if (names.some((name) => name.toLowerCase() === password.toLowerCase())) return 'is a name, which anybody can guess';
  if (new Set(password).size < PASSWORD_LENGTH.least / 2) return 'has too few different characters';
  return undefined;
}

/** A password of 120 bits that every keyboard has. @param random bytes from a cryptographic source */
export const makePassword = (random: (bytes: number) => Buffer): string =>
  random(GENERATED_BYTES).toString('base64url');
