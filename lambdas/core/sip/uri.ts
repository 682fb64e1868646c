/** SIP and SIPS URIs (RFC 3261 section 19.1) and addresses of record. */
import { HOST, SCHEME } from './grammar.ts';

export interface SipUri {
  readonly scheme: 'sip' | 'sips';
  /** %-decoded; empty if there is none. */
  readonly user: string;
  /** Lower case; an IPv6 address stands in brackets. */
  readonly host: string;
  readonly port?: number;
  /** Names in lower case, names and values %-decoded; '' for a flag. */
  readonly params: ReadonlyMap<string, string>;
  /** What follows the question mark, as received. */
  readonly headers: string;
}

// Wider than the grammar by '#' and by text that is not ASCII: both are seen in users that people typed.
const USER_CHARS = "A-Za-z0-9\\-_.!~*'()&=+$,;?/#\\u0080-\\uffff";
const ESCAPED = '%[0-9A-Fa-f]{2}';
const USER = `(?:[${USER_CHARS}]|${ESCAPED})+`;
const PASSWORD = `(?::(?:[${USER_CHARS}]|${ESCAPED})*)?`;
const URI_PARAMS = '(?:;[^\\s;?<>"@,=]+(?:=[^\\s;?<>"@,]*)?)*';
const SIP_URI = new RegExp(
  `^([Ss][Ii][Pp][Ss]?):(?:(${USER})${PASSWORD}@)?(${HOST})(?::([0-9]{1,5}))?(${URI_PARAMS})(?:\\?([^\\s<>"@]*))?$`,
);
const ANY_SCHEME = new RegExp(`^(${SCHEME}):`);
const BROKEN_ESCAPE = /%(?![0-9A-Fa-f]{2})/;
const MAX_PORT = 65_535;
const NO_PARAMS: ReadonlyMap<string, string> = new Map();

/**
 * Reads a SIP or SIPS URI; `undefined` if it is malformed or of another scheme. A password is ignored.
 * @param text the URI alone, without angle brackets
 */
export function parseUri(text: string): SipUri | undefined {
  const match = SIP_URI.exec(text);
  if (match === null) return undefined;
  const [, scheme = '', user = '', host = '', portText, params = '', headers = ''] = match;
  const port = portText === undefined ? undefined : Number(portText);
  if ((port !== undefined && port > MAX_PORT) || BROKEN_ESCAPE.test(params)) return undefined;
  return {
    scheme: scheme.length === 3 ? 'sip' : 'sips',
    user: decodeEscapes(user),
    host: host.toLowerCase(),
    ...(port === undefined ? {} : { port }),
    params: params === '' ? NO_PARAMS : parseUriParams(params),
    headers,
  };
}

/** @returns whether the text is a SIP or SIPS URI by its syntax */
export function isSipUri(text: string): boolean {
  return SIP_URI.test(text);
}

/** @returns the scheme in lower case; `undefined` if the text does not begin with one */
export function uriScheme(text: string): string | undefined {
  return ANY_SCHEME.exec(text)?.[1]?.toLowerCase();
}

/**
 * Writes an address of record, `sip:user@domain`.
 * @param user not escaped; what the grammar does not allow in a user part is escaped
 */
export function formatAor(user: string, domain: string): string {
  const host = domain.toLowerCase();
  if (user === '') return `sip:${host}`;
  const escaped = user.toWellFormed().replace(/[^-A-Za-z0-9_.!~*'()&=+$,;?/]/gu, encodeURIComponent);
  return `sip:${escaped}@${host}`;
}

function parseUriParams(text: string): ReadonlyMap<string, string> {
  const params = new Map<string, string>();
  for (const part of text.slice(1).split(';')) {
    const equals = part.indexOf('=');
    const name = decodeEscapes(equals < 0 ? part : part.slice(0, equals)).toLowerCase();
    if (!params.has(name)) params.set(name, equals < 0 ? '' : decodeEscapes(part.slice(equals + 1)));
  }
  return params;
}

/** Escapes that are not UTF-8 stay as they stand. */
function decodeEscapes(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
