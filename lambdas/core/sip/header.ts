/** Values of the header fields that the request path reads (RFC 3261 sections 20 and 25.1). */
import { HOST, LWS, PARAM_VALUE, PARAMS, QUOTED, SCHEME, TOKEN } from './grammar.ts';

/** Names in lower case; '' for a flag; quoted values without their quotes. */
export type Params = ReadonlyMap<string, string>;

export interface NameAddr {
  readonly displayName: string;
  readonly uri: string;
  readonly params: Params;
}

export interface Via {
  /** As received, such as `WSS`. */
  readonly transport: string;
  readonly host: string;
  readonly port?: number;
  readonly params: Params;
  /** Empty if there is none (RFC 2543). */
  readonly branch: string;
}

/** Unquoted display names may hold text that is not ASCII, as many clients send it. */
const DISPLAY = "[-A-Za-z0-9.!%*_+`'~ \\t\\u0080-\\uffff]*";
/** A bare addr-spec holds no `;`, `,` or `?`: what follows a `;` belongs to the header field. */
const NAME_ADDR = new RegExp(
  `^(?:(${QUOTED}${LWS}|${DISPLAY})<(${SCHEME}:[^\\s<>"]+)>|(${SCHEME}:[^\\s<>";,?]+))(${PARAMS})${LWS}$`,
);
const VIA = new RegExp(
  `^[Ss][Ii][Pp]${LWS}/${LWS}2\\.0${LWS}/${LWS}(${TOKEN})[ \\t]+(${HOST})` +
    `(?:${LWS}:${LWS}([0-9]{1,5}))?(${PARAMS})${LWS}(?:,|$)`,
);
const PARAM = new RegExp(`${LWS};${LWS}(${TOKEN})(?:${LWS}=${LWS}(?:(${PARAM_VALUE})|(${QUOTED})))?`, 'y');
const AUTH_SCHEME = new RegExp(`^(${TOKEN})(?:[ \\t]+|$)`);
const AUTH_PARAM = new RegExp(`^(${TOKEN})${LWS}=${LWS}(?:([^ \\t,"=][^ \\t,"]*)|(${QUOTED}))$`);
const DIGITS = /^[0-9]+$/;

const MAX_SEQUENCE = 2 ** 31 - 1;
const MAX_SECONDS = 2 ** 32 - 1;
const NO_PARAMS: Params = new Map();

/** Reads From, To or one Contact element; `undefined` if it is malformed. */
export function parseNameAddr(value: string): NameAddr | undefined {
  const match = NAME_ADDR.exec(value);
  if (match === null) return undefined;
  const [, display = '', bracketed, bare = '', params = ''] = match;
  const displayName = display.trim();
  return {
    displayName: displayName.startsWith('"') ? unquote(displayName) : displayName,
    uri: bracketed ?? bare,
    params: parseParams(params),
  };
}

/** @returns whether `parseNameAddr` would read the value */
export function isNameAddr(value: string): boolean {
  return NAME_ADDR.test(value);
}

/**
 * Reads all Contact lines of a message.
 * @returns `'*'` if that is all there is, the elements in order, or `undefined` if one is malformed
 */
export function parseContacts(values: readonly string[]): '*' | NameAddr[] | undefined {
  if (values.length === 1 && values[0] === '*') return '*';
  const contacts: NameAddr[] = [];
  for (const element of values.flatMap(splitList)) {
    const contact = parseNameAddr(element);
    if (contact === undefined) return undefined;
    contacts.push(contact);
  }
  return contacts;
}

/** Splits at commas outside quotes and angle brackets; elements are trimmed, an empty text is an empty list. */
export function splitList(value: string): string[] {
  if (!value.includes(',')) return value.trim() === '' ? [] : [value.trim()];
  const elements: string[] = [];
  let start = 0;
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code === QUOTE) at = endOfQuoted(value, at);
    else if (code === LESS_THAN) at = endOfBracketed(value, at);
    else if (code === COMMA) {
      elements.push(value.slice(start, at).trim());
      start = at + 1;
    }
  }
  elements.push(value.slice(start).trim());
  return elements;
}

/** Reads the first element of a Via value; `undefined` if it is malformed or of another version than 2.0. */
export function parseVia(value: string): Via | undefined {
  const match = VIA.exec(value);
  if (match === null) return undefined;
  const [, transport = '', host = '', portText, paramsText = ''] = match;
  const params = parseParams(paramsText);
  return {
    transport,
    host,
    ...(portText === undefined ? {} : { port: Number(portText) }),
    params,
    branch: params.get('branch') ?? '',
  };
}

/** @returns whether `parseVia` would read the value */
export function isVia(value: string): boolean {
  return VIA.test(value);
}

/** Finds the branch of the first element of a Via value without reading the rest; '' if there is none. */
export function branchOf(value: string): string {
  const at = value.indexOf(';branch=') + 8;
  const end = endOfPlain(value, at);
  const isPlain = at >= 8 && (end === value.length || value.charCodeAt(end) === SEMICOLON);
  // A quote or a comma before it may mean that this is no parameter of the first element.
  if (!isPlain || value.includes('"') || value.includes(',')) return parseVia(value)?.branch ?? '';
  return value.slice(at, end);
}

/** Reads a CSeq value; `undefined` if it is malformed or its number is not less than 2^31. */
export function parseCSeq(value: string): { sequence: number; method: string } | undefined {
  let at = 0;
  let sequence = 0;
  for (; at < value.length; at++) {
    const digit = value.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9) break;
    sequence = sequence * 10 + digit;
    if (sequence > MAX_SEQUENCE) return undefined;
  }
  const methodAt = skipBlanks(value, at);
  if (at === 0 || methodAt === at || methodAt === value.length) return undefined;
  const method = value.slice(methodAt);
  return method.includes(' ') || method.includes('\t') ? undefined : { sequence, method };
}

/** Reads a value with parameters: Event, Content-Type, an element of Accept. Malformed parameters are left out. */
export function parseParameterized(value: string): { value: string; params: Params } {
  const semicolon = value.indexOf(';');
  if (semicolon < 0) return { value: value.trim(), params: NO_PARAMS };
  return { value: value.slice(0, semicolon).trim(), params: parseParams(value.slice(semicolon)) };
}

/** Reads delta-seconds, at most 2^32 - 1 (larger numbers mean that); `undefined` if it is not a number. */
export function parseSeconds(value: string): number | undefined {
  const digits = value.trim();
  return DIGITS.test(digits) ? Math.min(Number(digits), MAX_SECONDS) : undefined;
}

/**
 * Reads an Authorization value (RFC 7616, RFC 8760). Credentials of another form than `name=value` have no parameters.
 * @returns the scheme in lower case; `undefined` if there is none, a Digest is malformed, or a parameter stands twice
 */
export function parseCredentials(value: string): { scheme: string; params: Params } | undefined {
  const match = AUTH_SCHEME.exec(value.trim());
  if (match === null) return undefined;
  const scheme = (match[1] ?? '').toLowerCase();
  const params = parseAuthParams(value.trim().slice(match[0].length));
  if (params === undefined) return scheme === 'digest' ? undefined : { scheme, params: NO_PARAMS };
  return { scheme, params };
}

/** Finds the tag of a From or To value without reading the rest; `undefined` if there is none. */
export function tagOf(value: string): string | undefined {
  const paramsAt = endOfAddress(value);
  if (value.startsWith(';tag=', paramsAt)) {
    const end = endOfPlain(value, paramsAt + 5);
    if (end === value.length || value.charCodeAt(end) === SEMICOLON) return value.slice(paramsAt + 5, end);
  }
  return parseParams(value.slice(paramsAt)).get('tag');
}

/** @returns the text as a quoted-string (RFC 3261 section 25.1); line ends become spaces */
export function quoteString(text: string): string {
  return `"${text.replace(/[\r\n]+/g, ' ').replace(/["\\]/g, '\\$&')}"`;
}

const QUOTE = 34;
const COMMA = 44;
const ZERO = 48;
const SEMICOLON = 59;
const LESS_THAN = 60;
const BACKSLASH = 92;

/** A parameter that stands twice counts once: the first. */
function parseParams(text: string): Params {
  if (text === '') return NO_PARAMS;
  const params = new Map<string, string>();
  PARAM.lastIndex = 0;
  for (let match = PARAM.exec(text); match !== null; match = PARAM.exec(text)) {
    const [, name = '', plain, quoted] = match;
    const key = name.toLowerCase();
    if (!params.has(key)) params.set(key, plain ?? (quoted === undefined ? '' : unquote(quoted)));
  }
  return params;
}

function parseAuthParams(text: string): Params | undefined {
  const params = new Map<string, string>();
  for (const element of splitList(text)) {
    const match = AUTH_PARAM.exec(element);
    const name = match?.[1]?.toLowerCase();
    if (match === null || name === undefined || params.has(name)) return undefined;
    params.set(name, match[2] ?? unquote(match[3] ?? ''));
  }
  return params;
}

function unquote(quoted: string): string {
  const inner = quoted.slice(1, -1);
  return inner.includes('\\') ? inner.replace(/\\(.)/gs, '$1') : inner;
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (text.charCodeAt(at) === 32 || text.charCodeAt(at) === 9) at++;
  return at;
}

/** @returns where a parameter value without quotes ends */
function endOfPlain(text: string, from: number): number {
  let at = from;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === SEMICOLON || code <= 32 || code === QUOTE || code === COMMA) break;
  }
  return at;
}

/** @returns where the closing quote stands, or the end of the text */
function endOfQuoted(text: string, open: number): number {
  for (let at = open + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at++;
    else if (code === QUOTE) return at;
  }
  return text.length;
}

function endOfBracketed(text: string, open: number): number {
  const close = text.indexOf('>', open);
  return close < 0 ? text.length : close;
}

/** @returns where the parameters of a name-addr or addr-spec begin */
function endOfAddress(value: string): number {
  const from = value.charCodeAt(0) === QUOTE ? endOfQuoted(value, 0) : 0;
  const open = value.indexOf('<', from);
  if (open >= 0) return endOfBracketed(value, open) + 1;
  const semicolon = value.indexOf(';', from);
  return semicolon < 0 ? value.length : semicolon;
}
