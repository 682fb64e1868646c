import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Dialog } from '#core/dialog.ts';
import { parsePidf } from '#core/pidf.ts';
import { basicStatusOf, composePresence, presenceFingerprint } from '#core/presence.ts';
import type { Presentity } from '#core/presentity.ts';
import type { Publication } from '#core/publication.ts';
import { renderXpidf } from '#core/xpidf.ts';
import { T0 } from '#test/support/envelope.ts';
import { activities, pidf, presentityOf, publicationOf, tupleElement } from '#test/support/presence.ts';

const published = (id: string, inside: string, more: Partial<Publication> = {}): Publication =>
  publicationOf('presence', { kind: 'presence', presence: parsePidf(pidf(inside)) }, { id, ...more });
const calling = (state: Dialog['state'], direction: Dialog['direction'] = 'recipient'): Publication => {
  const dialog: Dialog = { id: 'd', callId: 'c', state, ...(direction && { direction }) };
  return publicationOf('dialog', { kind: 'dialogs', live: [dialog], terminated: [], tombstones: [] }, { id: 'calls' });
};
const shown = (presentity: Presentity, asOfMs = T0) => {
  const presence = composePresence(presentity, asOfMs);
  const notes = presence.tuples.flatMap((tuple) => tuple.notes);
  return [basicStatusOf(presence), ...presence.activities.map(({ name }) => name), ...notes].join(' ');
};

describe('composePresence without a publication', () => {
  it.each<[string, Presentity, string]>([
    ['registered', presentityOf([], { registered: true }), 'open'],
    ['never registered', presentityOf([]), 'closed'],
    ['unregistered', presentityOf([], { registered: false }), 'closed'],
    ['in a call', presentityOf([calling('confirmed')], { registered: true }), 'open on-the-phone On the phone'],
    ['calling', presentityOf([calling('trying', 'initiator')], { registered: true }), 'open on-the-phone On the phone'],
    ['ringing', presentityOf([calling('early')], { registered: true }), 'open Ringing'],
    ['in a call that only a PBX knows of', presentityOf([calling('confirmed')]), 'open on-the-phone On the phone'],
  ])('tells %s', (_what, presentity, expected) => {
    expect(shown(presentity)).toBe(expected);
  });

  it('forgets a call whose publication has expired', () => {
    expect(shown(presentityOf([calling('confirmed')], { registered: true }), T0 + 60_000)).toBe('open');
  });
});

describe('composePresence of publications', () => {
  it('is open when one device is, and shows the open ones first', () => {
    const desk = published('b', tupleElement('t', 'closed'));
    const mobile = published('c', tupleElement('t', 'open'));
    const presence = composePresence(presentityOf([desk, mobile]), T0);
    expect(presence.tuples.map(({ id, basic }) => `${id} ${basic}`)).toEqual(['t-2 open', 't closed']);
    expect(basicStatusOf(presence)).toBe('open');
    expect(shown(presentityOf([desk], { registered: true }))).toBe('closed');
  });

  it('tells do-not-disturb from idle and from a call, and shows both when both are true', () => {
    const dnd = published('a', `${tupleElement('t', 'open')}${activities('busy')}<note>Do not disturb</note>`);
    expect(shown(presentityOf([dnd]))).toBe('open busy');
    expect(composePresence(presentityOf([dnd]), T0).notes).toEqual(['Do not disturb']);
    expect(shown(presentityOf([dnd, calling('confirmed')]))).toBe('open busy on-the-phone');
    const onThePhone = published('a', `${tupleElement('t', 'open')}${activities('on-the-phone')}`);
    expect(shown(presentityOf([onThePhone, calling('confirmed')]))).toBe('open on-the-phone');
  });

  it('falls back to registration when the last publication has expired', () => {
    const away = published('a', `${tupleElement('t', 'closed')}${activities('away')}`);
    expect(shown(presentityOf([away], { registered: true }))).toBe('closed away');
    expect(shown(presentityOf([away], { registered: true }), T0 + 60_000)).toBe('open');
  });

  it('lets `unknown` of one device not hide what another knows', () => {
    const each = (...names: string[]) => names.map((name, at) => published(String(at), activities(name)));
    expect(shown(presentityOf(each('unknown', 'meeting')))).toBe('closed meeting');
    expect(shown(presentityOf(each('unknown')))).toBe('closed unknown');
  });

  it('is the same for any order of publications (property)', () => {
    const all = ['open', 'closed', 'open'].map((basic, at) =>
      published(`p${at}`, `${tupleElement('t', basic)}${activities('busy', `x${at}`)}<note>n${at % 2}</note>`),
    );
    const fingerprint = (publications: readonly Publication[]) =>
      presenceFingerprint(composePresence(presentityOf([...publications]), T0));
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: 3 }), (order) => {
        expect(fingerprint(order)).toBe(fingerprint(all));
      }),
    );
  });

  it('calls for no NOTIFY when only a timestamp differs', () => {
    const at = (time: string) =>
      presenceFingerprint(
        composePresence(
          presentityOf([published('a', tupleElement('t', 'open', `<timestamp>${time}</timestamp>`))]),
          T0,
        ),
      );
    expect(at('2026-11-21T12:00:00Z')).toBe(at('2026-11-21T13:00:00Z'));
  });
});

describe('renderXpidf', () => {
  it.each<[string, Presentity, string, string]>([
    ['idle', presentityOf([], { registered: true }), 'open', 'online'],
    ['in a call', presentityOf([calling('confirmed')], { registered: true }), 'inuse', 'onthephone'],
    ['unregistered', presentityOf([]), 'closed', 'offline'],
    ['do-not-disturb', presentityOf([published('a', tupleElement('t', 'open') + activities('busy'))]), 'open', 'busy'],
    ['away', presentityOf([published('a', tupleElement('t', 'open') + activities('away'))]), 'open', 'away'],
  ])('tells %s in the words that Polycom knows', (_what, presentity, status, substatus) => {
    const [document] = renderXpidf('sip:a"<&>@demo.example', composePresence(presentity, T0));
    expect(document).toContain(`<status status="${status}"/>\n<msnsubstatus substatus="${substatus}"/>`);
    expect(document).toContain('<presentity uri="sip:a&quot;&lt;&amp;&gt;@demo.example;method=SUBSCRIBE"/>');
  });
});
