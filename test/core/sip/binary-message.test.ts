import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBinaryMessage } from '#core/sip/binary-message.ts';
import { parseMessage, type SipRequest } from '#core/sip/message.ts';

const head = (contentLength: number | undefined, from = '"Zo\u00eb" <sip:1001@demo.example>;tag=1'): string =>
  [
    'PUBLISH sip:1001@demo.example SIP/2.0',
    'Via: SIP/2.0/WS x.invalid;branch=z9hG4bK1',
    ...[`From: ${from}`, 'To: <sip:1001@demo.example>', 'Call-ID: c', 'CSeq: 1 PUBLISH'],
    ...(contentLength === undefined ? [] : [`Content-Length: ${contentLength}`]),
    ...['', ''],
  ].join('\r\n');

const message = (
  body: Uint8Array,
  contentLength: number | undefined = body.length,
  text = head(contentLength),
): Buffer => Buffer.concat([Buffer.from(text), body]);

function read(data: Buffer): SipRequest {
  const parsed = parseBinaryMessage(data);
  if (parsed.kind !== 'request') throw new Error(JSON.stringify(parsed));
  return parsed;
}
const bytesOf = ({ body }: SipRequest): Buffer => Buffer.from(body, 'latin1');

describe('parseBinaryMessage', () => {
  it('keeps the bytes of a body, and names as text', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.boolean(), (body, isMeasured) => {
        const request = read(isMeasured ? message(body) : Buffer.concat([Buffer.from(head(undefined)), body]));
        expect(bytesOf(request)).toEqual(Buffer.from(body));
        expect(request.get('from')).toBe('"Zo\u00eb" <sip:1001@demo.example>;tag=1');
      }),
    ));

  it('cuts off what follows the body, and refuses a body that is cut off', () => {
    expect(bytesOf(read(message(Buffer.from([0xff, 0x80, 0x0d]), 2)))).toEqual(Buffer.from([0xff, 0x80]));
    expect(parseBinaryMessage(message(Buffer.from([0xff]), 2))).toMatchObject({
      ...{ kind: 'refused', status: 400, reason: 'Body Shorter Than Content-Length' },
    });
  });

  it('reads a head that is no UTF-8 byte by byte, and agrees with the text parser on all else', () => {
    const latin1 = Buffer.concat([Buffer.from(head(1, '"Zo\u00eb" <sip:a@b>;tag=1'), 'latin1'), Buffer.from([0xff])]);
    expect(read(latin1).get('from')).toBe('"Zo\u00eb" <sip:a@b>;tag=1');
    for (const text of ['', '\r\n\r\n', 'no message', `\r\n\r\n${head(0)}`, head(3)]) {
      expect(parseBinaryMessage(Buffer.from(text)).kind).toBe(parseMessage(text).kind);
    }
  });
});
