import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openDynamoDbTable } from '#table/dynamodb.ts';
import { seedItems } from '#table/seed-items.ts';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { TEST_VAULT } from '#test/support/secrets.ts';
import { type ReceivedMessage, SipClient, token } from '#test/support/sip-client.ts';

let stack: LocalStack;
const clients: SipClient[] = [];

beforeAll(async () => {
  stack = await startStack({ gateways: 2 });
  const table = openDynamoDbTable({ tableName: 'lampfield', endpoint: stack.dynamoDbEndpoint });
  const tenant = { domain: 'keep.example', passwordPrefix: 'keep', users: 4, publishers: [] };
  for (const item of seedItems({ ...tenant, policy: { minExpiresSeconds: 3, storeAndForward: true } }, TEST_VAULT))
    await table.put(item);
  table.close();
}, 90_000);
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(() => stack.stop());

async function online(user: string, { gateway = 0, domain = 'demo.example' } = {}): Promise<SipClient> {
  const client = await SipClient.connect(stack.url(gateway), user, domain);
  clients.push(client);
  expect((await client.register()).status).toBe(200);
  return client;
}

/** Answers every MESSAGE of a client. */
function answering(client: SipClient, status: number, headers: readonly string[] = []): void {
  void client.next(isMessage, { timeoutMs: 20_000 }).then(
    (received) => client.respond(received, status, headers),
    () => undefined,
  );
}
const isMessage = ({ method }: ReceivedMessage): boolean => method === 'MESSAGE';

const send = (from: SipClient, to: string, body: string, more: { type?: string; headers?: string[] } = {}) =>
  from.request({
    method: 'MESSAGE',
    uri: to.includes('@') ? to : `sip:${to}@${from.domain}`,
    headers: [`Content-Type: ${more.type ?? 'text/plain;charset=UTF-8'}`, ...(more.headers ?? [])],
    body,
  });

describe('MESSAGE over the wire (RFC 3428)', () => {
  it('reaches the recipient on another gateway byte for byte, and its answer comes back', async () => {
    const [alice, bob] = [await online('1001'), await online('1002', { gateway: 1 })];
    answering(bob, 200, ['Server: test-phone']);
    const text = 'Grüße, 你好, 👋🏽\r\nzweite Zeile';
    const answer = await send(alice, '1002', text, { headers: ['Subject: hi'] });
    expect(answer.status).toBe(200);
    expect(answer.header('server')).toBe('test-phone');
    expect(answer.header('contact')).toBe('');
    const got = await bob.next(isMessage, { since: 0 });
    expect(got.body).toBe(text);
    expect(got.startLine).toBe(`MESSAGE ${bob.contact.slice(1, -1)} SIP/2.0`);
    expect(got.header('content-type')).toBe('text/plain;charset=UTF-8');
    expect(got.header('subject')).toBe('hi');
    expect(got.header('from')).toContain('sip:1001@demo.example');
    expect(got.header('date')).toMatch(/GMT$/);
    expect(got.header('authorization')).toBe('');
    expect(got.headers('via')).toHaveLength(2);
  });

  it('rings every device of the recipient; the first that takes it answers', async () => {
    const alice = await online('1001');
    const phones = [await online('1003'), await online('1003', { gateway: 1 }), await online('1003')];
    answering(phones[0] as SipClient, 486);
    answering(phones[1] as SipClient, 202);
    const startedAt = performance.now();
    expect((await send(alice, '1003', 'to all')).status).toBe(202);
    expect(performance.now() - startedAt).toBeLessThan(2_800);
    for (const phone of phones) expect((await phone.next(isMessage, { since: 0 })).body).toBe('to all');
  });

  it('passes is-composing, IMDN in CPIM, and what it does not know', async () => {
    const [alice, bob] = [await online('1001'), await online('1002')];
    const composing = '<?xml version="1.0"?><isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"/>';
    const imdn =
      'From: <sip:a@b>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: 7\r\n\r\nContent-type: text/plain\r\n\r\nhi';
    for (const [type, body] of [
      ['application/im-iscomposing+xml', composing],
      ['message/cpim', imdn],
      ['application/vnd.example+json', '{"a":1}'],
    ] as const) {
      const since = bob.received.length;
      answering(bob, 200);
      expect((await send(alice, '1002', body, { type })).status).toBe(200);
      const got = await bob.next(isMessage, { since });
      expect([got.header('content-type'), got.body]).toEqual([type, body]);
    }
  });

  it('tells 404, 480, 413, 403 and 401 apart', async () => {
    const alice = await online('1001');
    expect((await send(alice, '4711', 'x')).status).toBe(404);
    expect((await send(alice, '1009', 'x')).status).toBe(480);
    expect((await send(alice, '1009', 'x'.repeat(1_301))).status).toBe(413);
    const [known, unknown] = [
      await send(alice, 'sip:1001@acme.example', 'x'),
      await send(alice, 'sip:4711@acme.example', 'x'),
    ];
    expect([known.status, unknown.status]).toEqual([403, 403]);
    expect(known.header('reason')).toBe(unknown.header('reason'));
    const stranger = await SipClient.connect(stack.url(), '1002');
    clients.push(stranger);
    const options = {
      method: 'MESSAGE',
      uri: 'sip:1001@demo.example',
      headers: ['Content-Type: text/plain'],
      body: 'x',
    };
    expect((await stranger.request({ ...options, authenticate: false })).status).toBe(401);
  });

  it('is not answered for a contact that is silent before its time is up, then 480', async () => {
    const [alice] = [await online('1001'), await online('1004')];
    const startedAt = performance.now();
    const answer = await send(alice, '1004', 'anybody?');
    expect(answer.status).toBe(480);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  }, 15_000);

  it('does once what is sent twice', async () => {
    const [alice, bob] = [await online('1001'), await online('1002')];
    answering(bob, 200);
    const headers = ['Content-Type: text/plain'];
    const ids = { callId: token(), branch: `z9hG4bK${token()}`, fromTag: token() };
    const text = alice.compose({ method: 'MESSAGE', uri: 'sip:1002@demo.example', headers, body: 'once', ...ids });
    const first = await alice.exchange(text);
    const again = await alice.exchange(text);
    expect([first.status, again.text]).toEqual([200, first.text]);
    expect(bob.received.filter(isMessage)).toHaveLength(1);
  });

  it('ends at once when the recipient hangs up while the message is with it', async () => {
    const [alice, carol] = [await online('1001'), await online('1005')];
    void carol.next(isMessage).then(() => carol.cut());
    const startedAt = performance.now();
    expect((await send(alice, '1005', 'bye')).status).toBe(480);
    expect(performance.now() - startedAt).toBeLessThan(2_800);
  });

  it('is named in Allow', async () => {
    const alice = await online('1001');
    const answer = await alice.request({ method: 'OPTIONS', uri: 'sip:demo.example' });
    expect(answer.header('allow').split(/\s*,\s*/)).toContain('MESSAGE');
  });
});

describe('store and forward over the wire', () => {
  const domain = 'keep.example';

  it('hands over what came while the recipient was away, once, in order, after the answer to REGISTER', async () => {
    const alice = await online('1001', { domain });
    for (const text of ['first', 'zweite ü', 'third']) expect((await send(alice, '1002', text)).status).toBe(202);
    const bob = await SipClient.connect(stack.url(1), '1002', domain);
    clients.push(bob);
    expect((await bob.register()).status).toBe(200);
    await expect.poll(() => bob.received.filter(isMessage).length).toBe(3);
    const got = bob.received.filter(isMessage);
    expect(got.map(({ body }) => body)).toEqual(['first', 'zweite ü', 'third']);
    expect(got[0]?.header('from')).toContain('sip:1001@keep.example');
    const registered = bob.received.findIndex(({ status }) => status === 200);
    expect(registered).toBeLessThan(bob.received.findIndex(isMessage));
    for (const message of got) bob.respond(message, 200);
    const since = bob.received.length;
    await expect
      .poll(async () => {
        const before = bob.received.length;
        await bob.register();
        return bob.next(isMessage, { since: before, timeoutMs: 300 }).then(
          () => 'again',
          () => 'nothing',
        );
      })
      .toBe('nothing');
    answering(bob, 200);
    expect((await send(alice, '1002', 'live')).status).toBe(200);
    expect(bob.received.slice(since).some(({ body }) => body === 'live')).toBe(true);
  });

  it('keeps a message that the device which registered did not take', async () => {
    const alice = await online('1001', { domain });
    expect((await send(alice, '1003', 'for later')).status).toBe(202);
    const first = await online('1003', { domain });
    first.respond(await first.next(isMessage, { since: 0 }), 415);
    await first.close();
    const second = await online('1003', { domain });
    expect((await second.next(isMessage, { since: 0 })).body).toBe('for later');
  });

  it('is off where the tenant has not asked for it', async () => {
    expect((await send(await online('1001'), '1008', 'x')).status).toBe(480);
  });
});
