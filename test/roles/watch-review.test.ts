import { beforeEach, describe, expect, it } from 'vitest';
import type { Address } from '#core/identity.ts';
import { stateKey } from '#table/keys.ts';
import { listItem } from '#table/list-item.ts';
import { loadPresentity } from '#table/presentity-item.ts';
import { loadReview } from '#table/review-item.ts';
import { loadStandingWatchers } from '#table/watcher-access.ts';
import { loadWatchers } from '#table/watcher-item.ts';
import { HOME, OTHER, startWorld, userOf, type World } from '#test/support/watch-world.ts';

const ALICE = userOf('1001');
const BOB: Address = { domain: HOME, user: '1002' };
const CAROL: Address = { domain: HOME, user: '1003' };
const STRANGER = userOf('2001', OTHER);
const SECRET = /secret|call-1|l-1/;

let world: World;
beforeEach(async () => {
  world = startWorld();
  await world.setTenant(HOME, {});
  await world.setTenant(OTHER, {});
  for (const user of ['1001', '1002', '1003']) await world.setUser({ domain: HOME, user }, {});
  await world.setUser(STRANGER, {});
  await world.drain();
});

const told = (id = 'sub-1') => {
  const known = world.told.get(id);
  if (known === undefined) throw new Error(`no subscription ${id}`);
  return known;
};
const watchersOf = async (address: Address) => loadStandingWatchers(world.table, address, world.nowMs);
/** Time goes by until no cache holds anything. */
const pass = (ms = 60_000) => {
  world.nowMs += ms;
};
const refresh = (cseq: number, id = 'sub-1') => ({ inDialog: id, cseq, presentity: 'sip:1002@demo.example' });

describe('SUBSCRIBE under a watch policy', () => {
  it('costs what it did where everyone sees all: one write, one read', async () => {
    await world.subscribe(ALICE, BOB, { toTag: 'warm' });
    const before = { ...world.table.counts };
    await world.subscribe(ALICE, BOB);
    expect(world.table.counts).toEqual({ ...before, put: before.put + 1, get: before.get + 1 });
  });

  it('costs the same where accounts decide, once they are cached', async () => {
    await world.setUser(BOB, { watch: { block: ['1003'] } });
    await world.drain();
    pass();
    await world.subscribe(ALICE, BOB, { toTag: 'warm' });
    const before = { ...world.table.counts };
    await world.subscribe(ALICE, BOB);
    expect(world.table.counts).toEqual({ ...before, put: before.put + 1, get: before.get + 1 });
  });

  it('blocked: 403, and nothing is written', async () => {
    await world.setUser(BOB, { watch: { block: ['1001'] } });
    await world.drain();
    pass();
    const { response, subscription } = await world.outcome(ALICE, BOB);
    expect(response).toEqual({ status: 403, reason: 'Forbidden', headers: [] });
    expect(subscription).toBeUndefined();
    expect(await world.subscribe(ALICE, BOB, { expires: 0 })).toBe(403);
    expect(await watchersOf(BOB)).toEqual([]);
  });

  it.each(['nobody', 'listed', 'sameGroup'] as const)('%s: the answer does not say who exists', async (byDefault) => {
    await world.setTenant(HOME, { watch: { default: byDefault } });
    await world.drain();
    pass();
    const answers = [];
    for (const user of ['1002', 'nobody-has-this-name', 'blf-all'])
      answers.push(await world.outcome(ALICE, { domain: HOME, user }));
    expect(answers.map(({ response }) => response)).toEqual(Array(3).fill(answers[0]?.response));
    expect(answers[0]?.response.status).toBe(403);
    expect(await world.subscribe(ALICE, ALICE)).toBe(200);
  });

  it('polite: answered and told as if nothing ever happened, at refreshes too', async () => {
    await world.setUser(BOB, { watch: { politeBlock: ['1001'] } });
    await world.drain();
    pass();
    await world.publish(BOB, 'confirmed');
    const idle = { domain: HOME, user: '1003' };
    const shown = async (address: Address, request = {}) => {
      const outcome = await world.outcome(ALICE, address, { toTag: `to-${address.user}`, ...request });
      const text = JSON.stringify({ ...outcome, subscription: { ...outcome.subscription, presentityVersion: 0 } });
      return text.replaceAll(address.user, 'USER').replace(/"presentityVersion":\d+/g, '');
    };
    expect(await shown(BOB)).toBe(await shown(idle));
    expect(await shown(BOB, { toTag: 'p', event: 'presence' })).toBe(
      await shown(idle, { toTag: 'p', event: 'presence' }),
    );
    const again = { inDialog: 'to-1002', cseq: 2, presentity: 'sip:1002@demo.example' };
    const againIdle = { inDialog: 'to-1003', cseq: 2, presentity: 'sip:1003@demo.example' };
    expect(await shown(BOB, again)).toBe(await shown(idle, againIdle));
    const before = told('to-1002').notifies;
    await world.publish(BOB, 'terminated');
    await world.drain();
    expect(told('to-1002').notifies).toBe(before);
    expect(told('to-1002').body).toContain('<state>terminated</state>');
  });

  it('redacted: the state without who', async () => {
    await world.setTenant(HOME, { watch: { redact: { everyone: 'identities' } } });
    await world.drain();
    pass();
    await world.publish(BOB, 'early');
    await world.subscribe(ALICE, BOB);
    expect(told().body).toContain('<state>early</state>');
    expect(told().body).not.toMatch(SECRET);
    await world.publish(BOB, 'confirmed');
    await world.drain();
    expect(told().body).toContain('<state>confirmed</state>');
    expect(told().body).not.toMatch(SECRET);
  });

  it('decides again when the account changed a moment ago, whatever the cache says', async () => {
    await world.setUser(BOB, { watch: { block: ['1003'] } });
    await world.drain();
    pass();
    expect(await world.subscribe(ALICE, BOB)).toBe(200); // both accounts are cached from here on
    await world.setUser(BOB, { watch: { block: ['1001'] } });
    await world.drain();
    expect(await world.subscribe(ALICE, BOB, { toTag: 'late' })).toBe(403);
    expect(await watchersOf(BOB)).toEqual([]);
    await world.setUser(BOB, { watch: { politeBlock: ['1001'] } });
    await world.publish(BOB, 'confirmed');
    await world.drain();
    expect(await world.subscribe(ALICE, BOB, { toTag: 'later' })).toBe(200);
    expect(told('later').body).not.toMatch(SECRET);
    expect(await watchersOf(BOB)).toMatchObject([{ id: 'later', rendering: 'access=polite' }]);
  });

  it('refuses a refresh of one who may no longer watch, and ends the subscription', async () => {
    await world.subscribe(ALICE, BOB);
    await world.setUser(BOB, { watch: { block: ['1001'] } });
    await world.table.update(
      { PK: `TENANT#${HOME}`, SK: 'TENANT' },
      { update: 'SET hasWatchRules = :yes', values: { ':yes': true } },
    );
    pass();
    // The record of the account has not come yet.
    const { response, instructions } = await world.outcome(ALICE, BOB, refresh(2));
    expect(response.status).toBe(403);
    expect(instructions).toMatchObject([{ kind: 'end', subscriptionIds: ['sub-1'], reason: 'rejected' }]);
    expect(await watchersOf(BOB)).toEqual([]);
  });

  it('lets one who may no longer watch unsubscribe', async () => {
    await world.subscribe(ALICE, BOB);
    await world.setUser(BOB, { watch: { block: ['1001'] } });
    await world.table.update(
      { PK: `TENANT#${HOME}`, SK: 'TENANT' },
      { update: 'SET hasWatchRules = :yes', values: { ':yes': true } },
    );
    await world.publish(BOB, 'confirmed');
    pass();
    const { response, subscription } = await world.outcome(ALICE, BOB, { ...refresh(2), expires: 0 });
    expect(response.status).toBe(200);
    expect(subscription?.notification.body.join('')).not.toMatch(SECRET);
  });
});

describe('confirmation (RFC 3857)', () => {
  beforeEach(async () => {
    await world.setUser(BOB, { watch: { confirm: true } });
    await world.drain();
    pass();
    await world.publish(BOB, 'confirmed');
    await world.drain();
  });

  it('keeps a watcher waiting with an idle document, and shows the owner that it waits', async () => {
    expect(await world.subscribe(ALICE, BOB)).toBe(200);
    expect(told()).toMatchObject({ state: 'pending' });
    expect(told().body).toContain('<state>terminated</state>');
    expect(await loadWatchers(world.table, BOB, 'dialog', world.nowMs)).toMatchObject([
      { uri: 'sip:1001@demo.example', isPending: true },
    ]);
    await world.publish(BOB, 'terminated');
    await world.drain();
    expect(told()).toMatchObject({ state: 'pending', notifies: 1 });
  });

  it('tells it the state at once when it is allowed', async () => {
    await world.subscribe(ALICE, BOB);
    await world.setUser(BOB, { watch: { confirm: true, allow: ['1001'] } });
    await world.drain();
    expect(told()).toMatchObject({ state: 'active', notifies: 2 });
    expect(told().body).toMatch(SECRET);
    expect(await loadWatchers(world.table, BOB, 'dialog', world.nowMs)).toMatchObject([{ isPending: false }]);
  });

  it('ends it when it is blocked, and tells its owner of the watchers', async () => {
    const owner = userOf('1002');
    await world.subscribe(owner, BOB, { toTag: 'owner', event: 'dialog.winfo', headers: [] });
    await world.subscribe(ALICE, BOB);
    await world.drain();
    expect(told('owner').body).toContain('status="pending"');
    await world.setUser(BOB, { watch: { confirm: true, block: ['1001'] } });
    await world.drain();
    expect(told().state).toBe('rejected');
    expect(told('owner').body).not.toContain('1001');
  });

  it('an active one whose presentity asks for confirmation now ends, to ask anew', async () => {
    await world.subscribe(userOf('1002'), CAROL);
    await world.setUser(CAROL, { watch: { confirm: true } });
    await world.drain();
    expect(told().state).toBe('deactivated');
    expect(await watchersOf(CAROL)).toEqual([]);
  });
});

describe('a changed policy reaches subscriptions that stand', () => {
  it('blocked: the end as rejected, with a last document that tells nothing', async () => {
    await world.publish(BOB, 'confirmed');
    await world.subscribe(ALICE, BOB);
    expect(told().body).toMatch(SECRET);
    await world.setUser(BOB, { watch: { block: ['1001'] } });
    await world.drain();
    expect(told().state).toBe('rejected');
    expect(told().body).not.toMatch(SECRET);
    expect(await watchersOf(BOB)).toEqual([]);
  });

  it('redacted, polite and back: a NOTIFY with the new view each, newer than what was sent', async () => {
    await world.publish(BOB, 'confirmed');
    await world.subscribe(ALICE, BOB);
    await world.setUser(BOB, { watch: { redact: { everyone: 'identities' } } });
    await world.drain();
    expect(told().body).not.toMatch(SECRET);
    expect(told().body).toContain('confirmed');
    await world.setUser(BOB, { watch: { politeBlock: ['1001'] } });
    await world.drain();
    expect(told().body).toContain('<dialog id="0000"><state>terminated</state></dialog>');
    await world.setUser(BOB, {});
    await world.drain();
    expect(told()).toMatchObject({ state: 'active', notifies: 4 });
    expect(told().body).toMatch(SECRET);
  });

  it('tells nobody else', async () => {
    await world.subscribe(ALICE, BOB);
    await world.subscribe(userOf('1003'), BOB, { toTag: 'carol' });
    await world.setUser(BOB, { watch: { block: ['1001'] } });
    await world.drain();
    expect(told('carol')).toMatchObject({ state: 'active', notifies: 1 });
  });

  it('an account that changes in another way decides nothing', async () => {
    await world.subscribe(ALICE, BOB);
    const before = await loadPresentity(world.table, BOB);
    await world.table.update(
      { PK: `USER#${HOME}#1002`, SK: 'PROFILE' },
      { update: 'SET displayName = :n', values: { ':n': 'x' } },
    );
    expect(await world.drain()).toBe(1);
    expect(await loadPresentity(world.table, BOB)).toEqual(before);
  });

  it('is told again when a gateway did not take it; records that come twice change nothing', async () => {
    await world.publish(BOB, 'confirmed');
    await world.subscribe(ALICE, BOB);
    await world.subscribe(userOf('1003'), BOB, { toTag: 'carol' });
    await world.setUser(BOB, { watch: { block: ['1003'], politeBlock: ['1001'] } });
    world.outages = ['before', 'after', 'before'];
    await world.drain();
    expect(told().body).not.toMatch(SECRET);
    expect(told('carol').state).toBe('rejected');
    const { body } = told();
    await world.deliver(1_000, 1_000);
    expect([told().state, told().body, told('carol').state]).toEqual(['active', body, 'rejected']);
  });

  it('once told that it ends it ends, though it might stay by what is said when that is told once more', async () => {
    await world.subscribe(ALICE, BOB);
    await world.setUser(BOB, { watch: { block: ['1001'] } });
    world.outages = ['after'];
    await world.deliver(0, 100);
    expect(told().state).toBe('rejected');
    expect(await watchersOf(BOB)).toHaveLength(1);
    expect(await world.subscribe(ALICE, BOB, refresh(2))).toBe(481);
    await world.setUser(BOB, {});
    await world.drain();
    expect(told().state).toBe('rejected');
    expect(await watchersOf(BOB)).toEqual([]);
  });

  it.each(['before', 'after'])(
    'ends one whose SUBSCRIBE is decided at the same time, %s it reads the state',
    async (when) => {
      let isUnderWay = false;
      const decideAnew = async () => {
        isUnderWay = false;
        await world.setUser(BOB, { watch: { confirm: true } });
        await world.drain();
      };
      world = startWorld((table) => ({
        ...table,
        async get(key, options) {
          const isState = isUnderWay && key.SK === stateKey(BOB.domain, BOB.user).SK;
          if (isState && when === 'before') await decideAnew();
          const item = await table.get(key, options);
          if (isState && when === 'after') await decideAnew();
          return item;
        },
      }));
      await world.setTenant(HOME, {});
      await world.setUser(BOB, {});
      await world.drain();
      isUnderWay = true;
      expect(await world.subscribe(ALICE, BOB)).toBe(200);
      expect(isUnderWay).toBe(false);
      expect(told().state).toBe('deactivated');
      expect(await watchersOf(BOB)).toEqual([]);
    },
  );

  it('a group that one leaves or joins', async () => {
    await world.setUser(ALICE, { groups: ['sales'] });
    await world.setUser(BOB, { groups: ['sales'] });
    await world.setTenant(HOME, { watch: { default: 'sameGroup' } });
    await world.drain();
    pass();
    expect(await world.subscribe(ALICE, BOB)).toBe(200);
    await world.setUser(ALICE, { groups: ['support'] });
    await world.drain();
    expect(told().state).toBe('rejected');
    expect(await world.subscribe(ALICE, BOB, { toTag: 'again' })).toBe(403);
    await world.setUser(ALICE, { groups: ['sales', 'support'] });
    await world.drain();
    expect(await world.subscribe(ALICE, BOB, { toTag: 'third' })).toBe(200);
  });
});

describe('a changed policy of a whole tenant', () => {
  const USERS = 35;
  const each = Array.from({ length: USERS }, (_, index) => ({ domain: HOME, user: String(1100 + index) }));

  beforeEach(async () => {
    for (const address of each) {
      await world.setUser(address, {});
      await world.subscribe(ALICE, address, { toTag: `to-${address.user}`, callId: address.user });
    }
    await world.drain();
  });
  const states = () => each.map(({ user }) => told(`to-${user}`).state);

  it('reaches everybody, in steps of bounded work', async () => {
    let slow = 0;
    const before = world.nowMs;
    await world.setTenant(HOME, { watch: { default: 'nobody' } });
    // Each look at the clock is a second later: no step does more than one page.
    Object.defineProperty(world, 'nowMs', { get: () => before + ++slow * 1_000, set: () => undefined });
    const batches = await world.drain();
    expect(batches).toBeGreaterThan(USERS / 10);
    expect(new Set(states())).toEqual(new Set(['rejected']));
    expect(await loadReview(world.table, HOME)).toBeUndefined();
  });

  it('reaches what is watched without being a user', async () => {
    const orbit = { domain: HOME, user: 'park-1' };
    await world.publish(orbit, 'confirmed');
    await world.subscribe(ALICE, orbit, { toTag: 'orbit' });
    await world.setTenant(HOME, { watch: { redact: { everyone: 'identities' } } });
    await world.drain();
    expect(told('orbit').body).toContain('confirmed');
    expect(told('orbit').body).not.toMatch(SECRET);
    await world.setTenant(HOME, { watch: { default: 'nobody' } });
    await world.drain();
    expect(told('orbit').state).toBe('rejected');
  });

  it('goes on after steps that failed, and begins anew when it changes once more meanwhile', async () => {
    await world.setTenant(HOME, { watch: { redact: { everyone: 'stateOnly' } } });
    world.outages = ['before', 'after', 'before', 'after'];
    await world.deliver(0, 1);
    await world.deliver(0, 1);
    await world.setTenant(HOME, { watch: { default: 'nobody' } });
    await world.drain();
    expect(new Set(states())).toEqual(new Set(['rejected']));
    expect(await loadReview(world.table, HOME)).toBeUndefined();
  });
});

describe('event lists', () => {
  const LIST: Address = { domain: HOME, user: 'team' };
  const WITH_LISTS = { headers: [['Supported', 'eventlist']] as [string, string][] };
  const member = (user: string) => told().members.get(`sip:${user}@demo.example`);
  beforeEach(async () => {
    for (const user of ['1002', '1003', '1004', '1005']) await world.setUser({ domain: HOME, user }, {});
    await world.table.put(
      listItem(
        LIST,
        ['1002', '1003', '1004', '1005', 'none'].map((user) => `sip:${user}@demo.example`),
      ),
    );
    await world.setUser(BOB, { watch: { block: ['1001'] } });
    await world.setUser(CAROL, { watch: { politeBlock: ['1001'] } });
    await world.setUser({ domain: HOME, user: '1004' }, { watch: { confirm: true } });
    for (const user of ['1002', '1003', '1004', '1005']) await world.publish({ domain: HOME, user }, 'confirmed');
    await world.drain();
    pass();
  });

  it('each member goes by its own word', async () => {
    expect(await world.subscribe(ALICE, LIST, WITH_LISTS)).toBe(200);
    expect(member('1002')).toMatchObject({ state: 'rejected', body: '' });
    expect(member('1003')?.state).toBe('active');
    expect(member('1003')?.body).toContain('<dialog id="0000"><state>terminated</state></dialog>');
    expect(member('1004')).toMatchObject({ state: 'pending', body: '' });
    expect(member('1005')?.body).toMatch(SECRET);
    expect(member('none')?.state).toBe('noresource');
  });

  it('follows each member’s change, there and back', async () => {
    await world.subscribe(ALICE, LIST, WITH_LISTS);
    await world.setUser(BOB, {});
    await world.setUser({ domain: HOME, user: '1004' }, { watch: { confirm: true, allow: ['1001'] } });
    await world.setUser({ domain: HOME, user: '1005' }, { watch: { block: ['1001'] } });
    await world.drain();
    expect(member('1002')?.body).toMatch(SECRET);
    expect(member('1004')).toMatchObject({ state: 'active' });
    expect(member('1004')?.body).toMatch(SECRET);
    expect(member('1005')).toMatchObject({ state: 'rejected', body: '' });
    expect(told().state).toBe('active');
    await world.publish({ domain: HOME, user: '1005' }, 'early');
    await world.drain();
    expect(member('1005')).toMatchObject({ state: 'rejected', body: '' });
  });

  it('does not say who exists where nobody may watch', async () => {
    await world.setTenant(HOME, { watch: { default: 'nobody' } });
    await world.drain();
    pass();
    const { subscription } = await world.outcome(ALICE, LIST, WITH_LISTS);
    const members = subscription?.list?.members.map(({ uri, ...rest }) => rest);
    expect(members).toEqual(Array(5).fill({ state: 'terminated', reason: 'rejected' }));
  });

  it('stands when its own name may not be watched, at refreshes too', async () => {
    await world.setTenant(HOME, { watch: { default: 'listed' } });
    await world.drain();
    pass();
    await world.subscribe(ALICE, LIST, WITH_LISTS);
    const again = { ...WITH_LISTS, inDialog: 'sub-1', cseq: 2, presentity: 'sip:team@demo.example' };
    expect(await world.subscribe(ALICE, LIST, again)).toBe(200);
    expect(told().state).toBe('active');
  });
});

describe('two tenants', () => {
  const agree = async () => {
    await world.setTenant(HOME, { watch: { federation: [OTHER] } });
    await world.setTenant(OTHER, { watch: { federation: [HOME] } });
    await world.drain();
    pass();
  };

  it('are refused without agreement, whether the name or the tenant exists', async () => {
    await world.setTenant(OTHER, { watch: { federation: [HOME] } });
    await world.drain();
    pass();
    const targets: Address[] = [STRANGER, { ...STRANGER, user: 'none' }, { domain: 'no.example', user: '2001' }];
    const answers = [];
    for (const target of targets) answers.push(await world.outcome(ALICE, target));
    // One side alone names the other.
    answers.push(await world.outcome(STRANGER, BOB));
    for (const { response } of answers) expect(response).toEqual({ status: 403, reason: 'Forbidden', headers: [] });
  });

  it('watch each other by agreement, without identities unless that is said', async () => {
    await agree();
    await world.publish(BOB, 'confirmed');
    expect(await world.subscribe(STRANGER, BOB)).toBe(200);
    expect(told().body).toContain('confirmed');
    expect(told().body).not.toMatch(SECRET);
    await world.setTenant(HOME, { watch: { federation: [OTHER], redact: { federated: 'none' } } });
    await world.drain();
    expect(told().body).toMatch(SECRET);
    expect(await world.subscribe(STRANGER, BOB, { toTag: 'w', event: 'dialog.winfo' })).toBe(403);
  });

  it.each([HOME, OTHER])('%s ends the agreement: what stands between both ends, either way', async (domain) => {
    await agree();
    await world.subscribe(STRANGER, BOB);
    await world.subscribe(ALICE, STRANGER, { toTag: 'out' });
    await world.subscribe(userOf('1003'), BOB, { toTag: 'own' });
    await world.setTenant(domain, {});
    await world.drain();
    expect([told().state, told('out').state, told('own').state]).toEqual(['rejected', 'rejected', 'active']);
  });

  it('have no lists in common', async () => {
    await agree();
    await world.table.put(listItem({ domain: HOME, user: 'team' }, ['sip:1002@demo.example']));
    const outcome = await world.outcome(
      STRANGER,
      { domain: HOME, user: 'team' },
      { headers: [['Supported', 'eventlist']] },
    );
    expect(outcome.response.status).toBe(200);
    expect(outcome.subscription?.list).toBeUndefined();
    const body =
      '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list><entry uri="sip:1002@demo.example"/></list></resource-lists>';
    const headers: [string, string][] = [
      ['Supported', 'eventlist'],
      ['Require', 'recipient-list-subscribe'],
      ['Content-Type', 'application/resource-lists+xml'],
    ];
    expect(await world.subscribe(STRANGER, BOB, { toTag: 'l', headers, body })).toBe(403);
  });
});
