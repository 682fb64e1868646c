import { expect, test } from 'vitest';
import {
  added,
  type ChatMessage,
  type Conversations,
  conversationWith,
  delivered,
  MESSAGES_KEPT,
  read,
  readConversations,
  unreadOfAll,
} from '#gateway/panel/chat/conversations.ts';
import { failureText } from '#gateway/panel/chat/messenger.ts';

const T0 = 1_700_000_000_000;
const NONE: Conversations = new Map();
const message = (id: string, delivery: ChatMessage['delivery']): ChatMessage => ({
  id,
  text: `text of ${id}`,
  atMs: T0,
  delivery,
});

test('what comes while nobody looks is unread until it is read', () => {
  const one = added(NONE, '1002', message('a', 'received'), false);
  const two = added(one, '1003', message('b', 'received'), false);
  expect([conversationWith(two, '1002').unread, unreadOfAll(two)]).toEqual([1, 2]);
  const after = read(two, '1002');
  expect([conversationWith(after, '1002').unread, unreadOfAll(after)]).toEqual([0, 1]);
  expect(read(after, '1002')).toBe(after);
});

test('what comes before the eyes, and what we write, is not unread', () => {
  const seen = added(NONE, '1002', message('a', 'received'), true);
  expect(unreadOfAll(added(seen, '1002', message('b', 'sending'), false))).toBe(0);
});

test('a message learns how far it came, the others do not', () => {
  const sent = added(added(NONE, '1002', message('a', 'sending'), true), '1002', message('b', 'sending'), true);
  const { messages } = conversationWith(delivered(sent, '1002', 'a', { delivery: 'kept' }), '1002');
  expect(messages.map(({ delivery }) => delivery)).toEqual(['kept', 'sending']);
});

test('only the last ones are kept', () => {
  let all = NONE;
  for (let count = 0; count <= MESSAGES_KEPT; count += 1)
    all = added(all, '1002', message(`m${count}`, 'received'), false);
  const { messages, unread } = conversationWith(all, '1002');
  expect([messages.length, messages[0]?.id, unread]).toEqual([MESSAGES_KEPT, 'm1', MESSAGES_KEPT]);
});

test('conversations survive a reload; what was being sent then is not known to have come', () => {
  const all = added(added(NONE, '1002', message('a', 'received'), false), '1002', message('b', 'sending'), true);
  const again = readConversations(JSON.parse(JSON.stringify([...all])));
  expect(conversationWith(again, '1002')).toEqual({
    messages: [message('a', 'received'), { ...message('b', 'failed') }],
    unread: 1,
  });
});

test.each([
  [null],
  [{}],
  [[['1002']]],
  [[['1002', { messages: [{ text: 1 }], unread: 0 }]]],
  [[[7, { messages: [], unread: 0 }]]],
])('%j is no conversation', (kept) => {
  expect(readConversations(kept)).toEqual(new Map());
});

test.each([
  [404, 'There is no such user.'],
  [480, 'Nobody is signed in there now.'],
  [503, 'The server did not answer.'],
  [488, 'The server answered 488 Odd.'],
])('a message refused with %i says why', (status, text) => {
  expect(failureText(status, 'Odd')).toBe(text);
});
