/**
 * The plain answers that most NOTIFYs get, read without parsing the whole message; and what others ask for. PURE.
 * A fan-out to a thousand watchers brings a thousand of them: this is the hottest input of the gateway.
 */
import { parseSeconds } from '#core/sip/header.ts';
import type { SipResponse } from '#core/sip/message.ts';

export interface PlainAnswer {
  readonly status: number;
  /** Branch of the top Via. */
  readonly branch: string;
}

const STATUS_AT = 8;
const BRANCH = ';branch=';

/**
 * Reads a 2xx whose first header field is a plain Via.
 * @returns undefined for everything else: it goes through the parser
 */
export function readPlainAnswer(text: string): PlainAnswer | undefined {
  if (!text.startsWith('SIP/2.0 2')) return undefined;
  const viaAt = text.indexOf('\r\n') + 2;
  if (!text.startsWith('Via: ', viaAt)) return undefined;
  const end = text.indexOf('\r\n', viaAt);
  const next = text.charCodeAt(end + 2);
  const isFolded = next === 32 || next === 9;
  if (end < 0 || isFolded || !text.endsWith('\r\n\r\n')) return undefined;
  const from = text.indexOf(BRANCH, viaAt) + BRANCH.length;
  const comma = text.indexOf(',', viaAt);
  if (from < BRANCH.length || from > end || (comma >= 0 && comma < end)) return undefined;
  const semicolon = text.indexOf(';', from);
  const branch = text.slice(from, semicolon >= 0 && semicolon < end ? semicolon : end);
  const status = Number(text.slice(STATUS_AT, STATUS_AT + 3));
  return status >= 200 && !/[\s"]/.test(branch) ? { status, branch } : undefined;
}

const MAX_RETRY_AFTER_SECONDS = 300;

/** How long the watcher wants to be left alone; undefined when it does not say. */
export function retryAfterSeconds(response: SipResponse): number | undefined {
  const seconds = parseSeconds((response.get('retry-after') ?? '').split(/[ ;(]/, 1)[0] ?? '');
  return seconds === undefined ? undefined : Math.min(seconds, MAX_RETRY_AFTER_SECONDS);
}
