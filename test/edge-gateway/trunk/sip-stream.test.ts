import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SipStream, type StreamItem } from '#gateway/trunk/sip-stream.ts';

const message = (body: string, length = `Content-Length: ${Buffer.byteLength(body)}`): string =>
  `BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKx\r\n${length}\r\n\r\n${body}`;
const read = (...chunks: (string | Buffer)[]): string[] => {
  const stream = new SipStream();
  return chunks.flatMap((chunk) => stream.push(Buffer.from(chunk as string))).map(shown);
};
const shown = (item: StreamItem): string => (item.kind === 'message' ? item.data.toString() : item.kind);

describe('SIP over a byte stream', () => {
  it('cuts messages by their Content-Length, long and compact, in bytes', () => {
    const [one, two] = [message('grüße'), message('', 'l : 0')];
    expect(read(one + two)).toEqual([one, two]);
  });

  it('gives the same messages however the bytes are cut (RFC 3261 section 18.3)', () => {
    return fc.assert(
      fc.property(
        fc.array(fc.constantFrom('', 'x\r\n\r\ny', 'ä', '\r\n'), { minLength: 1, maxLength: 5 }),
        fc.array(fc.nat(40), { maxLength: 40 }),
        (bodies, cuts) => {
          const messages = bodies.map((body) => message(body));
          let rest = Buffer.from(messages.join('\r\n\r\n'));
          const chunks: Buffer[] = [];
          for (const cut of cuts) {
            chunks.push(rest.subarray(0, cut));
            rest = rest.subarray(cut);
          }
          const items = read(...chunks, rest);
          expect(items.filter((item) => item !== 'keepAlive')).toEqual(messages);
          expect(items.filter((item) => item === 'keepAlive')).toHaveLength(messages.length - 1);
        },
      ),
    );
  });

  it('takes the single CRLF that answers our keep-alive, and a double one for a keep-alive', () => {
    expect(read('\r\n', message('a'))).toEqual([message('a')]);
    expect(read('\r\n', '\r\n', message('a'))).toEqual(['keepAlive', message('a')]);
  });

  it('refuses a message without Content-Length, and one that would be too large', () => {
    expect(() => read(message('', 'X: 1'))).toThrow('Missing Content-Length');
    expect(() => read(message('', 'Content-Length: 65536'))).toThrow('Message Too Large');
    expect(() => read('INVITE sip:a@b SIP/2.0\r\n', `X: ${'y'.repeat(65_536)}`)).toThrow('Header Too Large');
  });
});
