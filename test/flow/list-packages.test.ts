/** Event lists beside the dialog package: presence and message-summary, brought along, compressed, interrupted, taken over. */
import { setTimeout as pause } from 'node:timers/promises';
import { deflateSync } from 'node:zlib';
import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { localClient } from '#cdk/local/dynamodb-local.ts';
import { TABLE_NAME } from '#cdk/local/processes.ts';
import { listItem } from '#table/list-item.ts';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { activities, pidf, tupleElement } from '#test/support/presence.ts';
import { partsOf, type RlmiList, readRlmi } from '#test/support/rlmi.ts';
import { schemaProblems } from '#test/support/schema.ts';
import { dialogInfo, dialogStates, type ReceivedMessage, SipClient, token } from '#test/support/sip-client.ts';

const PIDF = 'application/pidf+xml';
const SUMMARY = 'application/simple-message-summary';
const accepting = (type: string) => ({
  headers: ['Supported: eventlist'],
  accept: `${type}, multipart/related, application/rlmi+xml`,
});
const aor = (user: number | string): string => `sip:${user}@demo.example`;

let stack: LocalStack;
const clients: SipClient[] = [];

beforeAll(async () => {
  stack = await startStack({ gateways: 2 });
  await keepList('team', [aor(1001), aor(1002), aor('blf-all'), aor(1002), aor('nobody')]);
  await keepList('void', [aor('nobody-1'), 'sip:1001@acme.example', 'sip:nobody@acme.example', 'tel:+15550100']);
}, 90_000);
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(() => stack.stop());

async function connect(user: string, gateway = 0): Promise<SipClient> {
  const client = await SipClient.connect(stack.url(gateway), user);
  clients.push(client);
  return client;
}

async function keepList(name: string, members: readonly string[]): Promise<void> {
  const client = localClient(stack.dynamoDbEndpoint);
  const Item = marshall(listItem({ domain: 'demo.example', user: name }, members));
  await client.send(new PutItemCommand({ TableName: TABLE_NAME, Item }));
  client.destroy();
}

/** The list of a NOTIFY whose RLMI is valid by its schema. */
function rlmiOf(notify: ReceivedMessage | undefined): RlmiList {
  const [contentType, body] = [notify?.header('content-type') ?? '', notify?.body ?? ''];
  expect(schemaProblems('rlmi', [partsOf(contentType, body)[0]?.body ?? ''])).toEqual([]);
  return readRlmi(contentType, body);
}
const bodyOf = (notify: ReceivedMessage | undefined, uri: string): string =>
  rlmiOf(notify).resources.find((resource) => resource.uri === uri)?.body ?? '';

describe('lists of other packages', () => {
  test('of presence: each member once, full, then only who changed, each document valid', async () => {
    const [watcher, pbx] = [await connect('1011'), await connect('pbx')];
    const subscription = await watcher.subscribe('team', { event: 'presence', ...accepting(PIDF) });
    const [first] = subscription.notifies();
    const { resources, isFull, version } = rlmiOf(first);
    expect([isFull, version, resources.length]).toEqual([true, 0, 11]);
    expect(resources.at(-1)).toMatchObject({
      uri: aor('nobody'),
      instance: { state: 'terminated', reason: 'noresource' },
    });
    const documents = resources.flatMap(({ body }) => body ?? []);
    expect(documents).toHaveLength(10);
    expect(schemaProblems('pidf', documents)).toEqual([]);

    const since = watcher.received.length;
    const busy = pidf(tupleElement('desk', 'open') + activities('busy'), aor(1002));
    await pbx.publish('1002', busy, { event: 'presence', contentType: PIDF, expiresSeconds: 3 });
    const second = await subscription.nextNotify('rpid:busy', { since });
    expect(rlmiOf(second)).toMatchObject({ isFull: false, version: 1 });
    expect(rlmiOf(second).resources.map(({ uri }) => uri)).toEqual([aor(1002)]);
    const third = await subscription.nextNotify('closed', { timeoutMs: 10_000 });
    expect(rlmiOf(third)).toMatchObject({ isFull: false, version: 2 });
    const phone = await connect('1001');
    const opened = subscription.nextNotify('<basic>open</basic>', { timeoutMs: 10_000 });
    await phone.register();
    expect(rlmiOf(await opened).resources.map(({ uri }) => uri)).toEqual([aor(1001)]);
  });

  test('of message-summary', async () => {
    const [watcher, pbx] = [await connect('1011'), await connect('pbx')];
    const options = { event: 'message-summary', ...accepting(SUMMARY) };
    const subscription = await watcher.subscribe('team', options);
    expect(bodyOf(subscription.notifies()[0], aor(1005))).toContain('Messages-Waiting: no\r\n');
    const changed = subscription.nextNotify('yes');
    const text = 'Messages-Waiting: yes\r\nVoice-Message: 2/0 (1/0)\r\n';
    await pbx.publish('1005', text, { event: 'message-summary', contentType: SUMMARY });
    expect(bodyOf(await changed, aor(1005))).toContain('Voice-Message: 2/0 (1/0)\r\n');
  });

  test('of reg and winfo there are none: 489, or 403 for whom it does not concern', async () => {
    const [user, pbx] = [await connect('1011'), await connect('pbx')];
    for (const event of ['reg', 'dialog.winfo', 'presence.winfo']) {
      const { answer } = await pbx.subscribe('team', { event, accept: '*/*', headers: ['Supported: eventlist'] });
      expect([answer.status, answer.header('allow-events')]).toEqual([489, 'dialog, presence, message-summary']);
      expect((await user.subscribe('team', { event, accept: '*/*' })).answer.status).toBe(403);
    }
  });

  test('whose name a user has too: with support for lists the list, without it the user', async () => {
    await keepList('1015', [aor(1015), aor(1016)]);
    const watcher = await connect('1011');
    const asList = await watcher.subscribe('1015', accepting('application/dialog-info+xml'));
    expect(asList.answer.header('require')).toBe('eventlist');
    expect(rlmiOf(asList.notifies()[0]).resources.map(({ uri }) => uri)).toEqual([aor(1015), aor(1016)]);
    const asUser = await watcher.subscribe('1015');
    expect([asUser.answer.status, asUser.answer.header('require')]).toEqual([200, '']);
    expect(asUser.notifies()[0]?.header('content-type')).toBe('application/dialog-info+xml');
  });

  test('with nobody in it that can be watched: every instance is terminated, whoever exists elsewhere', async () => {
    const watcher = await connect('1011');
    const subscription = await watcher.subscribe('void', accepting('application/dialog-info+xml'));
    expect(subscription.answer.status).toBe(200);
    const { resources } = rlmiOf(subscription.notifies()[0]);
    expect(resources.map(({ body }) => body)).toEqual([undefined, undefined, undefined, undefined]);
    const shown = new Set(resources.map(({ name, instance: { state, reason } }) => `${name} ${state} ${reason}`));
    expect([...shown]).toEqual(['undefined terminated noresource']);
    expect((await subscription.refresh(0)).status).toBe(200);
  });
});

describe('a list that the SUBSCRIBE brings, as Linphone sends it (RFC 5367)', () => {
  const entry = (uri: string, name?: string) =>
    `<entry uri="${uri}">${name === undefined ? '' : `<display-name>${name}</display-name>`}</entry>`;
  const lists = (...entries: string[]) =>
    `<?xml version="1.0"?><resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>${entries.join('')}</list></resource-lists>`;

  async function bring(client: SipClient, body: string, names: { callId: string; fromTag: string }) {
    // Identified first: a challenge would only send the same again.
    await client.register();
    const head = [
      `SUBSCRIBE ${client.aor} SIP/2.0`,
      `Via: SIP/2.0/WS ${client.host};branch=z9hG4bK${token()}`,
      `From: "Zo\u00eb" <${client.aor}>;tag=${names.fromTag}`,
      `To: <${client.aor}>`,
      `Call-ID: ${names.callId}`,
      ...['CSeq: 1 SUBSCRIBE', 'Event: Presence', 'Expires: 600', 'Supported: eventlist', `Contact: ${client.contact}`],
      ...['Require: recipient-list-subscribe', 'Accept: multipart/related, application/pidf+xml, application/rlmi+xml'],
      ...['Content-Type: application/resource-lists+xml', 'Content-Disposition: recipient-list'],
      'Content-Encoding: deflate',
    ];
    const bytes = deflateSync(body);
    const answer = client.next(({ status, header }) => status >= 200 && header('call-id') === names.callId);
    client.raw(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\nContent-Length: ${bytes.length}\r\n\r\n`), bytes]));
    return answer;
  }

  test('is opened deflated, shows each entry once, is refreshed without its body, and goes on at another gateway', async () => {
    const [watcher, pbx] = [await connect('1012'), await connect('pbx')];
    const names = { callId: token(), fromTag: token() };
    const body = lists(
      ...[
        entry(aor(1018), '&lt;Zo\u00eb &amp; "Co"&gt;'),
        entry(aor(1019)),
        entry(aor(1018)),
        entry('sip:1001@acme.example'),
      ],
    );
    const isOurs = (text: string) => (message: ReceivedMessage) =>
      message.method === 'NOTIFY' && message.header('call-id') === names.callId && message.body.includes(text);
    const first = watcher.next(isOurs(''));
    const answer = await bring(watcher, body, names);
    expect([answer.status, answer.header('require')]).toEqual([200, 'eventlist']);
    expect(answer.header('from')).toMatch(/^"Zo\u00eb" </);
    const opened = await first;
    expect([opened.header('event'), opened.header('to')]).toEqual(['Presence', answer.header('from')]);
    expect(rlmiOf(opened).resources.map(({ uri, name }) => [uri, name])).toEqual([
      [aor(1018), '<Zo\u00eb & "Co">'],
      [aor(1019), 'User 1019'],
      ['sip:1001@acme.example', undefined],
    ]);
    expect(schemaProblems('pidf', [bodyOf(opened, aor(1018))])).toEqual([]);

    watcher.cut();
    const again = await connect('1012', 1);
    const refreshed = again.next(isOurs('fullState="true"'));
    const refresh = await again.request({
      ...{
        method: 'SUBSCRIBE',
        uri: again.aor,
        ...names,
        toTag: /;tag=([^;]+)/.exec(answer.header('to'))?.[1],
        cseq: 5,
      },
      headers: [
        'Event: Presence',
        'Expires: 600',
        'Supported: eventlist',
        `Contact: ${again.contact}`,
        `Accept: ${PIDF}`,
      ],
    });
    expect([refresh.status, refresh.header('require')]).toEqual([200, 'eventlist']);
    expect(rlmiOf(await refreshed).resources.map(({ uri }) => uri)).toEqual([
      aor(1018),
      aor(1019),
      'sip:1001@acme.example',
    ]);
    const changed = again.next(isOurs('on-the-phone'));
    await pbx.publish('1019', dialogInfo(aor(1019), { state: 'confirmed' }));
    expect(rlmiOf(await changed).resources.map(({ uri }) => uri)).toEqual([aor(1019)]);
  });
});

describe('changes that something interrupts', () => {
  const DIALOG = accepting('application/dialog-info+xml');
  const publish = (pbx: SipClient, user: number, state: string, ifMatch?: string) =>
    pbx.publish(String(user), dialogInfo(aor(user), { id: `d${user}`, callId: `c${user}`, state }), {
      ...(ifMatch !== undefined && { ifMatch }),
    });

  test('several of one member in a short time are one: the last', async () => {
    const [watcher, pbx] = [await connect('1013'), await connect('pbx')];
    await pbx.register();
    const subscription = await watcher.subscribe('team', DIALOG);
    const since = watcher.received.length;
    let tag: string | undefined;
    for (const state of ['trying', 'early', 'confirmed'])
      tag = (await publish(pbx, 1006, state, tag)).header('sip-etag');
    await subscription.nextNotify('confirmed', { since });
    await pause(300);
    const states = subscription
      .notifies()
      .slice(1)
      .flatMap((notify) => dialogStates({ body: bodyOf(notify, aor(1006)) }));
    expect(states.at(-1)).toBe('confirmed');
    expect(new Set(states).size).toBe(states.length);
    await pbx.publish('1006', undefined, { ifMatch: tag ?? '', expiresSeconds: 0 });
  });

  test.each([
    ['refresh', 600, /^active;expires=\d+$/],
    ['end', 0, 'terminated;reason=timeout'],
  ])('a %s in the window has all of it, and nothing comes twice', async (_what, expiresSeconds, state) => {
    const [watcher, pbx] = [await connect('1014'), await connect('pbx')];
    await pbx.register();
    const subscription = await watcher.subscribe('team', DIALOG);
    const since = watcher.received.length;
    const tag = (await publish(pbx, 1007, 'early')).header('sip-etag');
    expect((await subscription.refresh(expiresSeconds)).status).toBe(200);
    const full = await subscription.nextNotify('fullState="true"', { since });
    expect(full.header('subscription-state')).toMatch(state);
    expect(dialogStates({ body: bodyOf(full, aor(1007)) })).toEqual(['early']);
    await pause(500);
    const shown = subscription
      .notifies()
      .slice(1)
      .filter(({ body }) => body.includes('>early<'));
    // One more at most: the state may have been told before the refresh came.
    expect(shown.length).toBeLessThanOrEqual(2);
    expect(shown.at(-1)).toBe(full);
    expect(subscription.notifies().at(-1)).toBe(full);
    await pbx.publish('1007', undefined, { ifMatch: tag, expiresSeconds: 0 });
  });
});
