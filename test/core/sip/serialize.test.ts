import { describe, expect, it } from 'vitest';
import { serializeRequest, serializeResponse } from '#core/sip/serialize.ts';
import { reasonOf } from '#core/sip/status.ts';

describe('serialize', () => {
  it('writes a request with the byte length of its body', () => {
    const text = serializeRequest(
      'NOTIFY',
      'sip:1@a',
      [
        ['Event', 'dialog'],
        ['CSeq', '1 NOTIFY'],
      ],
      'ü',
    );
    expect(text).toBe('NOTIFY sip:1@a SIP/2.0\r\nEvent: dialog\r\nCSeq: 1 NOTIFY\r\nContent-Length: 2\r\n\r\nü');
  });

  it('writes a response, and its own Content-Length instead of a given one', () => {
    const text = serializeResponse(
      200,
      'OK',
      [
        ['l', '7'],
        ['content-length', '9'],
        ['To', '<sip:1@a>'],
      ],
      '',
    );
    expect(text).toBe('SIP/2.0 200 OK\r\nTo: <sip:1@a>\r\nContent-Length: 0\r\n\r\n');
  });

  it('refuses line ends in every part but the body', () => {
    expect(() => serializeResponse(200, 'OK', [['To', 'a\r\nVia: b']], '')).toThrow(RangeError);
    expect(() => serializeResponse(200, 'OK', [['To', 'a\rb']], '')).toThrow(RangeError);
    expect(() => serializeResponse(200, 'OK', [['To\nVia', 'a']], '')).toThrow(RangeError);
    expect(() => serializeResponse(200, 'OK\n', [], '')).toThrow(RangeError);
    expect(() => serializeRequest('NOTIFY', 'sip:a\r\nVia: b', [], '')).toThrow(RangeError);
    expect(serializeRequest('NOTIFY', 'sip:a', [], 'a\r\nb')).toMatch(/\r\n\r\na\r\nb$/);
  });
});

describe('reasonOf', () => {
  it('names a status, or its class', () => {
    expect(reasonOf(489)).toBe('Bad Event');
    expect(reasonOf(499)).toBe('Request Failure');
    expect(reasonOf(999)).toBe('Unknown');
  });
});
