/** The RFCs' tables of answers, row by row, over the wire against the whole local stack. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { type ReceivedMessage, SipClient } from '#test/support/sip-client.ts';
import { GENERIC_ROWS } from './generic-rows.ts';
import { LIST_ROWS } from './list-rows.ts';
import { MESSAGE_ROWS } from './message-rows.ts';
import { NOTIFY_ANSWER_ROWS, NOTIFY_ROWS, type NotifyAnswerRow, type NotifyRow } from './notify-rows.ts';
import { PUBLISH_ROWS } from './publish-rows.ts';
import { REGISTER_ROWS } from './register-rows.ts';
import { type Row, send } from './stimulus.ts';
import { SUBSCRIBE_ROWS } from './subscribe-rows.ts';

let stack: LocalStack;
beforeAll(async () => {
  stack = await startStack();
}, 90_000);
afterAll(() => stack.stop());

/** A client whose flow is identified, for all rows of one table. */
function identified(user: string): () => SipClient {
  let client: SipClient;
  beforeAll(async () => {
    client = await SipClient.connect(stack.url(), user);
    expect((await client.register()).status).toBe(200);
  });
  afterAll(() => client.close());
  return () => client;
}

function requireHeaders(answer: ReceivedMessage, has: Row['has'] = {}): void {
  for (const [name, expected] of Object.entries(has)) {
    if (expected === undefined) expect(answer.headers(name), name).toEqual([]);
    else
      expect(answer.header(name), name).toMatch(
        typeof expected === 'string' ? new RegExp(`^${expected.replace(/[.+*/[\]{}()?$^|]/g, '\\$&')}$`) : expected,
      );
  }
}

describe.each([
  ['any request', '1001', GENERIC_ROWS],
  ['SUBSCRIBE', '1001', SUBSCRIBE_ROWS],
  ['SUBSCRIBE for lists', '1001', LIST_ROWS],
  ['PUBLISH', 'pbx', PUBLISH_ROWS],
  ['REGISTER', '1003', REGISTER_ROWS],
  ['MESSAGE', '1001', MESSAGE_ROWS],
])('answers to %s', (_name, user, rows) => {
  const client = identified(user);
  it.each(rows.map((row): [string, Row] => [`RFC ${row.rfc}: ${row.name} → ${row.status}`, row]))(
    '%s',
    async (_, row) => {
      const answer = typeof row.send === 'function' ? await row.send(client()) : await send(client(), row.send);
      expect({ status: answer.status, line: answer.startLine }).toMatchObject({ status: row.status });
      if (row.reason !== undefined) expect(answer.startLine).toBe(`SIP/2.0 ${row.status} ${row.reason}`);
      requireHeaders(answer, row.has);
    },
  );
});

describe('NOTIFYs', () => {
  const client = identified('1001');
  it.each(NOTIFY_ROWS.map((row): [string, NotifyRow] => [`RFC ${row.rfc}: ${row.name}`, row]))('%s', async (_, row) => {
    const notify = await row.cause(client());
    requireHeaders(notify, row.has);
    expect(notify.body !== '').toBe(row.hasBody);
    expect(Number(notify.header('content-length'))).toBe(Buffer.byteLength(notify.body));
  });
});

describe('answers to a NOTIFY', () => {
  const client = identified('1002');
  it.each(NOTIFY_ANSWER_ROWS.map((row): [string, NotifyAnswerRow] => [`RFC ${row.rfc}: ${row.name}`, row]))(
    '%s',
    async (_, { status, headers, times = 1, lives }) => {
      const watcher = client();
      const subscription = await watcher.subscribe('1013');
      watcher.answerNotify = undefined;
      for (let time = 0; time < times; time++) {
        const notified = subscription.nextNotify();
        await subscription.refresh(600);
        watcher.respond(await notified, status, headers);
      }
      watcher.answerNotify = () => 200;
      // On one flow, in order: the answer is there before this refresh.
      expect((await subscription.refresh(600)).status).toBe(lives ? 200 : 481);
      if (lives)
        expect((await subscription.nextNotify('', { since: 0 })).header('subscription-state')).toMatch(/^active/);
      if (lives) await subscription.refresh(0);
    },
  );
});
