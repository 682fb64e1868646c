/**
 * Policies, accounts, subscriptions and lamps that change at once, in any order of arrival, with deliveries that fail and
 * records that come twice: in the end everybody sees what the policy lets it see of the state as it is, and nobody more.
 */
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Identity } from '#contract/schemas.ts';
import { EVENT_PACKAGES } from '#core/event-package.ts';
import { type Address, addressOfAor } from '#core/identity.ts';
import { notificationOf } from '#core/notification.ts';
import { REDACTIONS, WATCH_DEFAULTS } from '#core/watch-policy.ts';
import { withAccess } from '#core/watch-view.ts';
import { accessTo, uncachedGate } from '#roles/watch-gate.ts';
import { loadPresentity } from '#table/presentity-item.ts';
import { loadReview } from '#table/review-item.ts';
import type { Table } from '#table/table.ts';
import { loadStandingWatchers } from '#table/watcher-access.ts';
import { HOME, OTHER, startWorld, userOf, type World } from '#test/support/watch-world.ts';
import { Traffic, turn } from '../suites/model-traffic.ts';

const RUNS = Number(process.env.WATCH_RUNS ?? 150);
const DIALOG = EVENT_PACKAGES[0];
const PEOPLE = ['1001', '1002', '1003'];
const STATES = ['early', 'confirmed', 'terminated'];

const person = fc.constantFrom(...PEOPLE);
const domain = fc.constantFrom(HOME, HOME, OTHER);
const identity: fc.Arbitrary<Identity> = fc.record({ domain, user: person, role: fc.constant('user' as const) });
const redaction = fc.constantFrom(...REDACTIONS);
const redact = fc.record({ everyone: redaction, outsideGroup: redaction, federated: redaction }, { requiredKeys: [] });
const entry = fc.constantFrom(...PEOPLE, 'group:a', '@acme.example');
const entries = fc.array(entry, { maxLength: 2 });
const userWatch = fc.record(
  { allow: entries, block: entries, politeBlock: entries, confirm: fc.boolean(), redact },
  { requiredKeys: [] },
);
const tenantWatch = fc.record(
  {
    default: fc.constantFrom(...WATCH_DEFAULTS, 'everyone' as const, 'everyone' as const),
    ...{ redact, federation: fc.constantFrom<string[]>([], [HOME], [OTHER], [OTHER]) },
  },
  { requiredKeys: [] },
);

const command = fc.oneof(
  fc.record({ kind: fc.constant('tenant' as const), domain, watch: tenantWatch }),
  {
    arbitrary: fc.record({
      ...{ kind: fc.constant('user' as const), domain, user: person },
      settings: fc.record({ groups: fc.subarray(['a', 'b']), watch: userWatch }),
    }),
    weight: 3,
  },
  { arbitrary: fc.record({ kind: fc.constant('subscribe' as const), watcher: identity, user: person }), weight: 4 },
  { arbitrary: fc.record({ kind: fc.constant('refresh' as const), which: fc.nat(20) }), weight: 2 },
  {
    arbitrary: fc.record({ kind: fc.constant('publish' as const), user: person, state: fc.constantFrom(...STATES) }),
    weight: 2,
  },
  {
    arbitrary: fc.record({
      kind: fc.constant('deliver' as const),
      back: fc.nat(5),
      count: fc.integer({ min: 1, max: 20 }),
    }),
    weight: 3,
  },
  fc.record({ kind: fc.constant('outage' as const), how: fc.constantFrom('before' as const, 'after' as const) }),
  { arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1, 1, 3_000, 40_000) }), weight: 4 },
);
type Command = typeof command extends fc.Arbitrary<infer C> ? C : never;

/** The table behind a network on which everything arrives in an order that a number decides. */
function slow(table: Table, traffic: Traffic): Table {
  const sent =
    <Given extends unknown[], T>(work: (...given: Given) => Promise<T>) =>
    async (...given: Given): Promise<T> => {
      await traffic.travel();
      const answer = await work(...given);
      await traffic.travel();
      return answer;
    };
  return {
    ...{ get: sent(table.get), getBatch: sent(table.getBatch), query: sent(table.query), put: sent(table.put) },
    ...{ update: sent(table.update), delete: sent(table.delete), transact: sent(table.transact) },
    writeBatch: sent(table.writeBatch),
  };
}

class Run {
  readonly world: World;
  readonly traffic: Traffic;
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #subscriptions: { id: string; watcher: Identity; presentity: Address; cseq: number }[] = [];
  #delivering: Promise<unknown> = Promise.resolve();

  constructor(order: number) {
    this.traffic = new Traffic(order);
    this.world = startWorld((table) => slow(table, this.traffic));
  }

  async begin(): Promise<void> {
    for (const each of [HOME, OTHER]) {
      await this.world.setTenant(each, {});
      for (const user of PEOPLE) await this.world.setUser({ domain: each, user }, {});
    }
    await this.world.drain();
  }

  #start(work: Promise<unknown>): void {
    const watched = work.finally(() => this.#underWay.delete(watched));
    this.#underWay.add(watched);
  }

  async settle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  async carryOut(given: Command): Promise<void> {
    const { world } = this;
    switch (given.kind) {
      case 'tenant':
        return world.setTenant(given.domain, { watch: given.watch });
      case 'user':
        return world.setUser(given, given.settings);
      case 'subscribe':
        return this.#subscribe(given.watcher, { domain: HOME, user: given.user });
      case 'refresh':
        return this.#refresh(given.which);
      case 'publish':
        return this.#start(world.publish({ domain: HOME, user: given.user }, given.state));
      case 'deliver': {
        // One batch after the other, as a shard has it.
        this.#delivering = this.#delivering.then(() => world.deliver(given.back, given.count));
        return this.#start(this.#delivering);
      }
      case 'outage':
        return void world.outages.push(given.how);
      case 'pass':
        await this.settle();
        world.nowMs += given.ms;
        return;
      default:
        return given satisfies never;
    }
  }

  #subscribe(watcher: Identity, presentity: Address): void {
    const id = `s${this.#subscriptions.length}`;
    this.#subscriptions.push({ id, watcher, presentity, cseq: 1 });
    this.#start(this.world.subscribe(watcher, presentity, { toTag: id, callId: id, expires: 7_200 }));
  }

  async #refresh(which: number): Promise<void> {
    const chosen = this.#subscriptions[which];
    if (chosen === undefined) return;
    // A watcher refreshes what it has an answer for.
    await this.settle();
    chosen.cseq += 1;
    const { id, watcher, presentity, cseq } = chosen;
    const dialog = { inDialog: id, callId: id, cseq, presentity: `sip:${presentity.user}@${HOME}`, expires: 7_200 };
    this.#start(this.world.subscribe(watcher, presentity, dialog));
  }
}

it('everybody ends up seeing what it may see', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 30, size: 'max' }), fc.nat(), async (commands, order) => {
      const run = new Run(order);
      await run.begin();
      for (const each of commands) {
        await run.carryOut(each);
        await run.traffic.overlap();
      }
      await run.settle();
      run.world.outages = [];
      await run.world.drain();
      await turn();
      await requireRight(run.world);
    }),
    { numRuns: RUNS },
  );
}, 300_000);

async function requireRight({ table, told, nowMs }: World): Promise<void> {
  expect(await loadReview(table, HOME)).toBeUndefined();
  const standing = new Set<string>();
  for (const user of PEOPLE) {
    const presentity = { domain: HOME, user };
    const state = await loadPresentity(table, presentity);
    for (const watcher of await loadStandingWatchers(table, presentity, nowMs)) {
      standing.add(watcher.id);
      const who = addressOfAor(watcher.watcher);
      if (who === undefined || DIALOG === undefined) throw new Error(watcher.watcher);
      const access = await accessTo(presentity, userOf(who.user, who.domain), uncachedGate(table));
      const view = { contentType: watcher.contentType, rendering: withAccess('', access) };
      const shown = told.get(watcher.id);
      expect([watcher.id, watcher.rendering]).toEqual([watcher.id, view.rendering]);
      expect([watcher.id, shown?.state]).toEqual([watcher.id, access === 'pending' ? 'pending' : 'active']);
      expect(shown?.body).toBe(notificationOf(DIALOG, presentity, state, view, nowMs).body.join('#'));
    }
  }
  for (const [id, { state }] of told)
    if (state === 'active' || state === 'pending') expect([id, standing.has(id)]).toEqual([id, true]);
}
