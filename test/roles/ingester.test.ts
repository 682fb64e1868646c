import { beforeEach, describe, expect, it } from 'vitest';
import { DependencyUnavailable } from '#core/error.ts';
import { dialogWord, presenceWord, type Word } from '#core/ingest.ts';
import { composePresence } from '#core/presence.ts';
import { composeDialogs } from '#core/presentity.ts';
import { type IngesterPorts, ingest, reconcile } from '#roles/ingester.ts';
import { sweep } from '#roles/sweeper.ts';
import { listedSources } from '#table/keys.ts';
import { loadPresentity } from '#table/presentity-item.ts';
import { loadReported, removeReported } from '#table/source-item.ts';
import type { Table } from '#table/table.ts';
import { userItem } from '#table/user-item.ts';
import { T0 } from '#test/support/envelope.ts';
import { openMemoryTable } from '#test/support/memory-table.ts';

const DOMAIN = 'demo.example';

let table: Table;
let ports: IngesterPorts;
let count = 0;

beforeEach(async () => {
  table = openMemoryTable();
  ports = { table, uniqueText: () => String(++count) };
  for (const user of ['1001', '1002', '1003'])
    await table.put(userItem({ domain: DOMAIN, user, role: 'user', sealedHa1: 'sealed' }));
});

type State = Parameters<typeof dialogWord>[0]['state'];
const said = (sequence: number, source = 'pbx', leaseSeconds = 60) => ({ source, sequence, leaseSeconds });
const dialog = (id: string, state: State, sequence: number, source?: string, nowMs = T0, isOfSnapshot = false) =>
  dialogWord(
    { id, state, remote: { uri: 'sip:+4930123@example.com', displayName: 'Ann' } },
    { ...said(sequence, source), isOfSnapshot },
    nowMs,
  );

async function say(user: string, word: Word, nowMs = T0) {
  const [result] = await ingest([{ user, word }], DOMAIN, ports, nowMs);
  return result;
}
const stateOf = (user: string) => loadPresentity(table, { domain: DOMAIN, user });
const lamps = async (user: string, nowMs = T0): Promise<string[]> =>
  composeDialogs((await stateOf(user)).publications, nowMs).map(({ id, state }) => `${id} ${state}`);
const presence = async (user: string) => {
  const { tuples, activities } = composePresence(await stateOf(user), T0);
  return [...tuples.map(({ basic, notes }) => `${basic} ${notes}`), ...activities.map(({ name }) => name)];
};
const snapshot = (sequence: number, users: Record<string, readonly [string, State][]>, nowMs = T0) => {
  const words = Object.entries(users).flatMap(([user, dialogs]) =>
    dialogs.map(([id, state]) => ({ user, word: dialog(id, state, sequence, undefined, nowMs, true) })),
  );
  return reconcile({ domain: DOMAIN, source: 'pbx', sequence, words }, ports, nowMs);
};

describe('words of a source', () => {
  it('stand by their numbers, and a late one changes nothing', async () => {
    expect(await lamps('1001')).toEqual(['0000 terminated']);
    expect(await say('1001', dialog('a', 'early', 10))).toEqual({ kind: 'applied' });
    expect(await say('1001', dialog('a', 'confirmed', 11))).toEqual({ kind: 'applied' });
    const { version } = await stateOf('1001');
    expect(await say('1001', dialog('a', 'terminated', 9))).toEqual({ kind: 'late', sequence: 11 });
    expect(await say('1001', dialog('a', 'confirmed', 11))).toEqual({ kind: 'late', sequence: 11 });
    expect([await lamps('1001'), (await stateOf('1001')).version]).toEqual([['a confirmed'], version]);
    expect(await say('1001', dialog('a', 'terminated', 12))).toEqual({ kind: 'applied' });
    expect(await lamps('1001')).toEqual(['a terminated']);
  });

  it('with the same number count by how far they go', async () => {
    await say('1001', dialog('a', 'confirmed', 5));
    expect(await say('1001', dialog('a', 'early', 5))).toEqual({ kind: 'late', sequence: 5 });
    expect(await say('1001', dialog('a', 'terminated', 5))).toEqual({ kind: 'applied' });
    expect(await lamps('1001')).toEqual(['a terminated']);
  });

  it('use a name again for the next call', async () => {
    await say('1001', dialog('line1', 'terminated', 5));
    expect(await say('1001', dialog('line1', 'early', 6))).toEqual({ kind: 'applied' });
    expect(await lamps('1001')).toEqual(['line1 early']);
  });

  it('are refused when an end that came earlier is later, for some minutes', async () => {
    expect(await say('1001', dialog('a', 'terminated', 8))).toEqual({ kind: 'applied' });
    await sweep({ table, telemetry: { log: () => undefined }, startWebhook: async () => undefined }, T0 + 200_000);
    expect(await say('1001', dialog('a', 'early', 7, 'pbx', T0 + 200_000), T0 + 200_000)).toEqual({
      kind: 'late',
      sequence: 8,
    });
    const { version } = await stateOf('1001');
    await sweep({ table, telemetry: { log: () => undefined }, startWebhook: async () => undefined }, T0 + 300_001);
    const after = await stateOf('1001');
    // Nobody is told that a dialog which had ended is now forgotten.
    expect([after.publications, after.version]).toEqual([[], version]);
  });

  it('of several sources stand side by side', async () => {
    await say('1001', dialog('a', 'confirmed', 5, 'pbx'));
    await say('1001', dialog('a', 'early', 1, 'crm'));
    expect((await lamps('1001')).toSorted()).toEqual(['a confirmed', 'a-2 early']);
    await say('1001', dialog('a', 'terminated', 6, 'pbx'));
    expect(await lamps('1001')).toEqual(['a-2 early']);
  });

  it('end with their lease, as a change that is published', async () => {
    await say('1001', dialog('a', 'confirmed', 5));
    const { version } = await stateOf('1001');
    await sweep({ table, telemetry: { log: () => undefined }, startWebhook: async () => undefined }, T0 + 60_000);
    const after = await stateOf('1001');
    expect([after.publications, after.version]).toEqual([[], version + 1]);
  });

  it('about a Call-ID without tags do not end another dialog of the same', async () => {
    const leg = (id: string, state: State, sequence: number) =>
      dialogWord({ id, state, callId: 'shared' }, said(sequence), T0);
    await say('1001', leg('a', 'confirmed', 1));
    await say('1001', leg('b', 'early', 2));
    await say('1001', leg('a', 'terminated', 3));
    expect(await lamps('1001')).toEqual(['b early']);
  });

  it('about presence are shown, replaced and taken back', async () => {
    const away = presenceWord({ basic: 'open', activities: ['away'], note: 'Lunch' }, said(1), T0);
    expect(await say('1001', away)).toEqual({ kind: 'applied' });
    expect(await presence('1001')).toEqual(['open Lunch', 'away']);
    expect(await say('1001', presenceWord({ basic: 'closed' }, said(3), T0))).toEqual({ kind: 'applied' });
    expect(await say('1001', presenceWord({ basic: 'open' }, said(2), T0))).toEqual({ kind: 'late', sequence: 3 });
    expect(await presence('1001')).toEqual(['closed ']);
    expect(await say('1001', presenceWord(undefined, said(4), T0))).toEqual({ kind: 'applied' });
    // Nothing is published, so registration speaks.
    expect(await presence('1001')).toEqual(['closed ']);
    expect((await stateOf('1001')).publications.map(({ content }) => content.kind)).toEqual(['dialogs']);
    expect(await say('1001', away)).toEqual({ kind: 'late', sequence: 4 });
  });

  it('about a user who is not there have that as their result', async () => {
    const words = [
      { user: 'nobody', word: dialog('a', 'confirmed', 1) },
      { user: '1001', word: dialog('a', 'early', 1) },
      { user: '1001', word: dialog('a', 'confirmed', 2) },
      { user: '1001', word: dialog('a', 'early', 1) },
    ];
    const results = await ingest(words, DOMAIN, ports, T0);
    expect(results).toEqual([
      { kind: 'unknownUser' },
      { kind: 'applied' },
      { kind: 'applied' },
      { kind: 'late', sequence: 2 },
    ]);
    expect((await stateOf('nobody')).version).toBe(0);
  });

  it('cost one UpdateItem each once their source is known there', async () => {
    let [updates, others] = [0, 0];
    const counting: Table = {
      ...table,
      update(...given) {
        updates += 1;
        return table.update(...given);
      },
      put(...given) {
        others += 1;
        return table.put(...given);
      },
      get(...given) {
        others += 1;
        return table.get(...given);
      },
    };
    await say('1001', dialog('a', 'early', 1));
    await ingest([{ user: '1001', word: dialog('a', 'confirmed', 2) }], DOMAIN, { ...ports, table: counting }, T0);
    await ingest([{ user: '1001', word: dialog('b', 'early', 3) }], DOMAIN, { ...ports, table: counting }, T0);
    expect([updates, others]).toEqual([2, 0]);
  });

  it('are counted as publications, and refused when there are too many', async () => {
    const words = Array.from({ length: 201 }, (_, n) => ({ user: '1001', word: dialog(`d${n}`, 'early', n) }));
    const results = await ingest(words, DOMAIN, ports, T0);
    expect(results.map(({ kind }) => kind)).toEqual([...Array.from({ length: 200 }, () => 'applied'), 'full']);
    // One that stands can still change, and end.
    expect(await say('1001', dialog('d7', 'terminated', 900))).toEqual({ kind: 'applied' });
    expect(await say('1001', dialog('d7', 'early', 899))).toEqual({ kind: 'late', sequence: 900 });
  });

  it('of too many sources of one tenant are refused', async () => {
    for (let n = 0; n < 50; n += 1) await say('1001', dialog('a', 'terminated', 1, `source-${n}`));
    expect(await say('1001', dialog('a', 'early', 1, 'one-more'))).toEqual({ kind: 'tooManySources' });
    const listed = await table.query({
      index: 'listed',
      keyCondition: 'listedAs = :as',
      values: { ':as': listedSources(DOMAIN) },
    });
    expect(listed).toHaveLength(50);
  });

  it('that the table does not take have that as their result, alone', async () => {
    const failing: Table = {
      ...table,
      update: (key, update) => {
        if (key.PK.endsWith('#1002')) throw new DependencyUnavailable('away');
        return table.update(key, update);
      },
    };
    const words = ['1001', '1002', '1003'].map((user) => ({ user, word: dialog('a', 'early', 1) }));
    const results = await ingest(words, DOMAIN, { ...ports, table: failing }, T0);
    expect(results.map(({ kind }) => kind)).toEqual(['applied', 'unavailable', 'applied']);
  });

  it('that were written although their answer was lost are told as applied', async () => {
    let isFirst = true;
    const losing: Table = {
      ...table,
      async update(key, update) {
        const result = await table.update(key, update);
        if (!isFirst || result.kind === 'refused') return result;
        isFirst = false;
        return table.update(key, update);
      },
    };
    const [result] = await ingest(
      [{ user: '1001', word: dialog('a', 'early', 1) }],
      DOMAIN,
      { ...ports, table: losing },
      T0,
    );
    expect([result, isFirst]).toEqual([{ kind: 'applied' }, false]);
  });
});

describe('a snapshot', () => {
  it('ends what its source said before and it lacks, and leaves what others say', async () => {
    await say('1001', dialog('a', 'confirmed', 1));
    await say('1001', dialog('b', 'early', 2));
    await say('1002', dialog('c', 'confirmed', 3));
    await say('1002', dialog('x', 'confirmed', 9, 'crm'));
    expect(
      await snapshot(10, { 1001: [['a', 'confirmed']], 1003: [['d', 'early']], nobody: [['e', 'early']] }),
    ).toEqual({
      ...{ kind: 'applied', set: 2, ended: 2, unknownUsers: ['nobody'], fullUsers: [] },
    });
    expect([await lamps('1001'), await lamps('1002'), await lamps('1003')]).toEqual([
      ['a confirmed'],
      ['x confirmed'],
      ['d early'],
    ]);
  });

  it('makes every older word late, also about users whom it does not name', async () => {
    await say('1001', dialog('a', 'confirmed', 1));
    await snapshot(10, { 1002: [['c', 'early']] });
    expect(await say('1001', dialog('a', 'confirmed', 5))).toMatchObject({ kind: 'late' });
    expect(await say('1001', dialog('b', 'confirmed', 10))).toMatchObject({ kind: 'late' });
    expect(await say('1003', dialog('b', 'confirmed', 9))).toEqual({ kind: 'late', sequence: 10 });
    expect(await say('1003', dialog('b', 'confirmed', 11))).toEqual({ kind: 'applied' });
    expect([await lamps('1001'), await lamps('1003')]).toEqual([['a terminated'], ['b confirmed']]);
  });

  it('that is late changes nothing, and neither does an older one that is still under way', async () => {
    await snapshot(10, { 1001: [['a', 'early']] });
    expect(await snapshot(9, {})).toEqual({ kind: 'late', sequence: 10 });
    expect(await lamps('1001')).toEqual(['a early']);
    await say('1001', dialog('a', 'confirmed', 12));
    await snapshot(11, {});
    expect(await lamps('1001')).toEqual(['a confirmed']);
  });

  it('renews the leases of what it names', async () => {
    await say('1001', dialog('a', 'confirmed', 1));
    await snapshot(2, { 1001: [['a', 'confirmed']] }, T0 + 50_000);
    await sweep({ table, telemetry: { log: () => undefined }, startWebhook: async () => undefined }, T0 + 60_000);
    expect(await lamps('1001', T0 + 60_000)).toEqual(['a confirmed']);
  });

  it('forgets who has been idle for a minute, and finds them again with their next call', async () => {
    const reported = async () => (await loadReported(table, { domain: DOMAIN, source: 'pbx' })).map(({ user }) => user);
    await say('1001', dialog('a', 'confirmed', 1));
    await snapshot(10, {}, T0 + 1_000);
    expect(await reported()).toEqual(['1001']);
    await snapshot(20, {}, T0 + 61_000);
    expect(await reported()).toEqual([]);
    expect(await say('1001', dialog('b', 'confirmed', 15), T0 + 62_000)).toEqual({ kind: 'late', sequence: 20 });
    expect(await say('1001', dialog('b', 'confirmed', 25), T0 + 62_000)).toEqual({ kind: 'applied' });
    expect(await reported()).toEqual(['1001']);
    await snapshot(30, {}, T0 + 200_000);
    expect(await lamps('1001')).toEqual(['b terminated', 'a terminated'].toSorted());
  });

  it('writes nothing where nothing changes', async () => {
    await snapshot(10, { 1001: [['a', 'early']] });
    const before = (await stateOf('1001')).version;
    expect(await snapshot(10, { 1001: [['a', 'early']] })).toMatchObject({ set: 0, ended: 0 });
    expect((await stateOf('1001')).version).toBe(before);
  });

  it('of many dialogs of one user comes in several writes', async () => {
    const words = Array.from({ length: 150 }, (_, n) => ({ user: '1001', word: dialog(`d${n}`, 'early', 1) }));
    await ingest(words, DOMAIN, ports, T0);
    expect(await snapshot(2, {})).toMatchObject({ ended: 150 });
    expect((await lamps('1001')).every((lamp) => lamp.endsWith('terminated'))).toBe(true);
  });

  it('that begins while a first word is under way makes it late', async () => {
    let isFirst = true;
    const slow: Table = {
      ...table,
      async get(key, options) {
        const item = await table.get(key, options);
        if (key.SK !== 'SOURCE' || !isFirst) return item;
        isFirst = false;
        await snapshot(10, {});
        return item;
      },
    };
    await say('1002', dialog('x', 'terminated', 0));
    const [result] = await ingest(
      [{ user: '1001', word: dialog('a', 'confirmed', 5) }],
      DOMAIN,
      { ...ports, table: slow },
      T0,
    );
    expect([result, isFirst, await lamps('1001')]).toEqual([
      ...[{ kind: 'late', sequence: 10 }, false, ['0000 terminated']],
    ]);
  });

  it('that is overtaken by a later one leaves alone what that one has done', async () => {
    await say('1001', dialog('a', 'early', 1));
    let isFirst = true;
    const slow: Table = {
      ...table,
      async getBatch(keys, options) {
        const items = await table.getBatch(keys, options);
        if (keys[0]?.SK !== 'STATE' || !isFirst) return items;
        isFirst = false;
        await snapshot(20, {});
        return items;
      },
    };
    const words = [{ user: '1001', word: dialog('a', 'confirmed', 10, undefined, T0, true) }];
    await reconcile({ domain: DOMAIN, source: 'pbx', sequence: 10, words }, { ...ports, table: slow }, T0);
    expect(await say('1001', dialog('b', 'confirmed', 15))).toMatchObject({ kind: 'late' });
    expect((await lamps('1001')).every((lamp) => lamp.endsWith('terminated'))).toBe(true);
  });

  it('keeps who has a later call, so that the next one ends it', async () => {
    await say('1001', dialog('a', 'confirmed', 20));
    await snapshot(10, {}, T0 + 61_000);
    expect(await lamps('1001')).toEqual(['a confirmed']);
    await snapshot(30, {}, T0 + 62_000);
    expect(await lamps('1001')).toEqual(['a terminated']);
  });

  it('forgets nobody who was entered again meanwhile', async () => {
    await say('1001', dialog('a', 'terminated', 1));
    const [before] = await loadReported(table, { domain: DOMAIN, source: 'pbx' });
    if (before === undefined) throw new Error('an entry was expected');
    await removeReported(table, { domain: DOMAIN, source: 'pbx' }, { ...before, enteredAtMs: before.enteredAtMs - 1 });
    expect(await loadReported(table, { domain: DOMAIN, source: 'pbx' })).toEqual([before]);
  });
});
