import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SipRejection } from '#core/error.ts';
import {
  composeMessageSummary,
  MESSAGE_CLASSES,
  type MessageSummary,
  parseMessageSummary,
  renderMessageSummary,
} from '#core/message-summary.ts';
import { T0 } from '#test/support/envelope.ts';
import { presentityOf, publicationOf } from '#test/support/presence.ts';

const ENTITY = 'sip:1002@demo.example';
const published = (id: string, summary: MessageSummary) =>
  publicationOf('message-summary', { kind: 'messages', summary }, { id });

function refusal(text: string): string {
  try {
    parseMessageSummary(text);
  } catch (error) {
    if (error instanceof SipRejection) return `${error.status} ${error.reason}`;
    throw error;
  }
  return 'accepted';
}

describe('parseMessageSummary (RFC 3842 section 5.2)', () => {
  it('reads status, account and counts, whatever the case, and leaves the headers of messages', () => {
    const text =
      'Messages-Waiting: Yes\r\nMessage-Account: sip:vm@demo.example\r\nvoice-message: 4/8 ( 1/2 )\r\nX-More: 1\r\nFax-Message:0/1\r\n\r\nTo: a\r\n';
    expect(parseMessageSummary(text)).toEqual({
      isWaiting: true,
      account: 'sip:vm@demo.example',
      counts: {
        'Voice-Message': { newMessages: 4, oldMessages: 8, urgent: { newMessages: 1, oldMessages: 2 } },
        'Fax-Message': { newMessages: 0, oldMessages: 1 },
      },
    });
    expect(parseMessageSummary('Messages-Waiting: no')).toEqual({ isWaiting: false, counts: {} });
  });

  it.each([
    ['nothing', '', '400 Bad Message Summary Line'],
    ['no status', 'Voice-Message: 1/2\r\n', '400 Missing Messages-Waiting'],
    ['another status', 'Messages-Waiting: maybe\r\n', '400 Bad Messages-Waiting'],
    ['counts that are none', 'Messages-Waiting: yes\r\nVoice-Message: many\r\n', '400 Bad Message Counts'],
    ['an account with blanks', 'Messages-Waiting: yes\r\nMessage-Account: a b\r\n', '400 Bad Message-Account'],
    ['a line without a name', 'Messages-Waiting: yes\r\nnonsense\r\n', '400 Bad Message Summary Line'],
  ])('refuses %s', (_what, text, reason) => {
    expect(refusal(text)).toBe(reason);
  });

  it('ends one way or the other for any text (property)', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (tail) => {
        expect(refusal(`Messages-Waiting: yes\r\n${tail}`)).toMatch(/^(?:accepted|400 )/);
      }),
    );
  });
});

const count = fc.nat(0xffff_ffff);
const pair = fc.record({ newMessages: count, oldMessages: count });
const summary: fc.Arbitrary<MessageSummary> = fc.record({
  isWaiting: fc.boolean(),
  account: fc.webUrl().map((url) => url.slice(0, 100)),
  counts: fc.dictionary(
    fc.constantFrom(...MESSAGE_CLASSES),
    fc.record(
      { newMessages: count, oldMessages: count, urgent: pair },
      { requiredKeys: ['newMessages', 'oldMessages'] },
    ),
  ),
});

describe('renderMessageSummary', () => {
  it('is read again as it was (property)', () => {
    fc.assert(
      fc.property(summary, (before) => {
        expect(parseMessageSummary(renderMessageSummary(ENTITY, before)[0])).toEqual({ ...before });
      }),
    );
  });
});

describe('composeMessageSummary', () => {
  it('tells that no message waits when nothing is published, with counts for phones that read only those', () => {
    const [text] = renderMessageSummary(ENTITY, composeMessageSummary(presentityOf([]), T0));
    expect(text).toBe('Messages-Waiting: no\r\nMessage-Account: sip:1002@demo.example\r\nVoice-Message: 0/0\r\n');
  });

  it('sums several mailboxes, and forgets those that have expired', () => {
    const a = published('a', parseMessageSummary('Messages-Waiting: yes\r\nVoice-Message: 2/1 (1/0)'));
    const b = published('b', parseMessageSummary('Messages-Waiting: no\r\nVoice-Message: 0/4'));
    const sum = composeMessageSummary(presentityOf([b, a]), T0);
    expect(sum).toEqual({
      isWaiting: true,
      counts: { 'Voice-Message': { newMessages: 2, oldMessages: 5, urgent: { newMessages: 1, oldMessages: 0 } } },
    });
    expect(composeMessageSummary(presentityOf([{ ...a, expiresAtMs: T0 }, b]), T0).isWaiting).toBe(false);
  });
});
