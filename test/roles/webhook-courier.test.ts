import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { publish } from '#roles/compositor.ts';
import { sweep } from '#roles/sweeper.ts';
import { removeUsers } from '#roles/user-remover.ts';
import { monitorWatching } from '#roles/watch-monitor.ts';
import { type CourierPorts, deliverNews } from '#roles/webhook-courier.ts';
import { makeWebhook, putWebhook, rotateWebhookSecret, testWebhook } from '#roles/webhook-desk.ts';
import { feedWebhooks } from '#roles/webhook-feeder.ts';
import { openWebhookConnection } from '#runtime/webhook-client.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { profileKey, removedUserKey, tenantKey, waitingPartition } from '#table/keys.ts';
import { type Attributes, type Item, partitionQuery, type Table } from '#table/table.ts';
import { type GivenTenant, tenantItem } from '#table/tenant-item.ts';
import { userItem } from '#table/user-item.ts';
import type { GivenUserWatch } from '#table/watch-rules.ts';
import { listWebhooks, loadWebhook } from '#table/webhook-item.ts';
import { dialogElement, dialogInfo, publishOf } from '#test/support/dialogs.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { T0 } from '#test/support/envelope.ts';
import { openMemoryTable } from '#test/support/memory-table.ts';
import { openRecordedTable, type RecordedTable } from '#test/support/recorded-table.ts';
import { TEST_VAULT } from '#test/support/secrets.ts';
import { sipPortsOf } from '#test/support/tenant-world.ts';
import { isGoodSignature, startReceiver, type WebhookReceiver } from '#test/support/webhook-receiver.ts';

let receiver: WebhookReceiver;
let started: TestTable;
let real: DynamoDbTable;
/** What stands in it, without the counting. */
let database: Table;
let count = 0;
let domain: string;
let table: RecordedTable;
let logged: Attributes[];
let nowMs: number;
let settled: number;

beforeAll(async () => {
  started = await startTable();
  real = openDynamoDbTable(started);
});
afterAll(async () => {
  real.close();
  await started.stop();
});

beforeEach(async () => {
  receiver = await startReceiver();
  domain = `hooks${++count}.example`;
  [logged, nowMs] = [[], T0];
  await openOn(openMemoryTable());
});
afterEach(() => receiver.stop());

async function openOn(given: Table): Promise<void> {
  database = given;
  table = openRecordedTable(given);
  settled = 0;
  await setTenant({});
}
/** Where expressions are to be read by DynamoDB itself. */
const onDynamoDb = () => openOn(real);

const telemetry = { log: (level: string, hop: string, fields: object) => logged.push({ level, hop, ...fields }) };
const setTenant = async (given: GivenTenant) => {
  const standing = await database.get(tenantKey(domain));
  await table.put({ ...tenantItem(domain, {}, given), ...(standing?.hasWebhooks === true && { hasWebhooks: true }) });
};
const setUser = (user: string, settings: { groups?: string[]; watch?: GivenUserWatch } = {}) =>
  table.put(userItem({ domain, user, role: 'user', sealedHa1: 'sealed', ...settings }));

const change = () => ({
  precondition: {},
  by: 'admin',
  resource: `/v1/tenants/${domain}/webhooks`,
  requestId: 'r',
  nowMs,
});
const desk = () => ({ table, random: randomBytes, vault: async () => TEST_VAULT, refusedTarget: () => undefined });
const settings = () => ({ url: receiver.url, events: ['lamp'] as const, enabled: true });
const make = async (over: object = {}) =>
  (await makeWebhook(desk(), change(), domain, { ...settings(), ...over }, 10)).shown;

const feederPorts = (over: Table = table) => ({
  ...{ table: over, telemetry, webhooksOf: (each: string) => listWebhooks(database, each) },
});
/** The stream brings what was written since the last time. */
async function stream(): Promise<void> {
  const records = table.records.slice(settled);
  settled = table.records.length;
  const gateways = { deliver: async () => ({ kind: 'gone', reason: 'none here' }) as const };
  const leases = { find: async () => undefined, drop: () => undefined };
  const ports = { ...feederPorts(), leases, gateways, clock: () => nowMs };
  expect(await monitorWatching(records, ports, nowMs)).toEqual([]);
  expect(await removeUsers(records, ports, nowMs)).toEqual([]);
  expect(await feedWebhooks(records, ports, nowMs)).toEqual([]);
  if (table.records.length > settled) await stream();
}

const courierPorts = (over: Partial<CourierPorts> = {}): CourierPorts => ({
  ...{ table, telemetry, clock: () => nowMs, chance: () => 1, random: randomBytes, vault: async () => TEST_VAULT },
  connect: (url) => openWebhookConnection(url, { allowsLoopback: true, timeoutMs: 300 }),
  ...over,
});
const deliver = (id: string, over: Partial<CourierPorts> = {}) => deliverNews({ domain, id }, courierPorts(over));

const REMOTE = '<remote><identity>sip:+495550100@pstn.example</identity></remote>';
/** Entity-tags of what the PBX has published. */
const tags = new Map<string, string>();
/** The PBX says what a user does: one call, that goes on. */
async function say(user: string, state = 'confirmed'): Promise<void> {
  const presentity = `sip:${user}@${domain}`;
  const body = dialogInfo(dialogElement(`call-of-${user}`, state, REMOTE));
  const identity = { domain, user: 'pbx', role: 'publisher' } as const;
  const wish = publishOf({ presentity, identity, body, expires: 3_600, ifMatch: tags.get(presentity) });
  const { response } = await publish(wish, { ...sipPortsOf(table), randomBytes }, nowMs);
  expect(response.status).toBe(200);
  tags.set(presentity, response.headers.find(([name]) => name === 'SIP-ETag')?.[1] ?? '');
}

const waiting = (): Promise<Item[]> => database.query(partitionQuery(waitingPartition(domain)));
const told = () => receiver.received.map(({ type, data }) => `${type} ${data.user} ${data.state ?? data.reason}`);
const health = async (id: string) => (await loadWebhook(database, domain, id))?.health;

describe('an event', () => {
  it('reaches the receiver, signed, and nothing waits any more', async () => {
    await onDynamoDb();
    const { id, secret } = await make();
    await say('1001', 'early');
    await stream();
    expect(await waiting()).toHaveLength(1);
    expect(await deliver(id)).toBe('told');
    const [got] = receiver.received;
    expect(got).toMatchObject({ type: 'lamp', data: { user: '1001', state: 'ringing', sequence: expect.any(Number) } });
    expect(isGoodSignature(secret, got?.headers ?? {}, got?.text ?? '', nowMs)).toBe(true);
    expect(got?.headers).toMatchObject({ 'content-type': 'application/json', 'user-agent': 'Lampfield-Webhooks/1' });
    expect(await waiting()).toEqual([]);
    expect(await health(id)).toEqual({ failures: 0, lastSuccessAtMs: T0 });
    expect(await deliver(id)).toBe('not due');
  });

  it('costs two requests where it happens, and seven to be told, whatever else the tenant has', async () => {
    const { id } = await make();
    for (let user = 0; user < 20; user += 1) await setUser(`20${user}`);
    await say('1001');
    const records = table.records.slice(settled);
    const feeding = openRecordedTable(database);
    await feedWebhooks(records, feederPorts(feeding), nowMs);
    expect(Object.entries(feeding.counts).filter(([, times]) => times > 0)).toEqual([['update', 2]]);
    const telling = openRecordedTable(database);
    expect(await deliver(id, { table: telling })).toBe('told');
    const counts = { get: 1, getBatch: 2, query: 1, update: 2, delete: 1 };
    expect(telling.counts).toEqual({ ...counts, put: 0, transact: 0, writeBatch: 0 });
  });

  it('costs nothing in a tenant without webhooks', async () => {
    await say('1001');
    const feeding = openRecordedTable(database);
    await feedWebhooks(table.records, feederPorts(feeding), nowMs);
    expect(Object.values(feeding.counts).every((times) => times === 0)).toBe(true);
  });

  it('is told as it is now, once, however much happened', async () => {
    const { id } = await make();
    for (const state of ['early', 'confirmed', 'terminated', 'early', 'confirmed']) {
      await say('1001', state);
      await stream();
    }
    await deliver(id);
    expect(told()).toEqual(['lamp 1001 busy']);
  });

  it('goes to those alone that want it: by user, group and kind', async () => {
    await setUser('1001', { groups: ['sales'] });
    await setUser('1002');
    await stream();
    const hooks = await Promise.all(
      [{ users: ['1002'] }, { groups: ['sales'] }, { events: ['messages'] }, { enabled: false }].map((over) =>
        make({ ...over, description: JSON.stringify(over) }),
      ),
    );
    for (const user of ['1001', '1002']) await say(user);
    await stream();
    const seen: string[][] = [];
    for (const { id } of hooks) {
      receiver.received.length = 0;
      await deliver(id);
      seen.push(told());
    }
    expect(seen).toEqual([['lamp 1002 busy'], ['lamp 1001 busy'], [], []]);
    expect(await waiting()).toEqual([]);
  });

  it('that comes twice from the stream is told again under the same id', async () => {
    const { id } = await make();
    await say('1001');
    const records = table.records.slice(0);
    for (let time = 0; time < 2; time += 1) {
      await feedWebhooks(records, feederPorts(), nowMs);
      await deliver(id);
    }
    expect(new Set(receiver.received.map((each) => each.id)).size).toBe(1);
    expect(receiver.received).toHaveLength(2);
  });

  it('that happens while others are told is told by the same run', async () => {
    const { id } = await make();
    await say('1001', 'early');
    await stream();
    let isLate = false;
    receiver.answer = (response) => {
      const answer = () => response.writeHead(200).end();
      if (isLate) return void answer();
      isLate = true;
      void say('1001').then(stream).then(answer);
    };
    expect(
      await deliver(id, { connect: (url) => openWebhookConnection(url, { allowsLoopback: true, timeoutMs: 5_000 }) }),
    ).toBe('told');
    expect(told()).toEqual(['lamp 1001 ringing', 'lamp 1001 busy']);
    expect(await waiting()).toEqual([]);
  });

  it('is not told by two at once, and by another when one has died', async () => {
    const { id } = await make();
    await say('1001');
    await stream();
    const dies = courierPorts({
      connect: () => {
        throw new Error('the function is gone');
      },
    });
    await expect(deliverNews({ domain, id }, dies)).rejects.toThrow('gone');
    expect(await deliver(id)).toBe('not due');
    nowMs += 75_000;
    expect(await deliver(id)).toBe('told');
    expect(told()).toEqual(['lamp 1001 busy']);
  });

  it('leaves four at a time at most', async () => {
    const { id } = await make();
    for (let user = 0; user < 12; user += 1) await say(`10${user}`);
    await stream();
    receiver.answer = (response) => setTimeout(() => response.writeHead(200).end(), 30);
    expect(await deliver(id)).toBe('told');
    expect([receiver.received.length, receiver.load.most]).toEqual([12, 4]);
  });
});

describe('a receiver in trouble', () => {
  it.each([
    ['answers 500', 500, 'answered 500'],
    ['redirects', 302, 'answered 302'],
    ['hangs', 'hang', 'no answer within 0.3 s'],
  ] as const)(
    'that %s is tried later and later, and is told the last state when it is well',
    async (_name, answer, reason) => {
      const { id } = await make();
      receiver.answer = answer;
      await say('1001', 'early');
      await stream();
      for (const delayMs of [5_000, 10_000, 20_000]) {
        expect(await deliver(id)).toBe('failing');
        expect(await health(id)).toMatchObject({ lastFailure: reason, dueAtMs: nowMs + delayMs, failingSinceMs: T0 });
        // News do not make it sooner.
        await say('1001', 'confirmed');
        await stream();
        expect(await deliver(id)).toBe('not due');
        nowMs += delayMs;
      }
      receiver.received.length = 0;
      receiver.answer = 204;
      expect(await deliver(id)).toBe('told');
      expect(told()).toEqual(['lamp 1001 busy']);
      expect(await health(id)).toEqual({
        ...{ failures: 0, lastSuccessAtMs: nowMs, lastFailureAtMs: expect.any(Number), lastFailure: reason },
      });
    },
  );

  it('that is not there is asked once a run, not once a user', async () => {
    const { id } = await make();
    for (let user = 0; user < 30; user += 1) await say(`10${user}`);
    await stream();
    receiver.answer = 503;
    expect(await deliver(id)).toBe('failing');
    expect(receiver.received.length).toBeLessThanOrEqual(6);
    await receiver.stop();
    nowMs += 5_000;
    expect(await deliver(id)).toBe('failing');
    expect(await health(id)).toMatchObject({ failures: 2, lastFailure: 'connection refused' });
  });

  it('that asks for time gets it', async () => {
    const { id } = await make();
    await say('1001');
    await stream();
    receiver.answer = (response) => response.writeHead(429, { 'retry-after': '120' }).end();
    expect(await deliver(id)).toBe('failing');
    expect((await health(id))?.dueAtMs).toBe(T0 + 120_000);
  });

  it('that wants no more is switched off, as is one that takes nothing for three days; both stand in the audit trail', async () => {
    await onDynamoDb();
    const [gone, dead] = [await make(), await make({ description: 'dead' })];
    await say('1001');
    await stream();
    receiver.answer = 410;
    expect(await deliver(gone.id)).toBe('switched off');
    receiver.answer = 500;
    expect(await deliver(dead.id)).toBe('failing');
    nowMs += 72 * 3_600_000 - 1;
    expect(await deliver(dead.id)).toBe('failing');
    nowMs += 3_600_000;
    expect(await deliver(dead.id)).toBe('switched off');
    const reasons = ['The receiver answered 410 Gone.', 'No message was taken for 72 hours: answered 500.'];
    for (const [index, { id }] of [gone, dead].entries()) {
      const webhook = await loadWebhook(database, domain, id);
      expect(webhook).toMatchObject({ settings: { enabled: false }, health: { disabledReason: reasons[index] } });
      expect(webhook?.health.dueAtMs).toBeUndefined();
    }
    const trail = await database.query(partitionQuery(`AUDIT#${domain}`));
    expect(trail.filter(({ action }) => action === 'switch off')).toMatchObject([
      { by: 'delivery', before: { enabled: true }, after: { enabled: false } },
      { by: 'delivery', before: { enabled: true }, after: { enabled: false } },
    ]);
    // Switched on again it is told what waits.
    receiver.answer = 204;
    receiver.received.length = 0;
    await putWebhook(desk(), change(), domain, dead.id, settings());
    expect(await deliver(dead.id)).toBe('told');
    expect(told()).toEqual(['lamp 1001 busy']);
    expect((await health(dead.id))?.disabledReason).toBeUndefined();
  });

  it('that refuses one message gets the others, and that one again by itself, for three days', async () => {
    await onDynamoDb();
    const { id } = await make();
    for (const user of ['1001', '1002', '1003']) await say(user);
    await stream();
    receiver.answer = (response, { data }) => response.writeHead(data.user === '1002' ? 422 : 200).end();
    expect(await deliver(id)).toBe('told');
    expect((await waiting()).map(({ SK }) => SK)).toEqual([`NEWS#${id}#1002`]);
    expect(await health(id)).toMatchObject({ failures: 0, lastFailure: 'answered 422' });
    const starts: string[] = [];
    const startWebhook = async (name: { id: string }) => void starts.push(name.id);
    const pass = () => sweep({ table, telemetry, startWebhook }, nowMs);
    nowMs += 4_999;
    await pass();
    expect(starts).toEqual([]);
    for (const afterMs of [1, 10_000]) {
      nowMs += afterMs;
      await pass();
      nowMs += 1;
      expect(await pass()).toMatchObject({ webhooks: expect.any(Number), failures: 0 });
      expect(starts).toContain(id);
      receiver.received.length = 0;
      expect(await deliver(id)).toBe('told');
      expect(told()).toEqual(['lamp 1002 busy']);
      starts.length = 0;
    }
    nowMs += 72 * 3_600_000;
    await pass();
    await deliver(id);
    expect(await waiting()).toEqual([]);
    expect(logged).toContainEqual(expect.objectContaining({ outcome: 'given up', presentity: '1002' }));
  });

  it('never shows in a log where it is, nor a secret', async () => {
    const { id, secret } = await make();
    receiver.answer = 500;
    await say('1001');
    await stream();
    await deliver(id);
    expect(logged.length).toBeGreaterThan(0);
    expect(JSON.stringify(logged)).not.toMatch(/s3cret-of-the-address|whsec_|127\.0\.0\.1/);
    const stored = JSON.stringify(await database.query(partitionQuery(tenantKey(domain).PK)));
    expect(stored).not.toContain(secret.slice(6));
  });
});

describe('what a webhook may see', () => {
  it('is what its watcher may: blocked, politely blocked and redacted as a subscription', async () => {
    for (const [user, watch] of [
      ['1001', { block: ['board'] }],
      ['1002', { politeBlock: ['board'] }],
      ['1003', { redact: { everyone: 'identities' } }],
      ['1004', { confirm: true }],
      ['1005', {}],
    ] as const)
      await setUser(user, { watch: watch as GivenUserWatch });
    await setUser('board');
    await stream();
    const { id } = await make({ watcher: 'board' });
    for (const user of ['1001', '1002', '1003', '1004', '1005']) await say(user);
    await stream();
    await deliver(id);
    expect(told().toSorted()).toEqual(['lamp 1003 busy', 'lamp 1005 busy']);
    const dialogOf = (user: string) => receiver.received.find(({ data }) => data.user === user)?.data.dialogs[0];
    expect(dialogOf('1005')).toHaveProperty('remote');
    expect(dialogOf('1003')).not.toHaveProperty('remote');
    expect(await waiting()).toEqual([]);
  });

  it('is nothing once the account of its watcher is gone', async () => {
    await setUser('board');
    const { id } = await make({ watcher: 'board' });
    await table.delete(profileKey(domain, 'board'));
    await say('1001');
    await stream();
    await deliver(id);
    expect(told()).toEqual([]);
  });

  it('follows the policy: ended, seen again, and seen less, with a higher sequence each', async () => {
    await setUser('1001');
    const { id } = await make();
    const steps: [() => Promise<unknown>, string][] = [
      [() => say('1001'), 'lamp 1001 busy'],
      [() => setUser('1001', { watch: { block: [`webhook-${id}`] } }), 'ended 1001 rejected'],
      [() => setUser('1001', { watch: { politeBlock: [`webhook-${id}`] } }), 'lamp 1001 idle'],
      [() => setUser('1001', { watch: { redact: { everyone: 'stateOnly' } } }), 'lamp 1001 busy'],
      [() => setTenant({ watch: { default: 'nobody' } }), 'ended 1001 rejected'],
    ];
    let sequence = 0;
    for (const [act, expected] of steps) {
      receiver.received.length = 0;
      nowMs += 1_000;
      await act();
      await stream();
      await deliver(id);
      expect(told()).toContain(expected);
      const data = receiver.received.find((each) => each.data.user === '1001')?.data;
      expect(data.sequence).toBeGreaterThan(sequence);
      sequence = data.sequence;
    }
    receiver.received.length = 0;
    await say('1001', 'early');
    await stream();
    await deliver(id);
    expect(told()).toEqual([]);
  });

  it('ends with the user', async () => {
    await setUser('1001');
    const { id } = await make();
    await table.delete(profileKey(domain, '1001'));
    await table.put({ ...removedUserKey(domain, '1001'), removedAtMs: nowMs });
    await stream();
    await deliver(id);
    expect(told()).toEqual(['ended 1001 noresource']);
  });
});

describe('secrets', () => {
  it('are both good while one takes over from the other', async () => {
    await onDynamoDb();
    const { id, secret } = await make();
    const { secret: next } = await rotateWebhookSecret(desk(), change(), domain, id, 60);
    for (const [afterMs, expected] of [
      [0, [true, true]],
      [60_000, [false, true]],
    ] as const) {
      nowMs += afterMs;
      receiver.received.length = 0;
      await say('1001', afterMs === 0 ? 'early' : 'confirmed');
      await stream();
      await deliver(id);
      const [got] = receiver.received;
      const isGood = (each: string) => isGoodSignature(each, got?.headers ?? {}, got?.text ?? '', nowMs);
      expect([isGood(secret), isGood(next)]).toEqual(expected);
    }
  });
});

describe('a test', () => {
  it('is sent at once, also to a receiver in trouble, and its outcome is told', async () => {
    const { id } = await make();
    receiver.answer = 500;
    await say('1001');
    await stream();
    await deliver(id);
    nowMs += 100;
    const testId = await testWebhook(desk(), change(), domain, id);
    expect(await deliver(id)).toBe('failing');
    expect((await health(id))?.lastTest).toEqual({ id: testId, atMs: nowMs, outcome: 'answered 500' });
    receiver.answer = 204;
    const again = await testWebhook(desk(), change(), domain, id);
    receiver.received.length = 0;
    expect(await deliver(id)).toBe('told');
    expect((await health(id))?.lastTest).toEqual({ id: again, atMs: nowMs, outcome: 'delivered' });
    expect(receiver.received.map((each) => each.type).toSorted()).toEqual(['lamp', 'test']);
    expect(receiver.received.find(({ type }) => type === 'test')).toMatchObject({ id: again, data: { webhook: id } });
  });
});
