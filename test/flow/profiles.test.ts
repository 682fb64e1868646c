import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { seedItems } from '#table/seed-items.ts';
import type { TenantPolicy } from '#table/tenant-item.ts';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { TEST_VAULT } from '#test/support/secrets.ts';
import { dialogInfo, dialogStates, SipClient, type TestSubscription } from '#test/support/sip-client.ts';

let stack: LocalStack;
let table: DynamoDbTable;
const clients: SipClient[] = [];

beforeAll(async () => {
  stack = await startStack();
  table = openDynamoDbTable({ tableName: 'lampfield', endpoint: stack.dynamoDbEndpoint });
  await seed('partial.example', { rendering: { profile: { documents: 'partial' } } });
  await seed('private.example', { rendering: { profile: { identities: 'withheld', idle: 'empty' } } });
}, 90_000);
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(async () => {
  table.close();
  await stack.stop();
});

/** A tenant like the local ones, with a policy of its own. */
async function seed(domain: string, policy: Partial<TenantPolicy>): Promise<void> {
  const tenant = { domain, passwordPrefix: domain.split('.')[0] ?? '', users: 3, publishers: ['pbx'] };
  for (const item of seedItems({ ...tenant, policy: { minExpiresSeconds: 3, ...policy } }, TEST_VAULT))
    await table.put(item);
}

async function connect(user: string, domain = 'demo.example'): Promise<SipClient> {
  const client = await SipClient.connect(stack.url(), user, domain);
  clients.push(client);
  return client;
}

const watch = (client: SipClient, user: string, userAgent = 'Phone/1.0'): Promise<TestSubscription> =>
  client.subscribe(user, { headers: [`User-Agent: ${userAgent}`] });
const lastOf = (subscription: TestSubscription) => subscription.notifies().at(-1);

/** A document of several dialogs, each `id direction state`. */
function callsOf(entity: string, ...calls: string[]): string {
  const elements = calls.map((call) => {
    const [id = '', direction, state = ''] = call.split(' ');
    const whole = dialogInfo(entity, { id, callId: `call-${id}`, state, direction: direction as 'initiator' });
    return /<dialog [\s\S]*<\/dialog>/.exec(whole)?.[0] ?? '';
  });
  return dialogInfo(entity, { state: 'early' }).replace(/<dialog [\s\S]*<\/dialog>/, elements.join('\n'));
}

describe('rendering profiles', () => {
  it('tell one presentity to each kind of phone as it needs it', async () => {
    const [pbx, watcher] = [await connect('pbx'), await connect('1001')];
    const plain = await watch(watcher, '1005');
    const spa = await watch(watcher, '1005', 'Linksys/SPA962-6.1.5(a)');
    const broadworks = await watch(watcher, '1005', 'Technicolor TB30 V1');
    const entity = 'sip:1005@demo.example';
    const calls = callsOf(entity, 'a recipient confirmed', 'b recipient early', 'c initiator early');
    const since = watcher.received.length;
    expect((await pbx.publish('1005', calls)).status).toBe(200);
    for (const subscription of [plain, spa, broadworks]) await subscription.nextNotify('recipient', { since });
    const states = [plain, spa, broadworks].map((each) => dialogStates(lastOf(each) as never).toSorted());
    expect(states).toEqual([['confirmed', 'early', 'early'], ['early'], ['confirmed', 'proceeding', 'proceeding']]);
  });

  it('tell who asks for one dialog of that one alone (RFC 4235 section 3.2)', async () => {
    const [pbx, watcher] = [await connect('pbx'), await connect('1001')];
    const entity = 'sip:1013@demo.example';
    const one = await watcher.subscribe('1013', { event: 'dialog;call-id="call-b"' });
    expect(dialogStates(lastOf(one) as never)).toEqual([]);
    let since = watcher.received.length;
    const first = await pbx.publish('1013', callsOf(entity, 'a recipient early', 'b recipient early'));
    expect(dialogStates(await one.nextNotify('early', { since }))).toEqual(['early']);
    const options = { ifMatch: first.header('sip-etag') };
    const more = await pbx.publish('1013', callsOf(entity, 'a recipient confirmed', 'b recipient early'), options);
    since = watcher.received.length;
    const last = { ifMatch: more.header('sip-etag') };
    await pbx.publish('1013', callsOf(entity, 'a recipient confirmed', 'b recipient confirmed'), last);
    const told = await one.nextNotify('', { since });
    expect([dialogStates(told), told.body.includes('call-a')]).toEqual([['confirmed'], false]);
  });

  it('send full first, then what changed, and full again on refresh, with versions that count by one', async () => {
    const [pbx, watcher] = [await connect('pbx', 'partial.example'), await connect('1001', 'partial.example')];
    const entity = 'sip:1002@partial.example';
    const subscription = await watch(watcher, '1002');
    const first = await pbx.publish('1002', callsOf(entity, 'a recipient early'));
    await subscription.nextNotify('id="a"', { since: 0 });
    let since = watcher.received.length;
    await pbx.publish('1002', callsOf(entity, 'a recipient early', 'b recipient early'), {
      ifMatch: first.header('sip-etag'),
    });
    const change = await subscription.nextNotify('id="b"', { since });
    expect(change.body).toContain('state="partial"');
    expect(change.body).not.toContain('id="a"');
    since = watcher.received.length;
    expect((await subscription.refresh(600)).status).toBe(200);
    const whole = await subscription.nextNotify('', { since });
    expect(whole.body).toMatch(/state="full"[\s\S]*id="a"[\s\S]*id="b"|state="full"[\s\S]*id="b"[\s\S]*id="a"/);
    const versions = subscription.notifies().map(({ body }) => /version="(\d+)"/.exec(body)?.[1]);
    expect(versions).toEqual(versions.map((_, index) => String(index)));
  });

  it('withhold who talks from colleagues, not from the presentity', async () => {
    const [pbx, watcher] = [await connect('pbx', 'private.example'), await connect('1001', 'private.example')];
    const self = await connect('1002', 'private.example');
    const [colleague, own] = [await watch(watcher, '1002'), await watch(self, '1002')];
    expect(lastOf(colleague)?.body).not.toContain('<dialog ');
    await pbx.publish('1002', callsOf('sip:1002@private.example', 'a recipient confirmed'));
    const [told, known] = await Promise.all([
      colleague.nextNotify('confirmed', { since: 0 }),
      own.nextNotify('confirmed', { since: 0 }),
    ]);
    expect(told.body).not.toMatch(/call-id|tag=|15550100|Caller/);
    expect(known.body).toMatch(/call-id="call-a"[\s\S]*15550100/);
  });

  it('follow the User-Agent of a refresh', async () => {
    const [pbx, watcher] = [await connect('pbx'), await connect('1001')];
    await pbx.publish('1006', callsOf('sip:1006@demo.example', 'a recipient early'));
    const subscription = await watch(watcher, '1006');
    expect(dialogStates(lastOf(subscription) as never)).toEqual(['early']);
    const { uri, dialog } = subscription;
    const since = watcher.received.length;
    const headers = ['Event: dialog', 'Expires: 600', `Contact: ${watcher.contact}`, 'User-Agent: Technicolor TB30'];
    expect((await watcher.request({ method: 'SUBSCRIBE', uri, ...dialog, cseq: 9, headers })).status).toBe(200);
    expect(dialogStates(await subscription.nextNotify('', { since }))).toEqual(['proceeding']);
  });
});

describe('rate control over the wire (RFC 6446)', () => {
  it('holds changes back for the gap that the watcher asked for; the last one arrives', async () => {
    const [pbx, watcher] = [await connect('pbx'), await connect('1001')];
    const subscription = await watcher.subscribe('1007', { event: 'dialog;max-rate=0.5' });
    expect(lastOf(subscription)?.header('subscription-state')).toMatch(/^active;expires=\d+;max-rate=0\.5$/);
    expect(lastOf(subscription)?.header('event')).toBe('dialog');
    const since = watcher.received.length;
    let ifMatch: string | undefined;
    for (const state of ['trying', 'early', 'confirmed']) {
      const body = callsOf('sip:1007@demo.example', `a recipient ${state}`);
      const answer = await pbx.publish('1007', body, ifMatch === undefined ? {} : { ifMatch });
      ifMatch = answer.header('sip-etag');
    }
    await subscription.nextNotify('confirmed', { since });
    const times = subscription.notifies().map(({ atMs }) => atMs);
    expect(times).toHaveLength(2);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(1_900);
  });

  it('repeats the state at the minimum rate', async () => {
    const watcher = await connect('1001');
    const subscription = await watcher.subscribe('1008', { event: 'dialog;min-rate=1' });
    await expect.poll(() => subscription.notifies().length).toBeGreaterThanOrEqual(3);
    expect(lastOf(subscription)?.header('subscription-state')).toContain(';min-rate=1');
  });
});

describe('conditional notification (RFC 5839)', () => {
  const resubscribe = (subscription: TestSubscription, expires: number, tag: string, cseq: number) =>
    subscription.client.request({
      ...{ method: 'SUBSCRIBE', uri: subscription.uri, ...subscription.dialog, cseq },
      headers: [
        ...['Event: dialog', `Expires: ${expires}`, `Contact: ${subscription.client.contact}`],
        `Suppress-If-Match: ${tag}`,
      ],
    });

  it('answers a refresh 204 and sends nothing while the state is the one that the watcher has', async () => {
    const [pbx, watcher] = [await connect('pbx'), await connect('1001')];
    const subscription = await watch(watcher, '1009');
    const tag = lastOf(subscription)?.header('sip-etag') ?? '';
    expect(tag).not.toBe('');
    const answer = await resubscribe(subscription, 300, tag, 10);
    expect([answer.status, answer.header('sip-etag'), answer.header('expires')]).toEqual([204, tag, '300']);
    await pbx.publish('1009', callsOf('sip:1009@demo.example', 'a recipient early'));
    const changed = await subscription.nextNotify('early', { since: 0 });
    expect(subscription.notifies()).toHaveLength(2);
    expect(changed.header('sip-etag')).not.toBe(tag);
    const since = watcher.received.length;
    expect((await resubscribe(subscription, 600, tag, 11)).status).toBe(200);
    await subscription.nextNotify('early', { since });
    expect((await resubscribe(subscription, 0, '*', 12)).status).toBe(204);
    expect((await subscription.refresh(600, { cseq: 13 })).status).toBe(481);
    expect(subscription.notifies()).toHaveLength(3);
  });

  it('leaves the body out of the first NOTIFY of a watcher that has the state', async () => {
    const watcher = await connect('1001');
    const tag = lastOf(await watch(watcher, '1010'))?.header('sip-etag') ?? '';
    const again = await watcher.subscribe('1010', { headers: [`Suppress-If-Match: ${tag}`] });
    expect(again.answer.status).toBe(200);
    expect(lastOf(again)?.body).toBe('');
    expect(lastOf(again)?.header('content-type')).toBe('');
    expect(lastOf(again)?.header('sip-etag')).toBe(tag);
    expect(lastOf(again)?.header('subscription-state')).toMatch(/^active;expires=/);
    const since = watcher.received.length;
    expect((await resubscribe(again, 300, 'another', 20)).status).toBe(200);
    await again.nextNotify('dialog-info', { since });
  });
});

describe('one device that subscribes anew', () => {
  it('loses its older subscription, which is told so in a way that does not bring it back', async () => {
    const watcher = await connect('1001');
    const contact = watcher.contact;
    const instance = `${contact};+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"`;
    const subscribe = async (): Promise<TestSubscription> => {
      Object.defineProperty(watcher, 'contact', { value: instance, configurable: true });
      const subscription = await watcher.subscribe('1011');
      Object.defineProperty(watcher, 'contact', { value: contact, configurable: true });
      return subscription;
    };
    const older = await subscribe();
    const newer = await subscribe();
    const last = await older.nextNotify('terminated;reason=rejected', { since: 0 });
    expect(last.body).toContain('<dialog');
    expect((await older.refresh(300)).status).toBe(481);
    expect((await newer.refresh(300)).status).toBe(200);
  });
});
