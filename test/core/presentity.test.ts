import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DIALOG_RANK, type Dialog, type DialogState, dialogKey } from '#core/dialog.ts';
import { composeDialogs, dialogsFingerprint } from '#core/presentity.ts';
import type { DialogContent, Publication } from '#core/publication.ts';

const T0 = 1_700_000_000_000;
const PBX = 'sip:pbx@demo.example';

function dialog(name: string, state: DialogState): Dialog {
  return { id: name, callId: `call-${name}`, localTag: 'l', remoteTag: 'r', state };
}

function publication(id: string, dialogs: readonly Dialog[], more: Partial<Publication> = {}): Publication {
  const content: DialogContent = {
    kind: 'dialogs',
    live: dialogs.filter(({ state }) => state !== 'terminated'),
    terminated: dialogs.filter(({ state }) => state === 'terminated'),
    tombstones: [],
  };
  const base = { id, entityTag: `${id}.1`, event: 'dialog', publisher: PBX, expiresAtMs: T0 + 60_000, updatedAtMs: T0 };
  return { ...base, content, ...more };
}

function withTombstone(from: Publication, buried: Dialog): Publication {
  if (from.content.kind !== 'dialogs') throw new Error('dialogs were expected');
  return { ...from, content: { ...from.content, tombstones: [keyOf(buried)] } };
}
const keyOf = (each: Dialog) => dialogKey(each, { publisher: PBX, publicationId: 'any' });
const states = (publications: readonly Publication[], asOfMs = T0) =>
  composeDialogs(publications, asOfMs).map(({ id, state }) => `${id} ${state}`);

describe('composeDialogs', () => {
  it('shows one terminated dialog when there is nothing', () => {
    expect(composeDialogs([], T0)).toEqual([{ id: '0000', state: 'terminated' }]);
    expect(states([publication('p', [])])).toEqual(['0000 terminated']);
  });

  it('shows all live dialogs of all publishers, and terminated ones only when none is live', () => {
    const a = publication('a', [dialog('1', 'early'), dialog('2', 'terminated')]);
    const b = publication('b', [dialog('3', 'confirmed')], { publisher: 'sip:1002@demo.example' });
    expect(states([a, b])).toEqual(['3 confirmed', '1 early']);
    expect(states([publication('c', [dialog('2', 'terminated')])])).toEqual(['2 terminated']);
  });

  it('leaves out what has expired and what belongs to another event package', () => {
    const expired = publication('a', [dialog('1', 'early')], { expiresAtMs: T0 });
    const other = publication('b', [dialog('1', 'early')], { event: 'presence' });
    expect(states([expired, other])).toEqual(['0000 terminated']);
  });

  it('shows the same dialog of two publications of one publisher once, with its highest rank', () => {
    const lost = publication('a', [dialog('1', 'confirmed')]);
    const again = publication('b', [dialog('1', 'early')], { updatedAtMs: T0 + 1 });
    expect(states([lost, again])).toEqual(['1 confirmed']);
    expect(states([lost, publication('b', [dialog('1', 'terminated')])])).toEqual(['1 terminated']);
  });

  it('keeps a dialog terminated for other publications, but believes its own later word', () => {
    const buried = withTombstone(publication('a', []), dialog('1', 'terminated'));
    const late = publication('b', [dialog('1', 'early')]);
    expect(states([buried, late])).toEqual(['1 terminated']);
    const revived = withTombstone(publication('a', [dialog('1', 'confirmed')]), dialog('1', 'terminated'));
    expect(states([revived])).toEqual(['1 confirmed']);
  });

  it('does not take the branches of a fork for one another: only one of them ends', () => {
    const won = { ...dialog('1', 'confirmed'), remoteTag: 'winner' };
    const lost = { ...dialog('2', 'terminated'), callId: 'call-1', remoteTag: 'loser' };
    expect(states([publication('a', [won, lost])])).toEqual(['1 confirmed']);
  });

  it('makes ids unique', () => {
    const one = publication('a', [dialog('1', 'early')]);
    const two = publication('b', [dialog('1', 'early')], { publisher: 'sip:x@demo.example' });
    expect(new Set(composeDialogs([one, two], T0).map(({ id }) => id)).size).toBe(2);
  });
});

const anyState = fc.constantFrom<DialogState>('trying', 'proceeding', 'early', 'confirmed', 'terminated');
const anyDialogs = fc.array(fc.tuple(fc.constantFrom('1', '2', '3'), anyState), { maxLength: 4 });
const anyPublications = fc
  .array(fc.tuple(anyDialogs, fc.integer({ min: 0, max: 3 }), fc.constantFrom(PBX, 'sip:x@demo.example')), {
    maxLength: 6,
  })
  .map((all) =>
    all.map(([dialogs, updated, publisher], index) =>
      publication(
        `p${index}`,
        dialogs.map(([name, state]) => dialog(name, state)),
        { updatedAtMs: T0 + updated, publisher },
      ),
    ),
  );

describe('a lamp (properties)', () => {
  it('is the same for every order of the same publications', () => {
    const inTwoOrders = anyPublications.chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length })),
    );
    fc.assert(
      fc.property(inTwoOrders, ([all, shuffled]) => {
        expect(dialogsFingerprint(composeDialogs(shuffled, T0))).toBe(dialogsFingerprint(composeDialogs(all, T0)));
      }),
      { numRuns: 1_000 },
    );
  });

  it('is the same when publications come twice under another entity-tag', () => {
    fc.assert(
      fc.property(anyPublications, (all) => {
        const twice = all.map((each) => ({ ...each, id: `${each.id}-again` }));
        expect(composeDialogs([...all, ...twice], T0).map(({ id, state }) => [id, state])).toEqual(
          composeDialogs(all, T0).map(({ id, state }) => [id, state]),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('never goes backwards by another publication of the same publisher', () => {
    fc.assert(
      fc.property(anyState, fc.array(anyState, { maxLength: 5 }), (first, others) => {
        const all = [first, ...others].map((state, index) => publication(`p${index}`, [dialog('1', state)]));
        const ranks = all.map(
          (_, count) => DIALOG_RANK[composeDialogs(all.slice(0, count + 1), T0)[0]?.state ?? 'trying'],
        );
        expect(ranks).toEqual([...ranks].sort((left, right) => left - right));
      }),
      { numRuns: 500 },
    );
  });
});

describe('dialogsFingerprint', () => {
  it('does not see the time', () => {
    const one = [{ ...dialog('1', 'early'), startedAtMs: T0 }];
    expect(dialogsFingerprint(one)).toBe(dialogsFingerprint([{ ...dialog('1', 'early'), startedAtMs: T0 + 5_000 }]));
    expect(dialogsFingerprint(one)).not.toBe(dialogsFingerprint([dialog('1', 'confirmed')]));
  });
});
