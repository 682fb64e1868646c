import { describe, expect, it } from 'vitest';
import { callerIdOf, dialledNumber, isFromTrunk, type Trunk, trunkUriOf } from '#core/trunk.ts';

const TRUNK: Trunk = { transport: 'TLS', host: 'sip.provider.example', port: 5061, addresses: [], callerId: {} };

describe('a number for the trunk', () => {
  it.each([
    ['+49 (30) 123-45.6', '+4930123456'],
    ['112', '112'],
    ['*21#', '*21#'],
    ['alice', undefined],
    ['', undefined],
    ['1'.repeat(33), undefined],
    ['12+3', undefined],
  ])('is read from %s', (user, number) => {
    expect(dialledNumber(user)).toBe(number);
  });

  it('stands in a Request-URI with host, port and transport; a # is escaped (RFC 3261 section 19.1.2)', () => {
    expect(trunkUriOf(TRUNK, '*21#')).toBe('sip:*21%23@sip.provider.example:5061;transport=tls');
    expect(trunkUriOf({ transport: 'TCP', host: '2001:db8::1', addresses: [] }, '1')).toBe(
      'sip:1@[2001:db8::1];transport=tcp',
    );
  });
});

it.each([
  [{}, 'sip:1001@sip.provider.example'],
  [{ prefix: '+4930' }, 'sip:+49301001@sip.provider.example'],
  [{ number: '+49309000', prefix: '+4930' }, 'sip:+49309000@sip.provider.example'],
])('the caller shows by the rule %o', (callerId, uri) => {
  expect(callerIdOf({ ...TRUNK, callerId }, '1001')).toBe(uri);
});

describe('a source address', () => {
  it.each([
    [['192.0.2.1'], '192.0.2.1', true],
    [['192.0.2.1'], '192.0.2.10', false],
    [['192.0.2.0/24'], '192.0.2.255', true],
    [['192.0.2.0/24'], '192.0.3.0', false],
    [['192.0.2.128/25'], '192.0.2.127', false],
    [['0.0.0.0/0'], '203.0.113.9', true],
    [['192.0.2.0/33'], '192.0.2.0', false],
    [['192.0.2.0/'], '192.0.2.0', false],
    [['2001:DB8::1'], '2001:db8::1', true],
    [['10.0.0.0/8'], '2001:db8::1', false],
    [['10.0.0.999/8'], '10.0.0.1', false],
    [[], '192.0.2.1', false],
  ])('%o allows %s: %s', (addresses, source, allowed) => {
    expect(isFromTrunk(addresses, source)).toBe(allowed);
  });
});
