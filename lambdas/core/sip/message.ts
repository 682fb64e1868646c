/**
 * The SIP message parser (RFC 3261 section 7): lazy and bounded, one message for each WebSocket frame (RFC 7118).
 * Values are slices of the message and keep it in memory: copy with `detach` what outlives the request.
 */
import { FieldIndex, type HeaderFields } from './fields.ts';
import { WHOLE_TOKEN } from './grammar.ts';
import { isCleanLine, isEmptyLine, lineEndAt, MESSAGE_LIMITS, readHead } from './head.ts';
import { isVia, parseCSeq } from './header.ts';

export { checkRequest } from './check.ts';
export { type HeaderFields, headerFieldsOf } from './fields.ts';
export { MESSAGE_LIMITS } from './head.ts';

interface MessageParts extends HeaderFields {
  readonly body: string;
  /** Names as received, but compact forms in their long form; values unfolded. */
  entries(): [string, string][];
  /** Whether the field stands on more than one line. `name` is the long form in lower case. */
  isRepeated(name: string): boolean;
}

export interface SipRequest extends MessageParts {
  readonly kind: 'request';
  readonly method: string;
  readonly requestUri: string;
}

export interface SipResponse extends MessageParts {
  readonly kind: 'response';
  readonly status: number;
  readonly reason: string;
}

/**
 * `refused`: a request that is to be answered so; `request` gives what could be read of it.
 * `unreadable`: nothing that can be answered (a broken response or ACK, or no SIP at all); drop it.
 */
export type ParseResult =
  | SipRequest
  | SipResponse
  | { readonly kind: 'refused'; readonly status: number; readonly reason: string; readonly request: SipRequest }
  | { readonly kind: 'unreadable'; readonly reason: string };

const CR = 13;
const LF = 10;
const BEGINS_AS_RESPONSE = /^SIP\//i;
const STATUS_LINE = /^SIP\/2\.0 ([1-6][0-9]{2})(?: (.*))?$/i;
const SIP_VERSION = /^SIP\/2\.0$/i;
const OTHER_SIP_VERSION = /^SIP\/[0-9]+\.[0-9]+$/i;
const DIGITS = /^[0-9]+$/;
/** Any of these marks a message as SIP, whatever its start line says. */
const SIP_FIELDS = ['via', 'cseq', 'call-id'] as const;

const BAD_LINE_END = 'Line Not Ended By CRLF';
const MALFORMED_REQUEST_LINE = 'Malformed Request-Line';
const VERSION_NOT_SUPPORTED = 'Version Not Supported';
const MESSAGE_TOO_LARGE = 'Message Too Large';
/** Status of a problem that is not a plain 400. */
const STATUS: Readonly<Record<string, number>> = { [VERSION_NOT_SUPPORTED]: 505, [MESSAGE_TOO_LARGE]: 513 };

/**
 * Parses one message. Empty lines before it are skipped; what follows the body is cut off.
 * @param byteLength of the frame as it came, which may differ from the text's if that is not UTF-8
 */
export function parseMessage(text: string, byteLength: number = Buffer.byteLength(text)): ParseResult {
  const start = skipEmptyLines(text);
  const end = lineEndAt(text, start);
  const line = text.slice(start, text.charCodeAt(end - 1) === CR ? end - 1 : end);
  const sizeProblem = byteLength > MESSAGE_LIMITS.messageBytes ? MESSAGE_TOO_LARGE : undefined;
  const lineProblem = isCleanLine(text, start, end) ? undefined : BAD_LINE_END;
  return BEGINS_AS_RESPONSE.test(line)
    ? parseResponse(text, line, end + 1, byteLength, sizeProblem ?? lineProblem)
    : parseRequest(text, line, end + 1, byteLength, sizeProblem, lineProblem);
}

/** @returns a copy that does not keep the message in memory which it was cut from */
export function detach(text: string): string {
  return Buffer.from(text).toString();
}

class ParsedMessage extends FieldIndex {
  body = '';
  /** The first thing wrong in header fields or body. */
  readonly problem: string | undefined;

  constructor(text: string, headAt: number, byteLength: number) {
    const head = readHead(text, headAt);
    super(text, head);
    const bodyProblem = this.#readBody(text, head.bodyAt, byteLength);
    this.problem = head.problem ?? bodyProblem;
  }

  /** Content-Length counts bytes; without one the body reaches to the end of the frame (RFC 7118). */
  #readBody(text: string, bodyAt: number, byteLength: number): string | undefined {
    this.body = text.slice(bodyAt);
    const lengthText = this.get('content-length');
    if (lengthText === undefined) return undefined;
    if (!DIGITS.test(lengthText)) return 'Malformed Content-Length';
    const length = Number(lengthText);
    if (this.isRepeated('content-length') && this.all('content-length').some((other) => Number(other) !== length)) {
      return 'Conflicting Content-Length';
    }
    const isAscii = byteLength === text.length;
    const available = byteLength - (isAscii ? bodyAt : Buffer.byteLength(text.slice(0, bodyAt)));
    if (length > available) return 'Body Shorter Than Content-Length';
    if (length < available) {
      this.body = isAscii ? this.body.slice(0, length) : Buffer.from(this.body).toString('utf8', 0, length);
    }
    return undefined;
  }
}

class ParsedRequest extends ParsedMessage implements SipRequest {
  readonly kind = 'request';
  method = '';
  requestUri = '';
}

class ParsedResponse extends ParsedMessage implements SipResponse {
  readonly kind = 'response';
  status = 0;
  reason = '';
}

function parseRequest(
  text: string,
  line: string,
  headAt: number,
  byteLength: number,
  sizeProblem: string | undefined,
  lineEndProblem: string | undefined,
): ParseResult {
  const methodEnd = line.indexOf(' ');
  const uriEnd = line.lastIndexOf(' ');
  const version = line.slice(uriEnd + 1);
  const request = new ParsedRequest(text, headAt, byteLength);
  request.method = methodEnd < 0 ? line : line.slice(0, methodEnd);
  request.requestUri = line.slice(methodEnd + 1, Math.max(uriEnd, methodEnd + 1));
  const lineProblem = checkRequestLine(request, version);
  const reason = sizeProblem ?? lineProblem ?? lineEndProblem ?? request.problem;
  if (reason === undefined) return request;
  if (request.method === 'ACK') return { kind: 'unreadable', reason };
  if (lineProblem === MALFORMED_REQUEST_LINE && !isLikeSip(request, version)) {
    return { kind: 'unreadable', reason: 'Not SIP' };
  }
  return { kind: 'refused', status: STATUS[reason] ?? 400, reason, request };
}

function checkRequestLine(request: SipRequest, version: string): string | undefined {
  if (request.requestUri === '' || !WHOLE_TOKEN.test(request.method)) return MALFORMED_REQUEST_LINE;
  if (version === 'SIP/2.0' || SIP_VERSION.test(version)) return undefined;
  return OTHER_SIP_VERSION.test(version) ? VERSION_NOT_SUPPORTED : MALFORMED_REQUEST_LINE;
}

/** A broken request still gets an answer when something in it speaks SIP. */
function isLikeSip(request: SipRequest, version: string): boolean {
  return BEGINS_AS_RESPONSE.test(version) || SIP_FIELDS.some((name) => request.get(name) !== undefined);
}

function parseResponse(
  text: string,
  line: string,
  headAt: number,
  byteLength: number,
  frameProblem: string | undefined,
): ParseResult {
  const match = STATUS_LINE.exec(line);
  if (match === null) return { kind: 'unreadable', reason: 'Malformed Status-Line' };
  const response = new ParsedResponse(text, headAt, byteLength);
  response.status = Number(match[1]);
  response.reason = match[2] ?? '';
  const reason = frameProblem ?? response.problem ?? checkResponse(response);
  return reason === undefined ? response : { kind: 'unreadable', reason };
}

/** Without these a response belongs to no transaction (RFC 3261 section 17.1.3). */
function checkResponse(response: SipResponse): string | undefined {
  if (!isVia(response.get('via') ?? '')) return 'Malformed Via';
  return parseCSeq(response.get('cseq') ?? '') === undefined ? 'Malformed CSeq' : undefined;
}

function skipEmptyLines(text: string): number {
  let at = 0;
  while (at < text.length && isEmptyLine(text, at)) at += text.charCodeAt(at) === LF ? 1 : 2;
  return at;
}
