/** Notification rate control (RFC 6446): what a watcher asked for in Event, and the gaps that follow. Pure. */
import { parseParameterized } from './sip/header.ts';

/** Notifications a second. */
export interface RateControl {
  readonly maxRate: number | undefined;
  readonly minRate: number | undefined;
  readonly adaptiveMinRate: number | undefined;
  /** What Subscription-State says of it, from its first semicolon on. */
  readonly told: string;
}

const RATE = /^\d{1,2}(?:\.\d{1,10})?$/;
/** A state that did not change is repeated at most this often; a watcher that asks for more is told so. */
const MAX_REPEAT_RATE = 1;
/** The average of `adaptive-min-rate` goes over the time of so many notifications. */
const ADAPTIVE_WINDOW = 10;
/** Longer than any subscription lives; a timer that is set for more fires at once. */
const MAX_GAP_MS = 2 ** 31 - 1;

/**
 * Reads the rates of an Event header field. One that is malformed counts as absent, a minimum of 0 too; a minimum above
 * the maximum is lowered to it.
 * @param secondsLeft until the subscription expires; a maximum rate that leaves room for no NOTIFY until then, 0 too, is
 *   raised to one in that time (RFC 6446 section 4.4)
 * @returns undefined when the watcher wants none
 */
export function readRateControl(event: string, secondsLeft: number): RateControl | undefined {
  if (!/rate/i.test(event)) return undefined;
  const { params } = parseParameterized(event);
  const maxRate = atLeast(rateOf(params.get('max-rate')), secondsLeft > 0 ? 1 / secondsLeft : Number.MIN_VALUE);
  const most = Math.min(maxRate ?? MAX_REPEAT_RATE, MAX_REPEAT_RATE);
  const minRate = atMost(rateOf(params.get('min-rate')) || undefined, most);
  const adaptiveMinRate = atMost(rateOf(params.get('adaptive-min-rate')) || undefined, most);
  const told = tell({ 'max-rate': maxRate, 'min-rate': minRate, 'adaptive-min-rate': adaptiveMinRate });
  return told === '' ? undefined : { maxRate, minRate, adaptiveMinRate, told };
}

/** No NOTIFY sooner than this after the one before it; 0 without `max-rate`. */
export function shortestGapMs({ maxRate }: RateControl): number {
  return maxRate === undefined ? 0 : Math.min(Math.ceil(1_000 / maxRate), MAX_GAP_MS);
}

/**
 * A NOTIFY at the latest this long after the one before it, if need be with the same state.
 * @param sentAtMs when NOTIFYs were sent, oldest first
 * @returns undefined without a minimum
 */
export function longestGapMs(control: RateControl, sentAtMs: readonly number[], nowMs: number): number | undefined {
  const { minRate, adaptiveMinRate } = control;
  const gaps = [
    minRate === undefined ? Number.POSITIVE_INFINITY : 1_000 / minRate,
    adaptiveMinRate === undefined
      ? Number.POSITIVE_INFINITY
      : Math.max(shortestGapMs(control), adaptiveGapMs(adaptiveMinRate, sentAtMs, nowMs)),
  ];
  const shortest = Math.min(...gaps);
  if (!Number.isFinite(shortest)) return undefined;
  return Math.min(Math.max(Math.ceil(shortest), 1_000 / MAX_REPEAT_RATE), MAX_GAP_MS);
}

/**
 * When an adaptive minimum counts as having been met before it began (RFC 6446 section 6.3): the first repetition comes
 * after the time that the rate says, not as soon as possible.
 */
export function assumedHistory({ adaptiveMinRate }: RateControl, nowMs: number): number[] {
  if (adaptiveMinRate === undefined) return [];
  return Array.from({ length: ADAPTIVE_WINDOW }, (_, i) => nowMs - ((ADAPTIVE_WINDOW - i) * 1_000) / adaptiveMinRate);
}

/** How far back {@link longestGapMs} looks. */
export function windowMs({ adaptiveMinRate }: RateControl): number {
  return adaptiveMinRate === undefined ? 0 : (ADAPTIVE_WINDOW * 1_000) / adaptiveMinRate;
}

/** The longer, the more there was to tell of late: count / (rate^2 * period), RFC 6446 section 6.4. */
function adaptiveGapMs(rate: number, sentAtMs: readonly number[], nowMs: number): number {
  const periodSeconds = ADAPTIVE_WINDOW / rate;
  const count = sentAtMs.filter((at) => at > nowMs - periodSeconds * 1_000).length;
  return (count / (rate * rate * periodSeconds)) * 1_000;
}

function rateOf(value: string | undefined): number | undefined {
  return value !== undefined && RATE.test(value) ? Number(value) : undefined;
}

const atLeast = (rate: number | undefined, least: number): number | undefined =>
  rate === undefined ? undefined : Math.max(rate, least);

const atMost = (rate: number | undefined, most: number): number | undefined =>
  rate === undefined ? undefined : Math.min(rate, most);

function tell(rates: Readonly<Record<string, number | undefined>>): string {
  return Object.entries(rates)
    .map(([name, rate]) => (rate === undefined ? '' : `;${name}=${decimal(rate)}`))
    .join('');
}

/** Digits as the grammar wants them, never an exponent. */
const decimal = (rate: number): string => rate.toFixed(10).replace(/\.?0+$/, '');
