/** application/watcherinfo+xml (RFC 3858): who watches a presentity in an event package. Pure. */
import { escapeXml } from './xml.ts';

export const WATCHERINFO_TYPE = 'application/watcherinfo+xml';
const NAMESPACE = 'urn:ietf:params:xml:ns:watcherinfo';

/** One subscription, as whoever asks for watcher information learns of it. */
export interface Watcher {
  /** Names the subscription without giving its To tag away. */
  readonly id: string;
  /** AOR of who subscribed. */
  readonly uri: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  /** It waits to be allowed. */
  readonly isPending: boolean;
}

/**
 * Renders a full document, split around its version.
 * @param entity AOR of the presentity
 * @param packageName event package that is watched, such as `presence`
 * @param nowMs durations are counted to it, time that is left from it
 */
export function renderWatcherInfo(
  entity: string,
  packageName: string,
  watchers: readonly Watcher[],
  nowMs: number,
): [before: string, after: string] {
  const before = `<?xml version="1.0" encoding="UTF-8"?>\n<watcherinfo xmlns="${NAMESPACE}" version="`;
  const list = `<watcher-list resource="${escapeXml(entity)}" package="${packageName}">`;
  const inside = watchers.map((watcher) => renderWatcher(watcher, nowMs)).join('');
  return [before, `" state="full">\n${list}\n${inside}</watcher-list>\n</watcherinfo>\n`];
}

// Who is told politely that nothing happens is active, as for itself.
function renderWatcher({ id, uri, createdAtMs, expiresAtMs, isPending }: Watcher, nowMs: number): string {
  const status = isPending ? 'pending' : 'active';
  const times = `expiration="${seconds(expiresAtMs - nowMs)}" duration-subscribed="${seconds(nowMs - createdAtMs)}"`;
  return `<watcher id="${escapeXml(id)}" status="${status}" event="subscribe" ${times}>${escapeXml(uri)}</watcher>\n`;
}

const seconds = (spanMs: number): number => Math.max(0, Math.floor(spanMs / 1_000));
