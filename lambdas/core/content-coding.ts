/** Bodies of requests and their content codings (RFC 3261 sections 7.4 and 20.12). Pure. */
import { gunzipSync, inflateRawSync, inflateSync } from 'node:zlib';
import type { EnvelopedRequest } from '#contract/request-envelope.ts';
import { SipRejection } from './error.ts';
import type { HeaderFields } from './sip/message.ts';

/** Value of Accept-Encoding. */
export const ACCEPT_ENCODING = 'gzip, deflate, identity';

type Decoder = (bytes: Uint8Array, options: { readonly maxOutputLength: number }) => Uint8Array;

const DECODERS: Readonly<Record<string, Decoder>> = {
  identity(bytes, { maxOutputLength }) {
    if (bytes.byteLength > maxOutputLength) throw tooLarge();
    return bytes;
  },
  gzip: gunzipSync,
  // RFC 1950 is meant, and some send RFC 1951 alone.
  deflate: (bytes, options) => (isZlib(bytes) ? inflateSync(bytes, options) : inflateRawSync(bytes, options)),
};

/**
 * The text of a body, with its content coding taken off.
 * @param maxBytes of the text; a compressed body is never expanded beyond it
 * @throws {SipRejection} 415 with Accept-Encoding for an unknown coding, 413 for more than the limit, 400 for what is
 *   not what it says, or not UTF-8
 */
export function bodyText({ body, bodyEncoding }: EnvelopedRequest, headers: HeaderFields, maxBytes: number): string {
  const coding = headers.all('content-encoding').join(',').trim().toLowerCase() || 'identity';
  const decoder = Object.hasOwn(DECODERS, coding) ? DECODERS[coding] : undefined;
  if (decoder === undefined) {
    throw new SipRejection(415, 'Unsupported Content Encoding', [['Accept-Encoding', ACCEPT_ENCODING]]);
  }
  const decoded = decode(decoder, Buffer.from(body, bodyEncoding), maxBytes);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(decoded);
  } catch {
    throw new SipRejection(400, 'Body Is Not UTF-8');
  }
}

function decode(decoder: Decoder, bytes: Uint8Array, maxBytes: number): Uint8Array {
  try {
    return decoder(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    if (error instanceof SipRejection) throw error;
    const isTooLarge = error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
    throw isTooLarge ? tooLarge() : new SipRejection(400, 'Bad Content Encoding');
  }
}

/** The two bytes that begin RFC 1950: method 8, and a multiple of 31. */
const isZlib = ([method = 0, flags = 0]: Uint8Array): boolean =>
  (method & 0x0f) === 8 && (method * 256 + flags) % 31 === 0;

const tooLarge = (): SipRejection => new SipRejection(413, 'Request Entity Too Large');
