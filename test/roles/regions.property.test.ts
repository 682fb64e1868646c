import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GatewayId, SubscriptionId } from '#contract/ids.ts';
import { gatewayIdOf } from '#contract/ids.ts';
import type { Instruction } from '#contract/instruction.ts';
import type { Delivery } from '#core/delivery.ts';
import { NO_RULES } from '#core/watch-policy.ts';
import { publish } from '#roles/compositor.ts';
import { fanOut } from '#roles/fan-out.ts';
import { grantLease } from '#roles/lessor.ts';
import { subscribe } from '#roles/notifier.ts';
import { monitorRegistrations } from '#roles/registration-monitor.ts';
import { sweep } from '#roles/sweeper.ts';
import { stateKey } from '#table/keys.ts';
import { openLeaseBook } from '#table/lease-book.ts';
import { completeTenant } from '#table/tenant-item.ts';
import { dialogElement, dialogInfo, publishOf, subscribeOf } from '#test/support/dialogs.ts';
import { T0 } from '#test/support/envelope.ts';
import { Replica, WriteClock } from '#test/support/replicas.ts';
import { TEST_SECRETS } from '#test/support/secrets.ts';

const RUNS = Number(process.env.REGION_RUNS ?? 25);
const LAG_MS = 30_000;
const EXPIRES_SECONDS = 60;
const STATES = ['early', 'confirmed'] as const;
type Word = (typeof STATES)[number] | undefined;

/** Functions and one gateway of a region, over its replica. */
class Region {
  readonly replica: Replica;
  readonly gatewayId: GatewayId;
  readonly #place: number;
  /** Newest state that each watcher here was told. */
  readonly told = new Map<SubscriptionId, { version: number; body: string }>();
  readonly strayed: GatewayId[] = [];
  #delivered = 0;
  readonly #requestPorts;
  readonly #leases;

  constructor(region: string, place: number, clock: WriteClock) {
    this.replica = new Replica(region, clock);
    this.gatewayId = gatewayIdOf(`gateway-${region}`);
    this.#place = place;
    this.#leases = openLeaseBook(this.replica);
    this.#requestPorts = {
      ...{ table: this.replica, randomBytes, chance: () => 0, ...TEST_SECRETS },
      ...{ loadUser: async () => undefined, loadTenant: async (domain: string) => completeTenant(domain, {}) },
      ...{ findList: async () => undefined, findWatchRules: async () => NO_RULES },
    };
  }

  async open(): Promise<void> {
    const [contractVersion, address] = [1 as const, `http://${this.replica.region}.invalid`];
    const load = { flows: 1, subscriptions: 1, draining: false };
    const report = { contractVersion, gatewayId: this.gatewayId, address, leaseSeconds: 100_000, ...load };
    await grantLease(report, { table: this.replica, region: this.replica.region }, T0);
  }

  async watch(id: string): Promise<void> {
    const envelope = subscribeOf({ toTag: id, gatewayId: this.gatewayId, expires: 3_600, callId: id });
    const { subscription } = await subscribe(envelope, this.#requestPorts, T0);
    if (subscription?.kind !== 'active' || subscription.notification === undefined) throw new Error('no first NOTIFY');
    this.#tell([id as SubscriptionId], subscription.notification);
  }

  /** @returns the entity-tag, or undefined when the publication is not known */
  async publish(request: Parameters<typeof publishOf>[0], nowMs: number): Promise<string | undefined> {
    const { response } = await publish(publishOf(request), this.#requestPorts, nowMs).catch((error: unknown) => {
      if (error instanceof Error && 'status' in error && error.status === 412) return { response: undefined };
      throw error;
    });
    return response?.headers.find(([name]) => name === 'SIP-ETag')?.[1];
  }

  async deliver(count: number, nowMs: number, isReplicated = true): Promise<void> {
    const batch = this.replica.records.slice(this.#delivered, this.#delivered + count);
    this.#delivered += batch.length;
    const ports = {
      ...{ table: this.replica, telemetry: { log: () => undefined }, leases: this.#leases, isReplicated },
      ...{ ownRegion: this.replica.region, isServed: async () => true },
      gateways: {
        deliver: async (gatewayId: GatewayId, _address: string, all: readonly Instruction[]): Promise<Delivery> => {
          if (gatewayId !== this.gatewayId) this.strayed.push(gatewayId);
          for (const each of all) if (each.kind === 'notify') this.#tell(each.subscriptionIds, each.notification);
          return { kind: 'delivered', unknown: [] };
        },
      },
    };
    expect(await fanOut(batch, ports, nowMs)).toEqual([]);
    expect(await monitorRegistrations(batch, ports, nowMs)).toEqual([]);
  }

  get undelivered(): number {
    return this.replica.records.length - this.#delivered;
  }

  /** As a gateway does: what is not newer is dropped. */
  #tell(ids: readonly SubscriptionId[], news: { presentityVersion: number; body: readonly string[] }): void {
    for (const id of ids) {
      const known = this.told.get(id)?.version ?? -1;
      if (news.presentityVersion > known)
        this.told.set(id, { version: news.presentityVersion, body: news.body.join('0') });
    }
  }

  sweep(nowMs: number): Promise<unknown> {
    const ports = { table: this.replica, telemetry: { log: () => undefined }, startWebhook: async () => undefined };
    return sweep(ports, nowMs, this.#place * LAG_MS);
  }

  get lamps(): string[] {
    return [...this.told.values()].map(({ body }) => statesIn(body).join(' '));
  }
}

const statesIn = (body: string): string[] =>
  [...body.matchAll(/<dialog id="d\d"[\s\S]*?<state[^>]*>(\w+)<\/state>/g)]
    .map(([, state]) => String(state))
    .toSorted();

class World {
  nowMs = T0;
  readonly regions: [Region, Region];
  /** Last word of each device, and the tag that it was given for it. */
  readonly words: Word[] = [undefined, undefined, undefined];
  readonly #tags: (string | undefined)[] = [];

  constructor() {
    const clock = new WriteClock();
    this.regions = [new Region('eu-central-1', 0, clock), new Region('us-east-1', 1, clock)];
  }

  async open(): Promise<void> {
    for (const region of this.regions) {
      await region.open();
      await region.watch(`w-${region.replica.region}`);
    }
    await this.meet();
  }

  async say(device: number, word: Word, place: number): Promise<void> {
    const region = this.regions[place] ?? this.regions[0];
    const ifMatch = this.#tags[device];
    const body = word === undefined ? '' : dialogInfo(dialogElement(`d${device}`, word));
    this.words[device] = word;
    if (word === undefined) {
      this.#tags[device] = undefined;
      if (ifMatch !== undefined) await region.publish({ ifMatch, expires: 0 }, this.nowMs);
      return;
    }
    const request = { body, expires: EXPIRES_SECONDS };
    const tag = ifMatch && (await region.publish({ ...request, ifMatch }, this.nowMs));
    // RFC 3903 section 4.1: after 412 a publisher begins anew.
    this.#tags[device] = tag || (await region.publish(request, this.nowMs));
  }

  /** Everything arrives everywhere. */
  async meet(isReplicated = true): Promise<void> {
    const [one, two] = this.regions;
    while (this.regions.some(({ replica, undelivered }) => replica.leaving + undelivered > 0)) {
      await one.replica.replicateTo(two.replica, one.replica.leaving);
      await two.replica.replicateTo(one.replica, two.replica.leaving);
      for (const region of this.regions) await region.deliver(region.undelivered, this.nowMs, isReplicated);
    }
  }

  /** Devices refresh, what nobody refreshes ends. */
  async pass(ms: number): Promise<void> {
    this.nowMs += ms;
    for (const [device, word] of this.words.entries())
      if (word !== undefined) {
        await this.say(device, word, device % 2);
        await this.meet();
      }
    for (const region of this.regions) {
      await region.sweep(this.nowMs);
      await this.meet();
    }
  }

  get expected(): string {
    const live = this.words.flatMap((word) => word ?? []).toSorted();
    return live.join(' ');
  }
}

const place = fc.nat(1);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('say'), device: fc.nat(2), word: fc.nat(2), place }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('replicate'), place, count: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('deliver'), place, count: fc.integer({ min: 1, max: 3 }) }) },
);
type Step = { kind: string; place: number; device?: number; word?: number; count?: number };

async function take(world: World, { kind, place, device = 0, word = 0, count = 0 }: Step): Promise<void> {
  const [one, two] = place === 0 ? world.regions : [world.regions[1], world.regions[0]];
  world.nowMs += 100;
  if (kind === 'say') await world.say(device, word === 2 ? undefined : STATES[word], place);
  else if (kind === 'replicate') await one.replica.replicateTo(two.replica, count);
  else await one.deliver(count, world.nowMs);
}

/** A removal or a change that was lost ends with its lease: after two of them nothing old stands, however late. */
const LEASES = 4;

describe('two regions', () => {
  it('show the same lamps, and the right ones, once publishers have refreshed what conflicts have lost', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 20 }), async (steps) => {
        const world = new World();
        await world.open();
        for (const each of steps) await take(world, each);
        await world.meet();
        for (const region of world.regions) expect(new Set(region.lamps).size).toBe(1);
        const [one, two] = world.regions.map(({ lamps }) => lamps[0]);
        // Before any refresh already both show what stands, and stands in both.
        expect(one).toBe(two);
        for (let lease = 0; lease < LEASES; lease += 1) await world.pass(40_000);
        for (const region of world.regions) {
          expect(region.lamps).toEqual(region.lamps.map(() => world.expected));
          expect(region.strayed).toEqual([]);
        }
      }),
      { numRuns: RUNS, seed: Number(process.env.REGION_SEED ?? 1), endOnFailure: true },
    );
  });

  it('go on from a version that one of them has not seen: the count of who was overwritten is caught up', async () => {
    const world = new World();
    const [one, two] = world.regions;
    await world.open();
    // Three changes here, of which nothing has left when the other region writes last.
    for (const word of ['early', 'confirmed', 'early'] as const) await world.say(0, word, 0);
    await one.deliver(one.undelivered, world.nowMs);
    await world.say(1, 'confirmed', 1);
    await world.meet();
    expect(one.lamps).toEqual(['confirmed']);
    const key = stateKey('demo.example', '1002');
    expect(await one.replica.get(key)).toEqual(await two.replica.get(key));
    // And what comes next is newer than anything that a gateway has seen.
    await world.say(1, 'early', 1);
    await world.meet();
    expect([...one.lamps, ...two.lamps]).toEqual(['early', 'early']);
  });

  it('sweep in turn: the second one only what the first one has left for half a minute', async () => {
    const world = new World();
    const [one, two] = world.regions;
    await world.open();
    await world.say(0, 'confirmed', 0);
    await world.meet();
    world.nowMs += EXPIRES_SECONDS * 1_000 + LAG_MS - 1;
    await two.sweep(world.nowMs);
    expect(two.undelivered).toBe(0);
    world.nowMs += 1;
    await two.sweep(world.nowMs);
    await world.meet();
    expect([...one.lamps, ...two.lamps]).toEqual(['', '']);
  });
});
