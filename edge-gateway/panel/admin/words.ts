/** The words of the console: times, spans, shares, names of things. Pure. */

/** Of the day when it is today, else with the date; in the reader's zone and language. */
export function timeText(iso: string, nowMs: number, locale?: string, timeZone?: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  const zone = timeZone === undefined ? {} : { timeZone };
  const day = (date: Date) => date.toLocaleDateString(locale, { dateStyle: 'medium', ...zone });
  const time = at.toLocaleTimeString(locale, { timeStyle: 'medium', ...zone });
  return day(at) === day(new Date(nowMs)) ? time : `${day(at)}, ${time}`;
}

/** How long until then, or since: "in 3 min", "2 h ago". */
export function relativeText(iso: string, nowMs: number): string {
  const span = Date.parse(iso) - nowMs;
  return span >= 0 ? `in ${spanText(span)}` : `${spanText(-span)} ago`;
}

export function spanText(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 36 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}

/** From this share of a limit on, it is marked. */
export const NEARLY = 0.8;
export type Fullness = 'fine' | 'nearly' | 'full';

export function fullnessOf(use: number, limit: number): Fullness {
  if (use >= limit) return limit === 0 && use === 0 ? 'fine' : 'full';
  return use >= limit * NEARLY ? 'nearly' : 'fine';
}

/** "72 %"; a limit of nothing is used up by anything. */
export const shareText = (use: number, limit: number): string =>
  `${limit === 0 ? (use === 0 ? 0 : 100) : Math.floor((use / limit) * 100)} %`;

/** `subscriptionsPerGateway` is shown as "Subscriptions per gateway". */
export function nameText(member: string): string {
  const words = member.replace(
    /([a-z0-9])([A-Z])/g,
    (_, before: string, after: string) => `${before} ${after.toLowerCase()}`,
  );
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** `sip:1001@demo.example` is shown as `1001` within its own tenant. */
export function shortAddress(uri: string, domain: string): string {
  const address = uri.replace(/^sips?:/i, '').replace(/[;?].*$/, '');
  return address.endsWith(`@${domain}`) ? address.slice(0, -domain.length - 1) : address;
}

/** Like "1 user", "3 users". */
export const countText = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
