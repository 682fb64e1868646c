/** Against guessing: how long who has failed must wait. A right password from another address never waits. Pure. */

/** Failures are counted by quarter hours, so that who made mistakes is free again soon. */
export const WINDOW_MS = 15 * 60_000;
export const windowOf = (nowMs: number): number => Math.floor(nowMs / WINDOW_MS);

/** Failed sign-ins from one address at one tenant in this quarter of an hour. */
export interface Failures {
  readonly ofUser: number;
  readonly ofUserAtMs: number;
  /** Of all users; each counts up to {@link FREE_FOR_USER} times, so that one device that repeats itself stops nobody else. */
  readonly ofAddress: number;
  readonly ofAddressAtMs: number;
}

export const NO_FAILURES: Failures = { ofUser: 0, ofUserAtMs: 0, ofAddress: 0, ofAddressAtMs: 0 };

export const FREE_FOR_USER = 10;
/** An office behind one address shares it. */
export const FREE_FOR_ADDRESS = 200;
const FAILURES_TO_DOUBLE_FOR_ADDRESS = 20;
const LONGEST_WAIT_SECONDS = 60;

/** Whole seconds until the next attempt is looked at; 0 for now. */
export function secondsToWait(failures: Failures, nowMs: number): number {
  const { ofUser, ofUserAtMs, ofAddress, ofAddressAtMs } = failures;
  const untilMs = Math.max(
    ofUserAtMs + delaySeconds(ofUser - FREE_FOR_USER) * 1_000,
    ofAddressAtMs + delaySeconds((ofAddress - FREE_FOR_ADDRESS) / FAILURES_TO_DOUBLE_FOR_ADDRESS) * 1_000,
  );
  return Math.max(0, Math.ceil((untilMs - nowMs) / 1_000));
}

/** One second, then twice as long each time. */
function delaySeconds(doublings: number): number {
  return doublings < 0 ? 0 : Math.min(LONGEST_WAIT_SECONDS, 2 ** doublings);
}

/** What an address is counted as: an IPv6 site has a whole /64 to choose from. */
export function countedAddress(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.toLowerCase().split('::');
  const groups = head === '' ? [] : head.split(':');
  const missing = tail === undefined ? 0 : 8 - groups.length - (tail === '' ? 0 : tail.split(':').length);
  const all = [...groups, ...Array<string>(Math.max(0, missing)).fill('0'), ...(tail ? tail.split(':') : [])];
  return `${all.slice(0, 4).join(':')}::/64`;
}
