import { describe, expect, it } from 'vitest';
import { formatAor, parseUri, uriScheme } from '#core/sip/uri.ts';

describe('parseUri (RFC 3261 section 19.1)', () => {
  it('reads every part', () => {
    expect(parseUri('SIPS:al%69ce:secret@Demo.Example:5061;Transport=ws;lr?Subject=x&To=y')).toEqual({
      scheme: 'sips',
      user: 'alice',
      host: 'demo.example',
      port: 5061,
      params: new Map([
        ['transport', 'ws'],
        ['lr', ''],
      ]),
      headers: 'Subject=x&To=y',
    });
  });

  it.each([
    ['sip:demo.example', '', 'demo.example'],
    ['sip:1001@[2001:DB8::1]:5060', '1001', '[2001:db8::1]'],
    ['sip:*72#@demo.example', '*72#', 'demo.example'],
    ['sip:a%FFb@demo.example', 'a%FFb', 'demo.example'],
    ['sip:%E4%B8%96@demo.example', '世', 'demo.example'],
    ['sip:a;b=c@demo.example', 'a;b=c', 'demo.example'],
  ])('reads %j', (text, user, host) => {
    expect(parseUri(text)).toMatchObject({ user, host });
  });

  it.each([
    '',
    'sip:',
    'sip:@demo.example',
    'sip:a@',
    'sip:a b@demo.example',
    'sip:a@b@c',
    'sip:a%4@demo.example',
    'sip:a@demo.example:99999',
    'sip:a@demo.example:',
    'sip:a@demo.example;x=%zz',
    'sip:a@demo.example;;lr',
    'sip:a@[::1',
    'sip:a@demo.example\r\n',
    '<sip:a@demo.example>',
    'tel:+1555',
    'demo.example',
  ])('refuses %j', (text) => {
    expect(parseUri(text)).toBeUndefined();
  });
});

describe('uriScheme', () => {
  it.each([
    ['SIP:a@b', 'sip'],
    ['soap.beep://x', 'soap.beep'],
    ['a@b', undefined],
    [':x', undefined],
  ])('of %j is %j', (text, scheme) => {
    expect(uriScheme(text)).toBe(scheme);
  });
});

describe('addresses of record', () => {
  it.each([
    ['1001', 'Demo.Example', 'sip:1001@demo.example'],
    ['a b@c', 'demo.example', 'sip:a%20b%40c@demo.example'],
    ['世', 'demo.example', 'sip:%E4%B8%96@demo.example'],
    ['\0"<>', 'demo.example', 'sip:%00%22%3C%3E@demo.example'],
    ['\ud800', 'demo.example', 'sip:%EF%BF%BD@demo.example'],
    ['', 'demo.example', 'sip:demo.example'],
  ])('formats user %j of %j', (user, domain, aor) => {
    expect(formatAor(user, domain)).toBe(aor);
  });

  it('leave out scheme security, port, parameters and needless escapes', () => {
    const uri = parseUri('sips:%31001@Demo.Example:5061;transport=wss');
    expect(uri && formatAor(uri.user, uri.host)).toBe('sip:1001@demo.example');
  });
});
