/** Writes SIP messages (RFC 3261 section 7). */
import type { HeaderEntries } from '#contract/schemas.ts';
import { longLowerName } from './header-name.ts';

/**
 * Writes a request. Content-Length is made from the body; one among the headers is left out.
 * @throws {RangeError} if a line end stands where it would begin a header field of its own
 */
export function serializeRequest(method: string, requestUri: string, headers: HeaderEntries, body: string): string {
  return serialize(`${method} ${requestUri} SIP/2.0`, headers, body);
}

/**
 * Writes a response. Content-Length is made from the body; one among the headers is left out.
 * @throws {RangeError} if a line end stands where it would begin a header field of its own
 */
export function serializeResponse(status: number, reason: string, headers: HeaderEntries, body: string): string {
  return serialize(`SIP/2.0 ${status} ${reason}`, headers, body);
}

function serialize(startLine: string, headers: HeaderEntries, body: string): string {
  let text = oneLine(startLine);
  for (const [name, value] of headers) {
    if (longLowerName(name) !== 'content-length') text += `\r\n${oneLine(name)}: ${oneLine(value)}`;
  }
  return `${text}\r\nContent-Length: ${body === '' ? 0 : Buffer.byteLength(body)}\r\n\r\n${body}`;
}

function oneLine(text: string): string {
  if (text.includes('\n') || text.includes('\r')) throw new RangeError('A line end inside a SIP header field');
  return text;
}
