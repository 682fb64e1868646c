import { describe, expect, it } from 'vitest';
import type { EnvelopedRequest } from '#contract/request-envelope.ts';
import { SipRejection } from '#core/error.ts';
import {
  forwardedHeaders,
  isWorthKeeping,
  relayedResponse,
  requireAcceptable,
  validSeconds,
} from '#core/instant-message.ts';
import { headerFieldsOf } from '#core/sip/message.ts';
import { T0 } from '#test/support/envelope.ts';

const POLICY = { maxMessageBytes: 1_300 };
const TEXT: [string, string][] = [['Content-Type', 'text/plain']];

function refusalOf(request: Partial<EnvelopedRequest>, headers = TEXT, policy = POLICY): string {
  const whole: EnvelopedRequest = {
    ...{ method: 'MESSAGE', requestUri: 'sip:1002@demo.example', body: '', bodyEncoding: 'utf8' as const },
    ...{ headers, ...request },
  };
  try {
    requireAcceptable(whole, headerFieldsOf(headers), policy);
    return 'accepted';
  } catch (error) {
    return error instanceof SipRejection ? error.message : String(error);
  }
}

describe('what a MESSAGE may carry (RFC 3428 section 8)', () => {
  it('is 1300 bytes at most, counted in UTF-8 and not in characters', () => {
    expect(refusalOf({ body: 'a'.repeat(1_300) })).toBe('accepted');
    expect(refusalOf({ body: 'a'.repeat(1_301) })).toBe('413 Message Too Large');
    expect(refusalOf({ body: 'ü'.repeat(650) })).toBe('accepted');
    expect(refusalOf({ body: 'ü'.repeat(651) })).toBe('413 Message Too Large');
  });

  it('is as large as the tenant allows', () => {
    expect(refusalOf({ body: 'a'.repeat(5_000) }, TEXT, { maxMessageBytes: 5_000 })).toBe('accepted');
  });

  it('is text in UTF-8 with a Content-Type; nothing at all needs none', () => {
    expect(refusalOf({ body: '/w==', bodyEncoding: 'base64' })).toBe('400 Body Is Not UTF-8');
    expect(refusalOf({ body: 'hello' }, [])).toBe('400 Missing Content-Type');
    expect(refusalOf({ body: '' }, [])).toBe('accepted');
  });
});

describe('forwardedHeaders', () => {
  const received: [string, string][] = [
    ['Via', 'SIP/2.0/WSS client.invalid;branch=z9hG4bK1'],
    ['Route', '<sip:edge.example;lr>'],
    ['Max-Forwards', '70'],
    ['From', '<sip:1001@demo.example>;tag=a'],
    ['Authorization', 'Digest username="1001"'],
    ['P-Asserted-Identity', '<sip:boss@demo.example>'],
    ['Contact', '<sip:1001@client.invalid>'],
    ['CPIM-Thing', 'kept'],
    ['Content-Type', 'message/cpim'],
    ['Content-Length', '3'],
  ];

  it('keeps what is meant for the recipient and drops the hop, credentials and claims', () => {
    expect(forwardedHeaders(received, T0)).toEqual([
      ['Via', 'SIP/2.0/WSS client.invalid;branch=z9hG4bK1'],
      ['Max-Forwards', '69'],
      ['From', '<sip:1001@demo.example>;tag=a'],
      ['CPIM-Thing', 'kept'],
      ['Content-Type', 'message/cpim'],
      ['Date', new Date(T0).toUTCString()],
    ]);
  });

  it('leaves the Date of the sender and takes 70 for a missing Max-Forwards', () => {
    const headers = forwardedHeaders([['Date', 'Mon, 13 Nov 2023 22:13:20 GMT']], T0);
    expect(headers).toEqual([
      ['Max-Forwards', '69'],
      ['Date', 'Mon, 13 Nov 2023 22:13:20 GMT'],
    ]);
  });
});

describe('relayedResponse (RFC 3428 section 7)', () => {
  const headers: [string, string][] = [
    ['Contact', '<sip:x@client.invalid>'],
    ['Server', 'phone'],
  ];

  it('has no Contact and no body, except the Contact of a redirection', () => {
    expect(relayedResponse({ status: 200, reason: 'OK', headers, body: 'x' })).toEqual({
      ...{ status: 200, reason: 'OK', headers: [['Server', 'phone']] },
    });
    expect(relayedResponse({ status: 302, reason: 'Moved', headers }).headers).toEqual(headers);
  });
});

describe('what waits for an absent recipient', () => {
  it('is any message but "is composing" (RFC 3994)', () => {
    const type = (value: string) => headerFieldsOf([['Content-Type', value]]);
    expect(isWorthKeeping(type('text/plain;charset=utf-8'))).toBe(true);
    expect(isWorthKeeping(type('message/cpim'))).toBe(true);
    expect(isWorthKeeping(type('Application/IM-iscomposing+xml'))).toBe(false);
  });

  it('is valid as long as Expires says', () => {
    expect(validSeconds(headerFieldsOf([['Expires', '60']]))).toBe(60);
    expect(validSeconds(headerFieldsOf([]))).toBeUndefined();
    expect(validSeconds(headerFieldsOf([['Expires', 'soon']]))).toBeUndefined();
  });
});
