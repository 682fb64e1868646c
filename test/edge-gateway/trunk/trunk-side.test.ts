import { describe, expect, it } from 'vitest';
import { parseMessage, type SipRequest, type SipResponse } from '#core/sip/message.ts';
import { composeForCall, composeForTrunk, TrunkSide } from '#gateway/trunk/trunk-side.ts';

const NOTHING = { credentials: [], invite: () => undefined };
function requestOf(method: string, ...headers: string[]): SipRequest {
  const lines = [`${method} sip:1@trunk SIP/2.0`, 'Via: SIP/2.0/WS a.invalid;branch=1, SIP/2.0/WS b.invalid;branch=2'];
  const parsed = parseMessage([...lines, ...headers, 'Content-Length: 0', '', ''].join('\r\n'));
  if (parsed.kind !== 'request') throw new Error(parsed.kind);
  return parsed;
}

describe('CSeq numbers towards a trunk only go up (RFC 3261 section 12.2.1.1)', () => {
  it('as the device counts, until a request goes out again', () => {
    const side = new TrunkSide();
    expect([side.first(5), side.first(6)]).toEqual([5, 6]);
    expect(side.again()).toBe(7);
    expect(side.first(7)).toBe(8);
  });

  it('also when another request overtook the one that goes out again', () => {
    const side = new TrunkSide();
    expect([side.first(1), side.again(), side.first(2), side.first(3)]).toEqual([1, 2, 3, 4]);
    expect([side.again(), side.again()]).toEqual([5, 6]);
    expect(side.first(4)).toBe(7);
  });

  it('keeps the numbers of the last 32 INVITEs', () => {
    const side = new TrunkSide();
    for (let given = 1; given <= 33; given++) side.sentInvite(given, { sequence: given + 1, credentials: [] });
    expect(side.invite(1)).toBeUndefined();
    expect(side.invite(33)?.sequence).toBe(34);
  });
});

describe('a request for a trunk', () => {
  it('has our Via in place of the first one, its own number and credentials', () => {
    const text = composeForTrunk(requestOf('INFO', 'CSeq: 2 INFO'), {
      ...NOTHING,
      ...{ via: 'SIP/2.0/TCP us:5070;branch=3', sequence: 9, credentials: [['Authorization', 'Digest x']] },
    });
    expect(text).toContain('Via: SIP/2.0/TCP us:5070;branch=3\r\nVia: SIP/2.0/WS b.invalid;branch=2\r\n');
    expect(text).not.toContain('a.invalid');
    expect(text).toContain('CSeq: 9 INFO\r\n');
    expect(text).toContain('Authorization: Digest x\r\n');
  });

  it('names an INVITE in RAck by the number that the trunk knows (RFC 3262)', () => {
    const invite = (given: number) => (given === 1 ? { sequence: 2, credentials: [] } : undefined);
    const of = (rack: string) =>
      composeForTrunk(requestOf('PRACK', 'CSeq: 2 PRACK', `RAck: ${rack}`), {
        ...NOTHING,
        ...{ via: 'SIP/2.0/TCP us;branch=3', sequence: 3, invite },
      });
    expect(of('776656 1 INVITE')).toContain('RAck: 776656 2 INVITE\r\n');
    expect(of('776656 4 INVITE')).toContain('RAck: 776656 4 INVITE\r\n');
  });
});

describe('an answer for the call', () => {
  const lines = ['SIP/2.0 407 Proxy', 'Via: SIP/2.0/TCP us;branch=3', 'CSeq: 9 INVITE', 'Proxy-Authenticate: Digest x'];
  const answer = parseMessage([...lines, 'Content-Length: 0', '', ''].join('\r\n')) as SipResponse;

  it('has the number that the device knows', () => {
    expect(composeForCall(answer, 8).get('cseq')).toBe('8 INVITE');
    expect(composeForCall(answer, 8).status).toBe(407);
  });

  it('asks nobody for the credentials of the trunk', () => {
    const other = composeForCall(answer, 8, [502, 'Bad Gateway']);
    expect(other.status).toBe(502);
    expect(other.get('proxy-authenticate')).toBeUndefined();
  });
});
