/** Subscriptions under a watch policy: the product's functions over a table in memory, and a gateway that only remembers. */
import { randomBytes } from 'node:crypto';
import type { SubscriptionId } from '#contract/ids.ts';
import type { Instruction } from '#contract/instruction.ts';
import type { OutcomeInput } from '#contract/outcome.ts';
import type { Identity } from '#contract/schemas.ts';
import type { Delivery } from '#core/delivery.ts';
import { SipRejection } from '#core/error.ts';
import { type Address, aorOfIdentity } from '#core/identity.ts';
import { publish } from '#roles/compositor.ts';
import { fanOut } from '#roles/fan-out.ts';
import { type NotifierPorts, subscribe } from '#roles/notifier.ts';
import { monitorWatching } from '#roles/watch-monitor.ts';
import { createCache } from '#runtime/cache.ts';
import { loadList } from '#table/list-item.ts';
import type { Table } from '#table/table.ts';
import { type GivenTenant, loadTenant, tenantItem } from '#table/tenant-item.ts';
import { loadUser, userItem } from '#table/user-item.ts';
import { type GivenUserWatch, loadWatchRules } from '#table/watch-rules.ts';
import { dialogElement, dialogInfo, publishOf, subscribeOf, type TestSubscribe } from './dialogs.ts';
import { T0 } from './envelope.ts';
import { openRecordedTable, type RecordedTable } from './recorded-table.ts';
import { TEST_SECRETS } from './secrets.ts';

export const HOME = 'demo.example';
export const OTHER = 'acme.example';
export const userOf = (user: string, domain = HOME): Identity => ({ domain, user, role: 'user' });
export const PBX: Identity = { domain: HOME, user: 'pbx', role: 'publisher' };

/** What the gateway knows of one subscription. */
export interface Told {
  /** Of members of a list: by AOR. */
  readonly members: Map<string, { version: number; state: string; body: string }>;
  version: number;
  /** `pending`, `active`, or the reason of its end. */
  state: string;
  body: string;
  /** NOTIFYs, the first one included. */
  notifies: number;
}

export interface World {
  readonly table: RecordedTable;
  nowMs: number;
  /** By subscription id; those that have ended stay. */
  readonly told: Map<string, Told>;
  /** How the next deliveries fail: before or after they are carried out. */
  outages: ('before' | 'after')[];
  setTenant(domain: string, given: GivenTenant): Promise<void>;
  setUser(address: Address, settings: { groups?: string[]; watch?: GivenUserWatch }): Promise<void>;
  /** Status of the answer; its To tag is `toTag`. */
  subscribe(watcher: Identity, presentity: Address, request?: TestSubscribe): Promise<number>;
  /** The answer and all. */
  outcome(watcher: Identity, presentity: Address, request?: TestSubscribe): Promise<OutcomeInput>;
  publish(presentity: Address, state: string): Promise<void>;
  /** Delivers the stream's records until there are none. @returns how many batches that took */
  drain(): Promise<number>;
  /** One batch: from `back` records before the first that is not settled, `count` of them. */
  deliver(back: number, count: number): Promise<void>;
}

const CACHED_MS = 5_000;

/** @param through makes the table slow, or what else a test wants of it */
export function startWorld(through: (table: Table) => Table = (table) => table): World {
  const table = openRecordedTable();
  const seenTable = through(table);
  const told = new Map<string, Told>();
  /** Of SUBSCRIBEs that have no answer yet: the states that have come for them. */
  const awaited = new Map<string, Instruction[]>();
  let settled = 0;
  const now = () => world.nowMs;
  const cache = { keepMs: CACHED_MS, maxEntries: 1_000, now };
  const rules = createCache((aor) => loadWatchRules(seenTable, addressIn(aor)), cache);
  const lists = createCache((aor) => loadList(seenTable, addressIn(aor)), cache);
  const ports: NotifierPorts = {
    ...{ table: seenTable, chance: () => 0, ...TEST_SECRETS },
    findList: (address) => lists(`${address.domain} ${address.user}`),
    loadUser: (domain, user) => loadUser(seenTable, domain, user),
    loadTenant: createCache((domain) => loadTenant(seenTable, domain), cache),
    findWatchRules: (address) => rules(`${address.domain} ${address.user}`),
  };
  const streamPorts = {
    ...{ table: seenTable, telemetry: { log: () => undefined }, clock: now, webhooksOf: async () => [] },
    leases: { find: async () => LEASE, drop: () => undefined },
    gateways: { deliver: async (_id: unknown, _address: string, all: readonly Instruction[]) => deliverTo(all) },
  };

  async function deliverTo(instructions: readonly Instruction[]): Promise<Delivery> {
    const outage = world.outages.shift();
    if (outage === 'before') return { kind: 'failed', reason: 'away' };
    const unknown = instructions
      .flatMap((instruction) => carryOut(instruction, told).map((id) => ({ id, instruction })))
      .filter(({ id, instruction }) => !isKept(id, instruction))
      .map(({ id }) => id);
    return outage === 'after' ? { kind: 'failed', reason: 'no answer' } : { kind: 'delivered', unknown };
  }

  /** A state, or an end, may overtake the answer to the SUBSCRIBE that it belongs to: it is kept until that is there. */
  function isKept(id: SubscriptionId, instruction: Instruction): boolean {
    if (instruction.kind !== 'notify' && instruction.kind !== 'end') return false;
    if (instruction.kind === 'notify' && instruction.instance !== undefined) return false;
    awaited.get(id)?.push({ ...instruction, subscriptionIds: [id] });
    return awaited.has(id);
  }

  const world: World = {
    ...{ table, told, nowMs: T0, outages: [] },
    async setTenant(domain, { policy, ...others }) {
      const standing = await table.get(tenantItem(domain, {}));
      const hasWatchRules = standing?.hasWatchRules;
      const item = tenantItem(domain, { minExpiresSeconds: 3, ...policy }, others);
      await table.put({ ...item, ...(hasWatchRules !== undefined && { hasWatchRules }) });
    },
    async setUser({ domain, user }, settings) {
      await table.put(userItem({ domain, user, role: 'user', sealedHa1: 'sealed', ...settings }));
    },
    async subscribe(watcher, presentity, request) {
      return (await world.outcome(watcher, presentity, request)).response.status;
    },
    async outcome(watcher, presentity, request = {}) {
      const from = aorOfIdentity(watcher);
      const to = aorOfIdentity(presentity);
      const envelope = subscribeOf({ to, from, identity: watcher, expires: 600, ...request });
      const overtook: Instruction[] = [];
      if (request.inDialog === undefined) awaited.set(envelope.toTag, overtook);
      const outcome = await subscribe(envelope, ports, world.nowMs).finally(() => awaited.delete(envelope.toTag));
      takeOutcome(outcome, told);
      for (const instruction of overtook) carryOut(instruction, told);
      for (const instruction of outcome.instructions ?? []) carryOut(instruction as Instruction, told);
      return outcome;
    },
    async publish(presentity, state) {
      const body = dialogInfo(dialogElement('1', state, '<remote><identity>sip:secret@x.example</identity></remote>'));
      const identity = { ...PBX, domain: presentity.domain };
      const envelope = publishOf({ presentity: aorOfIdentity(presentity), identity, body });
      const outcome = await publish(envelope, { ...ports, randomBytes }, world.nowMs);
      if (outcome.response.status !== 200) throw new SipRejection(outcome.response.status, outcome.response.reason);
    },
    async drain() {
      let batches = 0;
      for (; settled < table.records.length; batches++) await world.deliver(0, 100);
      return batches;
    },
    async deliver(back, count) {
      const from = Math.max(0, settled - back);
      const batch = table.records.slice(from, settled + count);
      const failed = await fanOut(batch, streamPorts, world.nowMs);
      failed.push(...(await monitorWatching(batch, streamPorts, world.nowMs)));
      if (failed.length > 0) settled = Math.min(settled, ...failed.map(Number));
      else settled = Math.max(settled, from + batch.length);
    },
  };
  return world;
}

const LEASE = {
  ...{ gatewayId: 'gateway-1', address: 'http://gw.invalid', grantedAtMs: 0, leaseEndsAtMs: Number.MAX_SAFE_INTEGER },
  ...{ flows: 0, subscriptions: 0, draining: false },
};

function addressIn(text: string): Address {
  const [domain = '', user = ''] = text.split(' ');
  return { domain, user };
}

const LIVE = new Set(['active', 'pending']);

/** What a gateway does with the answer to a SUBSCRIBE: it shows what it says, unless it has something newer. */
function takeOutcome({ response, subscription }: OutcomeInput, told: Map<string, Told>): void {
  if (response.status !== 200 || subscription === undefined) return;
  const { notification, list } = subscription;
  const before = told.get(subscription.id);
  const known = before ?? { members: new Map(), version: -1, state: '', body: '', notifies: 0 };
  told.set(subscription.id, known);
  known.notifies += 1;
  if (subscription.kind === 'ended') {
    known.state = subscription.reason;
    return;
  }
  if (notification.presentityVersion >= known.version || known.state === 'pending') {
    known.version = notification.presentityVersion;
    known.body = notification.body.join('#');
  }
  known.state = subscription.isPending === true ? 'pending' : 'active';
  for (const member of list?.members ?? []) {
    const version = member.notification?.presentityVersion ?? -1;
    const held = known.members.get(member.uri);
    if (member.state === 'active' && held !== undefined && held.version > version) continue;
    const body = member.notification?.body.join('#') ?? '';
    known.members.set(member.uri, { version, state: member.reason ?? member.state, body });
  }
}

/** @returns subscriptions that this gateway does not hold */
function carryOut(instruction: Instruction, told: Map<string, Told>): SubscriptionId[] {
  if (instruction.kind !== 'notify' && instruction.kind !== 'end') return [];
  return instruction.subscriptionIds.filter((id) => {
    const known = told.get(id);
    if (known === undefined || !LIVE.has(known.state)) return true;
    if (instruction.kind === 'end') {
      known.state = instruction.reason;
      known.body = instruction.notification?.body.join('#') ?? known.body;
      known.notifies += 1;
    } else takeState(instruction, known);
    return false;
  });
}

function takeState(instruction: Extract<Instruction, { kind: 'notify' }>, known: Told): void {
  const { notification, presentity = '', instance } = instruction;
  const body = notification.body.join('#');
  const version = notification.presentityVersion;
  if (known.members.size > 0) {
    const member = known.members.get(presentity);
    if (member === undefined || version <= member.version) return;
    const state = instance?.reason ?? instance?.state ?? 'active';
    known.members.set(presentity, { version, state, body: instance === undefined ? body : '' });
  } else {
    if (version <= known.version) return;
    known.version = version;
    known.state = 'active';
    known.body = body;
  }
  known.notifies += 1;
}
