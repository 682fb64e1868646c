/**
 * Pieces of the SIP grammar (RFC 3261 section 25.1) as regular-expression sources, for values that are unfolded.
 * Every repetition is told from what follows by its first character, so that matching time is linear.
 */

export const TOKEN = "[-A-Za-z0-9.!%*_+`'~]+";
export const LWS = '[ \\t]*';
/** Control characters may stand in a quoted-pair, and are tolerated beside it. */
export const QUOTED = '"[^"\\\\]*(?:\\\\[^][^"\\\\]*)*"';
export const HOST = '(?:[A-Za-z0-9][-._A-Za-z0-9]*|\\[[0-9A-Fa-f:.]+\\])';
/** Wider than gen-value: tags made of base64 are common. */
export const PARAM_VALUE = '[^ \\t;,"<>]+';
export const PARAMS = `(?:${LWS};${LWS}${TOKEN}(?:${LWS}=${LWS}(?:${PARAM_VALUE}|${QUOTED}))?)*`;
export const SCHEME = '[A-Za-z][-+.A-Za-z0-9]*';

/** Tests whether a text is one token. */
export const WHOLE_TOKEN = new RegExp(`^${TOKEN}$`);
