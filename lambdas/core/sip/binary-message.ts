/** Messages that are not UTF-8 as a whole: mostly for a compressed body, below a head that is text. Pure. */
import { isUtf8 } from 'node:buffer';
import { type ParseResult, parseMessage } from './message.ts';

const HEAD_END = '\r\n\r\n';

/** Parses a message; its body, and a head that is not UTF-8 either, has a character for each byte (latin1). */
export function parseBinaryMessage(data: Buffer): ParseResult {
  const headEnd = data.indexOf(HEAD_END) + HEAD_END.length;
  const head = data.subarray(0, headEnd);
  if (headEnd <= HEAD_END.length || !isUtf8(head)) return parseMessage(data.toString('latin1'), data.length);
  // The length of the whole makes Content-Length be judged as if the body were there.
  const parsed = parseMessage(head.toString(), data.length);
  if (parsed.kind !== 'request') return parsed;
  const bytes = Number(parsed.get('content-length') ?? data.length);
  return Object.assign(parsed, { body: data.toString('latin1', headEnd, Math.min(data.length, headEnd + bytes)) });
}
