/** Reads the head of a message into offsets: one pass over the lines, every one of them bounded, no string cut. */
import { WHOLE_TOKEN } from './grammar.ts';
import { headerIdAt } from './header-name.ts';

export const MESSAGE_LIMITS = { messageBytes: 65_536, headers: 128, headerLineBytes: 8_192 } as const;

export const HEAD_PROBLEM = {
  lineEnd: 'Line Not Ended By CRLF',
  tooMany: 'Too Many Header Fields',
  tooLong: 'Header Field Too Long',
  malformed: 'Malformed Header Field',
  noEnd: 'Missing Empty Line After Header',
} as const;
export type HeadProblem = (typeof HEAD_PROBLEM)[keyof typeof HEAD_PROBLEM];

/** Numbers kept for each field: id of its name (0: not a known one), start and end of the name and of the value. */
export const FIELD_WIDTH = 5;

export interface Head {
  /** `FIELD_WIDTH` numbers for each field that is readable, in order. */
  readonly fields: readonly number[];
  /** Bit `id` is set when the known field of that id stands on more than one line; for ids under 31. */
  readonly repeated: number;
  /** Where the body begins; the end of the text if the head does not end. */
  readonly bodyAt: number;
  /** The first problem; reading goes on after it, so that the answer can echo what is readable. */
  readonly problem: HeadProblem | undefined;
}

const TAB = 9;
const LF = 10;
const CR = 13;
const SPACE = 32;
type LineEnds = 'crlf' | 'bareLf' | 'bareCr';
const isSpaceOrLineEnd = (code: number): boolean => isBlank(code) || code === CR || code === LF;
const isBlank = (code: number): boolean => code === SPACE || code === TAB;

// Filled by index and then copied at its true length: growing an array costs more than the whole pass.
const scratch: number[] = new Array(MESSAGE_LIMITS.headers * FIELD_WIDTH).fill(0);

/** @param from where the line after the start line begins */
export function readHead(text: string, from: number): Head {
  let problem: HeadProblem | undefined;
  let used = 0;
  let seen = 0;
  let repeated = 0;
  let at = from;
  for (let count = 0; at < text.length && !isEmptyLine(text, at); count++) {
    if (count === MESSAGE_LIMITS.headers) {
      return {
        fields: scratch.slice(0, used),
        repeated,
        bodyAt: text.length,
        problem: problem ?? HEAD_PROBLEM.tooMany,
      };
    }
    let end = lineEndAt(text, at);
    let lineEnds: LineEnds = 'crlf';
    if (!isCleanLine(text, at, end) || isBlank(text.charCodeAt(end + 1))) {
      end = fieldEndAt(text, end);
      lineEnds = lineEndsOf(text, at, end);
      if (lineEnds !== 'crlf') problem ??= HEAD_PROBLEM.lineEnd;
    }
    const fieldProblem = takeField(text, at, end, used);
    if (fieldProblem !== undefined) problem ??= fieldProblem;
    // A bare CR must never be echoed.
    else if (lineEnds !== 'bareCr') {
      const bit = bitOf(scratch[used] ?? 0);
      repeated |= seen & bit;
      seen |= bit;
      used += FIELD_WIDTH;
    }
    at = end + 1;
  }
  const fields = scratch.slice(0, used);
  if (at >= text.length) return { fields, repeated, bodyAt: text.length, problem: problem ?? HEAD_PROBLEM.noEnd };
  if (text.charCodeAt(at) === CR) return { fields, repeated, bodyAt: at + 2, problem };
  return { fields, repeated, bodyAt: at + 1, problem: problem ?? HEAD_PROBLEM.lineEnd };
}

/** @returns the bit of a known name in `Head.repeated`; 0 for a name that has none */
export function bitOf(id: number): number {
  return id > 0 && id < 31 ? 1 << id : 0;
}

/** @returns where the line feed stands that ends the line; the end of the text if there is none */
export function lineEndAt(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

/** @returns whether the only CR of the line stands before the line feed at `end` */
export function isCleanLine(text: string, start: number, end: number): boolean {
  return text.charCodeAt(end - 1) === CR && text.indexOf('\r', start) === end - 1;
}

/** A bare LF counts as a line end here: the message is refused, but should be readable. */
export function isEmptyLine(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code === LF || (code === CR && text.charCodeAt(at + 1) === LF);
}

/** Puts the field of `[start, end)`, folded lines included, into the scratch array at `to`. */
function takeField(text: string, start: number, end: number, to: number): HeadProblem | undefined {
  if ((end - start) * 3 > MESSAGE_LIMITS.headerLineBytes && isTooLong(text, start, end)) return HEAD_PROBLEM.tooLong;
  const colon = text.indexOf(':', start);
  if (colon < 0 || colon > end) return HEAD_PROBLEM.malformed;
  let nameEnd = colon;
  while (nameEnd > start && isBlank(text.charCodeAt(nameEnd - 1))) nameEnd--;
  const id = headerIdAt(text, start, nameEnd);
  if (id === 0 && !WHOLE_TOKEN.test(text.slice(start, nameEnd))) return HEAD_PROBLEM.malformed;
  let valueAt = colon + 1;
  let valueEnd = end;
  while (valueAt < end && isSpaceOrLineEnd(text.charCodeAt(valueAt))) valueAt++;
  while (valueEnd > valueAt && isSpaceOrLineEnd(text.charCodeAt(valueEnd - 1))) valueEnd--;
  scratch[to] = id;
  scratch[to + 1] = start;
  scratch[to + 2] = nameEnd;
  scratch[to + 3] = valueAt;
  scratch[to + 4] = valueEnd;
  return undefined;
}

/** UTF-8 has at most three bytes for each UTF-16 unit, so most lines need no counting. */
function isTooLong(text: string, start: number, end: number): boolean {
  const bytes = MESSAGE_LIMITS.headerLineBytes;
  return end - start > bytes || Buffer.byteLength(text.slice(start, end)) > bytes;
}

/** @returns the line end at or after `lineEnd` that ends the field: lines may be folded (RFC 3261 section 7.3.1) */
function fieldEndAt(text: string, lineEnd: number): number {
  let end = lineEnd;
  while (isBlank(text.charCodeAt(end + 1))) end = lineEndAt(text, end + 1);
  return end;
}

function lineEndsOf(text: string, start: number, end: number): LineEnds {
  let lineEnds: LineEnds = 'crlf';
  for (let at = start; at < end; ) {
    const lineEnd = lineEndAt(text, at);
    if (!isCleanLine(text, at, lineEnd)) {
      if (text.slice(at, lineEnd - 1).includes('\r')) return 'bareCr';
      // The last line may lack its end: that the head does not end is reported by itself.
      if (lineEnd < text.length) lineEnds = 'bareLf';
    }
    at = lineEnd + 1;
  }
  return lineEnds;
}
