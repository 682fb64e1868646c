import { describe, expect, it } from 'vitest';
import type { Dialog } from '#core/dialog.ts';
import { lampOf } from '#core/lamp.ts';
import { lampChange } from '#core/lamp-history.ts';
import { NO_STATE, type Presentity } from '#core/presentity.ts';
import type { Publication } from '#core/publication.ts';

const T0 = 1_700_000_000_000;
const PBX = 'sip:pbx@demo.example';

const dialog = (state: Dialog['state'], more: Partial<Dialog> = {}): Dialog => ({
  ...{ id: 'd1', callId: 'c1', localTag: 'l', remoteTag: 'r', direction: 'recipient', state },
  ...more,
});
const publication = (id: string, dialogs: readonly Dialog[], more: Partial<Publication> = {}): Publication => ({
  ...{ id, entityTag: `${id}.1`, event: 'dialog', publisher: PBX, expiresAtMs: T0 + 60_000, updatedAtMs: T0 },
  content: { kind: 'dialogs', live: dialogs, terminated: [], tombstones: [] },
  ...more,
});
const state = (publications: readonly Publication[], more: Partial<Presentity> = {}): Presentity => ({
  ...{ version: 7, changedAtMs: T0, publications },
  ...more,
});

describe('the word for a lamp', () => {
  const held: Partial<Dialog> = { local: { target: { uri: 'sip:a@b', params: [['+sip.rendering', 'no']] } } };
  it.each([
    ['idle', []],
    ['idle', [dialog('terminated')]],
    ['ringing', [dialog('early')]],
    ['ringing', [dialog('proceeding', { direction: undefined } as Partial<Dialog>)]],
    ['busy', [dialog('trying', { direction: 'initiator' })]],
    ['busy', [dialog('confirmed')]],
    ['held', [dialog('confirmed', held)]],
    ['ringing', [dialog('confirmed'), dialog('early', { id: 'd2', callId: 'c2' })]],
    ['busy', [dialog('confirmed', held), dialog('confirmed', { id: 'd2', callId: 'c2' })]],
  ] as const)('%s', (word, dialogs) => {
    expect(lampOf(state([publication('p1', dialogs)]), T0)).toBe(word);
  });

  it('is unknown while nobody has told anything, and idle when what was told has run out', () => {
    expect(lampOf(NO_STATE, T0)).toBe('unknown');
    expect(lampOf(state([publication('p1', [dialog('confirmed')])]), T0 + 60_000)).toBe('idle');
  });
});

describe('a change of a lamp', () => {
  const idle = state([]);

  it('has the publication that made it: who, which, entity-tag', () => {
    const remote = { identity: { uri: 'sip:1002@demo.example' } };
    const after = state([publication('p1', [dialog('confirmed', { remote })])], { version: 8, changedAtMs: T0 + 5 });
    expect(lampChange(idle, after)).toEqual({
      ...{ version: 8, atMs: T0 + 5, from: 'idle', to: 'busy', presence: 'open' },
      sources: [{ cause: 'publication', publication: 'p1', publisher: PBX, entityTag: 'p1.1', event: 'dialog' }],
      dialogs: [{ state: 'confirmed', direction: 'recipient', callId: 'c1', remote: 'sip:1002@demo.example' }],
    });
  });

  it('is none when a publication is only refreshed, or counts change', () => {
    const before = state([publication('p1', [dialog('confirmed')])]);
    const refreshed = state([
      publication('p1', [dialog('confirmed')], { entityTag: 'p1.2', expiresAtMs: T0 + 90_000 }),
    ]);
    expect(lampChange(before, { ...refreshed, version: 8, changes: { reg: 4 } })).toBeUndefined();
  });

  it('names only what was written, not what stands beside it', () => {
    const other = publication('p2', [dialog('confirmed', { id: 'd2', callId: 'c2' })]);
    const before = state([publication('p1', [dialog('early')]), other]);
    const after = state([publication('p1', [dialog('confirmed')], { entityTag: 'p1.2' }), other]);
    expect(lampChange(before, after)?.sources.map(({ publication }) => publication)).toEqual(['p1']);
  });

  it.each([
    ['call', { publisher: 'system' }],
    ['source', { publisher: 'source:hotel-pbx' }],
  ])('a %s is no PUBLISH', (cause, more) => {
    const after = state([publication('p1', [dialog('early')], more)]);
    expect(lampChange(idle, after)?.sources[0]?.cause).toBe(cause);
  });

  it('tells apart what ran out, what was removed, and what an operator removed', () => {
    const before = state([publication('p1', [dialog('confirmed')])]);
    const causeOf = (after: Presentity) => lampChange(before, after)?.sources;
    expect(causeOf(state([], { changedAtMs: T0 + 60_000 }))).toMatchObject([{ cause: 'expiry', publication: 'p1' }]);
    expect(causeOf(state([], { changedAtMs: T0 + 59_999 }))).toMatchObject([{ cause: 'removal' }]);
    const reset = { atMs: T0 + 9, by: 'lf_0123456789ab' };
    expect(causeOf(state([], { changedAtMs: T0 + 9, reset }))).toMatchObject([{ cause: 'reset', by: reset.by }]);
    expect(causeOf(state([], { changedAtMs: T0 + 10, reset }))).toMatchObject([{ cause: 'removal' }]);
    // Run out, but not swept yet, when somebody else wrote.
    const late = state([...before.publications, publication('p2', [])], { changedAtMs: T0 + 60_000 });
    expect(causeOf(late)).toMatchObject([
      { cause: 'publication', publication: 'p2' },
      { cause: 'expiry', publication: 'p1' },
    ]);
  });

  it('tells that a user registered, though the lamp is the same', () => {
    const after = state([], { registered: true, version: 8 });
    expect(lampChange(idle, after)).toMatchObject({
      ...{ from: 'idle', to: 'idle', registered: true, presence: 'open', sources: [{ cause: 'registration' }] },
    });
  });

  it('stays small, whatever is published', () => {
    const many = Array.from({ length: 60 }, (_, i) =>
      publication(`p${i}`, [dialog('early', { id: `d${i}`, callId: 'x'.repeat(4_000) + i, remoteTag: `r${i}` })]),
    );
    const change = lampChange(idle, state(many));
    expect(JSON.stringify(change).length).toBeLessThan(2_600);
    expect(change?.sources).toHaveLength(8);
  });
});
