/** People by the HTTP API and over SIP: who was made can sign in, who was removed is gone within seconds. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { historyPartition, mailboxPartition, presentityPartition, userPartition } from '#table/keys.ts';
import { partitionQuery } from '#table/table.ts';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { readRlmi } from '#test/support/rlmi.ts';
import { dialogInfo, dialogStates, SipClient } from '#test/support/sip-client.ts';

const KEY = 'the-key-of-this-test';
const T = '/tenants/demo.example';
const PATIENCE_MS = 20_000;
let stack: LocalStack;
let table: DynamoDbTable;
const clients: SipClient[] = [];

beforeAll(async () => {
  stack = await startStack({ gateways: 2, env: { ADMIN_KEY: KEY } });
  table = openDynamoDbTable({ tableName: 'lampfield', endpoint: stack.dynamoDbEndpoint });
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(async () => {
  table.close();
  await stack.stop();
});

/** Asks again when the table does not answer in time (503), as Retry-After says: its first transaction is slow. */
async function ask(method: string, path: string, body?: unknown, key = KEY) {
  for (let attempt = 1; attempt < 4; attempt += 1) {
    const answer = await askOnce(method, path, body, key);
    if (answer.status !== 503) return answer;
    await pause(Number(answer.retryAfter) * 1_000);
  }
  return askOnce(method, path, body, key);
}
async function askOnce(method: string, path: string, body: unknown, key: string) {
  const response = await fetch(`${stack.apiUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const retryAfter = response.headers.get('retry-after');
  return { status: response.status, retryAfter, body: text === '' ? undefined : JSON.parse(text) };
}
async function connect(user: string, password?: string, gateway = 0): Promise<SipClient> {
  const client = await SipClient.connect(stack.url(gateway), user, 'demo.example', password);
  clients.push(client);
  return client;
}
async function eventually<T>(
  look: () => Promise<T>,
  wanted: (found: T) => boolean,
  withinMs = PATIENCE_MS,
): Promise<T> {
  for (const endMs = performance.now() + withinMs; ; await pause(200)) {
    const found = await look();
    if (wanted(found) || performance.now() > endMs) return found;
  }
}
/** Keys of all that stands of a user, but the mark that it was removed. */
async function itemsOf(user: string): Promise<string[]> {
  const partitions = [userPartition, presentityPartition, historyPartition, mailboxPartition];
  const found = await Promise.all(partitions.map((of) => table.query(partitionQuery(of('demo.example', user)))));
  return found.flat().flatMap(({ SK }) => (SK === 'REMOVED' ? [] : [SK]));
}

it('a user that was made signs in with its password, set or made up, and with no other', async () => {
  const created = await ask('PUT', `${T}/users/2001`, { password: 'correct horse', displayName: 'Ann' });
  // 200 when the answer to a first attempt was late: PUT is idempotent.
  expect([200, 201]).toContain(created.status);
  expect((await (await connect('2001', 'correct horse')).register()).status).toBe(200);
  expect((await ask('PUT', `${T}/users/2002/credentials`, {})).status).toBe(404);
  await ask('PUT', `${T}/users/2002`, {});
  const made = await ask('PUT', `${T}/users/2002/credentials`, {});
  expect(made).toMatchObject({ status: 200, body: { user: '2002', password: expect.stringMatching(/^[\w-]{20}$/) } });
  expect((await (await connect('2002', made.body.password)).register()).status).toBe(200);
  expect((await (await connect('2002', 'another one')).register()).status).toBe(401);
});

it('a user that was removed is gone within seconds: connection, subscriptions, state, and whoever watches is told', async () => {
  await ask('PUT', `${T}/users/2003`, { password: 'correct horse' });
  await ask('PUT', `${T}/lists/team`, {
    members: [{ uri: 'sip:2003@demo.example' }, { uri: 'sip:1002@demo.example' }],
  });
  const [gone, watcher, lists, pbx] = [
    await connect('2003', 'correct horse'),
    await connect('1001', undefined, 1),
    await connect('1003'),
    await connect('pbx'),
  ];
  expect((await gone.register()).status).toBe(200);
  await gone.subscribe('1002');
  const watching = await watcher.subscribe('2003');
  const listing = await lists.subscribe('team', {
    headers: ['Supported: eventlist'],
    accept: 'application/dialog-info+xml, multipart/related, application/rlmi+xml',
  });
  const busy = dialogInfo('sip:2003@demo.example', { id: 'd1', callId: 'c1', state: 'confirmed' });
  expect((await pbx.publish('2003', busy)).status).toBe(200);
  await watcher.next(({ method, body }) => method === 'NOTIFY' && dialogStates({ body }).includes('confirmed'), {
    since: 0,
  });

  expect((await ask('DELETE', `${T}/users/2003`)).status).toBe(204);
  const last = await watcher.next(({ text }) => /Subscription-State: terminated/i.test(text), {
    since: 0,
    timeoutMs: PATIENCE_MS,
  });
  expect(last.header('subscription-state')).toMatch(/^terminated;reason=noresource/);
  expect(watching.notifies().at(-1)).toBe(last);
  await eventually(
    async () => gone.closeCode,
    (code) => code !== undefined,
  );
  expect(gone.closeCode).toBe(1008);
  const told = await eventually(
    async () => listing.notifies().at(-1),
    (notify) => notify?.body.includes('noresource') === true,
  );
  const member = readRlmi(told?.header('content-type') ?? '', told?.body ?? '').resources.find(({ uri }) =>
    uri.includes('2003'),
  );
  expect(member?.instance).toMatchObject({ state: 'terminated', reason: 'noresource' });
  const left = async () => (await itemsOf('2003')).filter((key) => !key.startsWith('WATCHER#dialog#'));
  expect(await eventually(left, (keys) => keys.length === 0)).toEqual([]);
  expect((await ask('GET', `${T}/users/2003`)).status).toBe(404);
  const held = await eventually(
    async () => (await ask('GET', `${T}/presentities/1002/subscriptions`)).body.items,
    (items) => items.every((each: { watcher: string }) => each.watcher !== 'sip:2003@demo.example'),
  );
  expect(held.map((each: { watcher: string }) => each.watcher)).not.toContain('sip:2003@demo.example');
});

it('who signs in again while functions still know the account is thrown out again, and stays out', async () => {
  await ask('PUT', `${T}/users/2004`, { password: 'correct horse' });
  expect((await (await connect('2004', 'correct horse')).register()).status).toBe(200);
  await ask('DELETE', `${T}/users/2004`);
  const again = await connect('2004', 'correct horse');
  const early = await again.register();
  if (early.status === 200)
    await eventually(
      async () => again.closeCode,
      (code) => code !== undefined,
    );
  expect(early.status === 401 || again.closeCode === 1008).toBe(true);
  const statusNow = async () => (await (await connect('2004', 'correct horse')).register()).status;
  expect(await eventually(statusNow, (status) => status === 401)).toBe(401);
});

it('a key that is revoked is refused at once', async () => {
  const { key, id } = (await ask('POST', `${T}/keys`, { name: 'k', permission: 'read' })).body;
  expect((await ask('GET', `${T}/users`, undefined, key)).status).toBe(200);
  expect((await ask('DELETE', `${T}/keys/${id}`)).status).toBe(204);
  expect((await ask('GET', `${T}/users`, undefined, key)).status).toBe(401);
});
