/**
 * The SIP message parser (RFC 3261 section 7): lazy and bounded, one message for each WebSocket frame (RFC 7118).
 * Values are slices of the message and keep it in memory: copy with `detach` what outlives the request.
 */
import { FieldIndex, type HeaderFields } from './fields.ts';
import { isToken } from './grammar.ts';
import { isVia, parseCSeq } from './header.ts';

export { checkRequest } from './check.ts';
export { type HeaderFields, headerFieldsOf } from './fields.ts';

export const MESSAGE_LIMITS = { messageBytes: 65_536, headers: 128, headerLineBytes: 8_192 } as const;

interface MessageParts extends HeaderFields {
  readonly body: string;
  /** Names as received, but compact forms in their long form; values unfolded. */
  entries(): [string, string][];
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

interface Problem {
  readonly status: number;
  readonly reason: string;
}

const CR = 13;
const LF = 10;
const BEGINS_AS_RESPONSE = /^SIP\//i;
const STATUS_LINE = /^SIP\/2\.0 ([1-6][0-9]{2})(?: (.*))?$/i;
const SIP_VERSION = /^SIP\/2\.0$/i;
const OTHER_SIP_VERSION = /^SIP\/[0-9]+\.[0-9]+$/i;

const DIGITS = /^[0-9]+$/;
/** Any of these marks a message as SIP, whatever its start line says. */
const SIP_FIELDS = ['via', 'cseq', 'call-id'] as const;

const badRequest = (reason: string): Problem => ({ status: 400, reason });
const MALFORMED_REQUEST_LINE = badRequest('Malformed Request-Line');
const VERSION_NOT_SUPPORTED: Problem = { status: 505, reason: 'Version Not Supported' };
const MESSAGE_TOO_LARGE: Problem = { status: 513, reason: 'Message Too Large' };
const TOO_MANY_FIELDS = badRequest('Too Many Header Fields');
const FIELD_TOO_LONG = badRequest('Header Field Too Long');
const MALFORMED_FIELD = badRequest('Malformed Header Field');
const BAD_LINE_END = badRequest('Line Not Ended By CRLF');
const MISSING_EMPTY_LINE = badRequest('Missing Empty Line After Header');
const MALFORMED_LENGTH = badRequest('Malformed Content-Length');
const CONFLICTING_LENGTH = badRequest('Conflicting Content-Length');
const BODY_TOO_SHORT = badRequest('Body Shorter Than Content-Length');

/**
 * Parses one message. Empty lines before it are skipped; what follows the body is cut off.
 * @param byteLength of the frame as it came, which may differ from the text's if that is not UTF-8
 */
export function parseMessage(text: string, byteLength: number = Buffer.byteLength(text)): ParseResult {
  const start = skipEmptyLines(text);
  return BEGINS_AS_RESPONSE.test(text.slice(start, start + 4))
    ? parseResponse(text, byteLength, start)
    : parseRequest(text, byteLength, start);
}

/** @returns a copy that does not keep the message in memory which it was cut from */
export function detach(text: string): string {
  return Buffer.from(text).toString();
}

class ParsedMessage extends FieldIndex {
  body = '';
  readonly #text: string;

  constructor(text: string) {
    super(text);
    this.#text = text;
  }

  /**
   * Takes in header fields and body; goes on after a problem, so that the answer can echo what is readable.
   * @param start where the start line begins
   * @param startLineEnd where its line feed stands
   * @returns the first problem
   */
  read(start: number, startLineEnd: number, byteLength: number): Problem | undefined {
    const text = this.#text;
    let problem = isCleanLine(text, start, startLineEnd) ? undefined : BAD_LINE_END;
    let at = startLineEnd + 1;
    for (let lines = 0; at < text.length && !isEmptyLine(text, at); lines++) {
      if (lines === MESSAGE_LIMITS.headers) return problem ?? TOO_MANY_FIELDS;
      const end = fieldEndAt(text, at);
      const found = this.#addField(at, end);
      problem ??= found;
      at = end + 1;
    }
    if (at >= text.length) return problem ?? MISSING_EMPTY_LINE;
    if (text.charCodeAt(at) === LF) problem ??= BAD_LINE_END;
    const bodyProblem = this.#readBody(lineEndAt(text, at) + 1, byteLength);
    return problem ?? bodyProblem;
  }

  #addField(start: number, end: number): Problem | undefined {
    const text = this.#text;
    if (isLongerThan(text, start, end, MESSAGE_LIMITS.headerLineBytes)) return FIELD_TOO_LONG;
    let problem: Problem | undefined;
    for (let at = start; at < end; ) {
      const lineEnd = lineEndAt(text, at);
      if (!isCleanLine(text, at, lineEnd)) {
        // What is echoed must not hold a bare CR; a bare LF is taken for a line end.
        if (text.slice(at, lineEnd - 1).includes('\r')) return BAD_LINE_END;
        problem = BAD_LINE_END;
      }
      at = lineEnd + 1;
    }
    return this.add(start, end) < 0 ? MALFORMED_FIELD : problem;
  }

  /** Content-Length counts bytes; without one the body reaches to the end of the frame (RFC 7118). */
  #readBody(bodyAt: number, byteLength: number): Problem | undefined {
    const text = this.#text;
    this.body = text.slice(bodyAt);
    const lengthText = this.get('content-length');
    if (lengthText === undefined) return undefined;
    if (!DIGITS.test(lengthText)) return MALFORMED_LENGTH;
    const length = Number(lengthText);
    if (this.all('content-length').some((other) => Number(other) !== length)) return CONFLICTING_LENGTH;
    const isAscii = byteLength === text.length;
    const available = byteLength - (isAscii ? bodyAt : Buffer.byteLength(text.slice(0, bodyAt)));
    if (length > available) return BODY_TOO_SHORT;
    if (length < available) {
      this.body = isAscii ? this.body.slice(0, length) : Buffer.from(this.body).toString('utf8', 0, length);
    }
    return undefined;
  }
}

class ParsedRequest extends ParsedMessage implements SipRequest {
  readonly kind = 'request';
  readonly method: string;
  readonly requestUri: string;

  constructor(text: string, method: string, requestUri: string) {
    super(text);
    this.method = method;
    this.requestUri = requestUri;
  }
}

class ParsedResponse extends ParsedMessage implements SipResponse {
  readonly kind = 'response';
  readonly status: number;
  readonly reason: string;

  constructor(text: string, status: number, reason: string) {
    super(text);
    this.status = status;
    this.reason = reason;
  }
}

function parseRequest(text: string, byteLength: number, start: number): ParseResult {
  const lineEnd = lineEndAt(text, start);
  const line = lineAt(text, start, lineEnd);
  const methodEnd = line.indexOf(' ');
  const uriEnd = line.lastIndexOf(' ');
  const version = line.slice(uriEnd + 1);
  const method = methodEnd < 0 ? line : line.slice(0, methodEnd);
  const request = new ParsedRequest(text, method, line.slice(methodEnd + 1, Math.max(uriEnd, methodEnd + 1)));
  const problem = request.read(start, lineEnd, byteLength);
  const lineProblem = checkRequestLine(method, uriEnd - methodEnd, version);
  const refusal = byteLength > MESSAGE_LIMITS.messageBytes ? MESSAGE_TOO_LARGE : (lineProblem ?? problem);
  if (refusal === undefined) return request;
  if (method === 'ACK') return { kind: 'unreadable', reason: refusal.reason };
  if (lineProblem === MALFORMED_REQUEST_LINE && !isLikeSip(request, version)) {
    return { kind: 'unreadable', reason: 'Not SIP' };
  }
  return { kind: 'refused', ...refusal, request };
}

function checkRequestLine(method: string, uriLength: number, version: string): Problem | undefined {
  if (uriLength < 2 || !isToken(method)) return MALFORMED_REQUEST_LINE;
  if (SIP_VERSION.test(version)) return undefined;
  return OTHER_SIP_VERSION.test(version) ? VERSION_NOT_SUPPORTED : MALFORMED_REQUEST_LINE;
}

/** A broken request still gets an answer when something in it speaks SIP. */
function isLikeSip(request: SipRequest, version: string): boolean {
  return BEGINS_AS_RESPONSE.test(version) || SIP_FIELDS.some((name) => request.get(name) !== undefined);
}

function parseResponse(text: string, byteLength: number, start: number): ParseResult {
  const lineEnd = lineEndAt(text, start);
  const match = STATUS_LINE.exec(lineAt(text, start, lineEnd));
  if (match === null) return { kind: 'unreadable', reason: 'Malformed Status-Line' };
  const response = new ParsedResponse(text, Number(match[1]), match[2] ?? '');
  const problem = response.read(start, lineEnd, byteLength);
  if (byteLength > MESSAGE_LIMITS.messageBytes) return { kind: 'unreadable', reason: MESSAGE_TOO_LARGE.reason };
  if (problem !== undefined) return { kind: 'unreadable', reason: problem.reason };
  if (!isVia(response.get('via') ?? '')) return { kind: 'unreadable', reason: 'Malformed Via' };
  if (parseCSeq(response.get('cseq') ?? '') === undefined) return { kind: 'unreadable', reason: 'Malformed CSeq' };
  return response;
}

function skipEmptyLines(text: string): number {
  let at = 0;
  while (at < text.length && isEmptyLine(text, at)) at += text.charCodeAt(at) === LF ? 1 : 2;
  return at;
}

function isEmptyLine(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code === LF || (code === CR && text.charCodeAt(at + 1) === LF);
}

/** @returns where the line feed stands that ends the line; the end of the text if there is none */
function lineEndAt(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

function lineAt(text: string, start: number, end: number): string {
  return text.slice(start, text.charCodeAt(end - 1) === CR ? end - 1 : end);
}

/** As `lineEndAt`, past the lines that are folded into the field (RFC 3261 section 7.3.1). */
function fieldEndAt(text: string, from: number): number {
  let end = lineEndAt(text, from);
  for (;;) {
    const next = text.charCodeAt(end + 1);
    if (next !== 32 && next !== 9) return end;
    end = lineEndAt(text, end + 1);
  }
}

/** @returns whether the only CR of the line stands before the line feed at `end` */
function isCleanLine(text: string, start: number, end: number): boolean {
  return text.charCodeAt(end - 1) === CR && text.indexOf('\r', start) === end - 1;
}

function isLongerThan(text: string, start: number, end: number, bytes: number): boolean {
  if (end - start > bytes) return true;
  // UTF-8 has at most three bytes for each UTF-16 unit.
  return (end - start) * 3 > bytes && Buffer.byteLength(text.slice(start, end)) > bytes;
}
