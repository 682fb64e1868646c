import { expect, test } from 'vitest';
import { parseMessage } from '#core/sip/message.ts';
import { judgeAnswer } from '#gateway/lamps/lamp-watch.ts';

function answer(status: number) {
  const lines = [
    `SIP/2.0 ${status} Some Reason`,
    'Via: SIP/2.0/WS c.invalid;branch=z9hG4bK1',
    'From: <sip:1001@demo.example>;tag=a',
    'To: <sip:1002@demo.example>;tag=b',
    'Call-ID: c',
    'CSeq: 1 SUBSCRIBE',
    'Content-Length: 0',
  ];
  const text = `${lines.join('\r\n')}\r\n\r\n`;
  const parsed = parseMessage(text, text.length);
  if (parsed.kind !== 'response') throw new Error(parsed.kind);
  return parsed;
}

test('a number that was used within the second is tried with the next one before the subscription is given up', () => {
  expect(judgeAnswer(answer(500), true, 0)).toEqual({ kind: 'later', afterSeconds: 1 });
  expect(judgeAnswer(answer(500), true, 1)).toEqual({ kind: 'anew' });
});

test('a subscription that is not there any more is opened anew at once', () => {
  expect(judgeAnswer(answer(481), true, 0)).toEqual({ kind: 'anew' });
  expect(judgeAnswer(answer(481), false, 0)).toEqual({ kind: 'refused' });
});
