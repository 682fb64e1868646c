import { describe, expect, it } from 'vitest';
import type { Identity } from '#contract/schemas.ts';
import { SipRejection } from '#core/error.ts';
import { addressOfHeader, isStorable, mayPublishFor, requireOwnTenant } from '#core/identity.ts';
import { headerFieldsOf } from '#core/sip/message.ts';

const ALICE: Identity = { domain: 'demo.example', user: '1001', role: 'user' };
const PBX: Identity = { domain: 'demo.example', user: 'pbx', role: 'publisher' };

const named = (from: string, to: string) =>
  headerFieldsOf([
    ['From', from],
    ['To', to],
  ]);

describe('requireOwnTenant', () => {
  it('lets a request pass that stays in the tenant, whatever case, port and parameters', () => {
    const headers = named('"A" <sip:1001@DEMO.example:5061>;tag=1', 'sip:1002@demo.EXAMPLE;x=y');
    expect(() => requireOwnTenant(ALICE, 'sip:1002@demo.example;transport=ws', headers)).not.toThrow();
  });

  it.each([
    ['Request-URI', 'sip:1002@acme.example', '<sip:1001@demo.example>', '<sip:1002@demo.example>'],
    ['To', 'sip:1002@demo.example', '<sip:1001@demo.example>', '<sip:1002@acme.example>'],
    ['From', 'sip:1002@demo.example', '<sip:1001@acme.example>', '<sip:1002@demo.example>'],
    ['Request-URI with a subdomain', 'sip:1002@x.demo.example', '<sip:1001@demo.example>', '<sip:1002@demo.example>'],
    ['name of endless length', `sip:${'1'.repeat(300)}@demo.example`, '<sip:1@demo.example>', '<sip:1@demo.example>'],
  ])('refuses another %s with one and the same 403', (_what, requestUri, from, to) => {
    expect(() => requireOwnTenant(ALICE, requestUri, named(from, to))).toThrow(new SipRejection(403, 'Forbidden'));
  });
});

describe('mayPublishFor', () => {
  it.each([
    [ALICE, { domain: 'demo.example', user: '1001' }, true],
    [ALICE, { domain: 'demo.example', user: '1002' }, false],
    [ALICE, { domain: 'acme.example', user: '1001' }, false],
    [PBX, { domain: 'demo.example', user: '1002' }, true],
    [PBX, { domain: 'acme.example', user: 'pbx' }, false],
  ])('%o for %o: %s', (identity, presentity, allowed) => {
    expect(mayPublishFor(identity, presentity)).toBe(allowed);
  });
});

describe('addressOfHeader', () => {
  it('unescapes the user and lowers the domain', () => {
    expect(addressOfHeader(named('<sip:al%69ce@Demo.Example>', ''), 'from')).toEqual({
      domain: 'demo.example',
      user: 'alice',
    });
  });

  it.each(['', 'tel:+123', '<sip:@demo.example', '<mailto:a@b>'])('refuses From "%s" with 400', (from) => {
    expect(() => addressOfHeader(named(from, ''), 'from')).toThrow(new SipRejection(400, 'Bad From'));
  });
});

describe('isStorable', () => {
  it('bounds the names', () => {
    expect(isStorable({ domain: 'demo.example', user: '1'.repeat(256) })).toBe(true);
    expect(isStorable({ domain: 'demo.example', user: '1'.repeat(257) })).toBe(false);
    expect(isStorable({ domain: 'demo.example', user: '' })).toBe(false);
    expect(isStorable({ domain: 'd'.repeat(254), user: '1' })).toBe(false);
  });
});
