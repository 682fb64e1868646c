import { describe, expect, test } from 'vitest';
import { judgeNotifyAnswer, ServerTransactions, transactionKey } from '#gateway/transaction.ts';

describe('server transactions (RFC 3261 section 17.2)', () => {
  const key = transactionKey('z9hG4bK1', 'SUBSCRIBE', 'host:');

  test('a retransmission of a request in progress is absorbed, of an answered one gets the same answer', () => {
    const transactions = new ServerTransactions();
    expect(transactions.receive(key)).toEqual({ kind: 'new' });
    expect(transactions.receive(key)).toEqual({ kind: 'proceeding' });
    transactions.complete(key, 'SIP/2.0 200 OK');
    expect(transactions.receive(key)).toEqual({ kind: 'completed', response: 'SIP/2.0 200 OK' });
  });

  test('another method or sent-by with the same branch is another transaction', () => {
    const transactions = new ServerTransactions();
    transactions.receive(key);
    expect(transactions.receive(transactionKey('z9hG4bK1', 'PUBLISH', 'host:'))).toEqual({ kind: 'new' });
    expect(transactions.receive(transactionKey('z9hG4bK1', 'SUBSCRIBE', 'other:'))).toEqual({ kind: 'new' });
  });

  test('an answer is kept for one rotation and forgotten after the second', () => {
    const transactions = new ServerTransactions();
    transactions.receive(key);
    transactions.complete(key, 'answer');
    expect(transactions.rotate()).toBe(false);
    expect(transactions.receive(key)).toEqual({ kind: 'completed', response: 'answer' });
    expect(transactions.rotate()).toBe(true);
    expect(transactions.receive(key)).toEqual({ kind: 'new' });
  });

  test('a request in progress outlives any number of rotations', () => {
    const transactions = new ServerTransactions();
    transactions.receive(key);
    for (let round = 0; round < 5; round++) expect(transactions.rotate()).toBe(false);
    expect(transactions.receive(key)).toEqual({ kind: 'proceeding' });
  });
});

describe('answers to NOTIFY (RFC 6665 section 4.2.2, RFC 5057)', () => {
  test.each([
    [200, false, 'delivered'],
    [202, false, 'delivered'],
    [481, false, 'ended'],
    [404, false, 'ended'],
    [489, false, 'ended'],
    [604, false, 'ended'],
    [408, false, 'suspect'],
    [500, false, 'kept'],
    [500, true, 'retryAfter'],
    [503, true, 'retryAfter'],
    [400, false, 'kept'],
    [401, false, 'kept'],
    [302, false, 'kept'],
  ] as const)('%i with Retry-After %s: %s', (status, hasRetryAfter, verdict) => {
    expect(judgeNotifyAnswer(status, hasRetryAfter)).toBe(verdict);
  });
});
