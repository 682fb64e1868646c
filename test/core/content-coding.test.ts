import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bodyText } from '#core/content-coding.ts';
import { SipRejection } from '#core/error.ts';
import { headerFieldsOf } from '#core/sip/message.ts';

const LIMIT = 1_000;

function read(bytes: Uint8Array | string, coding?: string): string {
  const isText = typeof bytes === 'string';
  const request = {
    ...{ method: 'PUBLISH', requestUri: 'sip:a@b', headers: [] },
    body: isText ? bytes : Buffer.from(bytes).toString('base64'),
    bodyEncoding: isText ? ('utf8' as const) : ('base64' as const),
  };
  return bodyText(request, headerFieldsOf(coding === undefined ? [] : [['Content-Encoding', coding]]), LIMIT);
}

function refusal(bytes: Uint8Array | string, coding?: string): string {
  try {
    read(bytes, coding);
  } catch (error) {
    if (error instanceof SipRejection) return `${error.status} ${error.reason} ${error.headers.join()}`.trim();
    throw error;
  }
  return 'accepted';
}

describe('bodyText (RFC 3261 section 20.12)', () => {
  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
    ['GZIP', gzipSync],
  ])('takes %s off, by %o', (coding, encode) => {
    const text = fc.string({ unit: 'grapheme', maxLength: 60 });
    return fc.assert(
      fc.property(text, (given) => {
        expect(read(encode(given), coding)).toBe(given);
      }),
    );
  });

  it('gives a plain body as it is, with or without a name for that', () => {
    expect(read('Zoë')).toBe('Zoë');
    expect(read('Zoë', 'identity')).toBe('Zoë');
    expect(read(Buffer.from('Zoë'), '')).toBe('Zoë');
  });

  it.each(['br', 'gzip, deflate', 'x', 'constructor'])('does not know %s', (coding) => {
    expect(refusal('x', coding)).toBe('415 Unsupported Content Encoding Accept-Encoding,gzip, deflate, identity');
  });

  it('expands nothing beyond the limit', () => {
    for (const [coding, encode] of [
      ['gzip', gzipSync],
      ['deflate', deflateSync],
      ['deflate', deflateRawSync],
    ] as const) {
      expect(read(encode('a'.repeat(LIMIT)), coding)).toHaveLength(LIMIT);
      expect(refusal(encode('a'.repeat(LIMIT + 1)), coding)).toBe('413 Request Entity Too Large');
      expect(refusal(encode(Buffer.alloc(50_000_000)), coding)).toBe('413 Request Entity Too Large');
    }
    expect(refusal('a'.repeat(LIMIT + 1))).toBe('413 Request Entity Too Large');
  });

  it('refuses what is not what it says', () => {
    for (const coding of ['gzip', 'deflate']) expect(refusal('plain text', coding)).toBe('400 Bad Content Encoding');
    expect(refusal(gzipSync('cut off').subarray(0, 15), 'gzip')).toBe('400 Bad Content Encoding');
    expect(refusal(Buffer.from([0xff, 0xfe]))).toBe('400 Body Is Not UTF-8');
    expect(refusal(gzipSync(Buffer.from([0xff, 0xfe])), 'gzip')).toBe('400 Body Is Not UTF-8');
  });
});
