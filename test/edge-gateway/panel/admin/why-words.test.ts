import { describe, expect, test } from 'vitest';
import type { Change } from '#gateway/panel/admin/shapes.ts';
import { answerText, causeText, dialogText } from '#gateway/panel/admin/why-words.ts';

const NONE = { publication: undefined, publisher: undefined, entityTag: undefined, event: undefined, by: undefined };
const because = (source: Partial<Change['sources'][number]> & { cause: string }) =>
  causeText({ ...NONE, ...source }, 'demo.example');

describe('why a lamp is as it is', () => {
  test.each([
    [{ cause: 'publication', publisher: 'sip:pbx@demo.example', event: 'dialog' }, 'Published by pbx (dialog)'],
    [{ cause: 'call', publisher: 'system', event: 'dialog' }, 'A call of this system'],
    [{ cause: 'source', publisher: 'source:crm', event: 'presence' }, 'Told over HTTP by crm (presence)'],
    [{ cause: 'expiry', publisher: 'sip:pbx@demo.example', event: 'dialog' }, 'Ran out: it was told by pbx (dialog)'],
    [{ cause: 'reset', by: 'lf_0123456789ab' }, 'Reset by hand with lf_0123456789ab'],
    [{ cause: 'removal', publisher: 'system', event: 'dialog' }, 'Taken back by this system (dialog)'],
    [{ cause: 'registration' }, 'A device came or went'],
    [{ cause: 'magic' }, 'magic'],
  ])('%j: %s', (source, words) => {
    expect(because(source)).toBe(words);
  });

  test('a dialog: how it stands, and with whom', () => {
    expect(
      dialogText(
        {
          state: 'confirmed',
          direction: 'initiator',
          remote: { uri: 'sip:1002@demo.example', displayName: undefined },
        },
        'demo.example',
      ),
    ).toBe('Talking, to 1002');
    expect(
      dialogText(
        { state: 'early', direction: 'recipient', remote: { uri: undefined, displayName: 'Ada' } },
        'demo.example',
      ),
    ).toBe('Ringing, from Ada');
    expect(dialogText({ state: 'early', direction: undefined }, 'demo.example')).toBe('Ringing');
  });

  test('what became of a NOTIFY', () => {
    const notify = {
      sentAt: '',
      cseq: 7,
      presentityVersion: 3,
      documentVersion: 1,
      answer: undefined,
      timedOut: undefined,
      roundTripMs: undefined,
    };
    expect(answerText({ ...notify, answer: 200, roundTripMs: 12 })).toBe('answered 200 after 12 ms');
    expect(answerText({ ...notify, timedOut: true })).toBe('nobody answered');
    expect(answerText(notify)).toBe('not answered yet, or overtaken by the next');
  });
});
