import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import { composeDialogs } from '#core/presentity.ts';
import { PUBLICATION_LIMITS, type PublicationContent } from '#core/publication.ts';
import { publish } from '#roles/compositor.ts';
import { createCache } from '#runtime/cache.ts';
import { type DynamoDbTable, openDynamoDbTable } from '#table/dynamodb.ts';
import { loadPresentity } from '#table/presentity-item.ts';
import { completeTenant, loadTenant, tenantItem } from '#table/tenant-item.ts';
import { userItem } from '#table/user-item.ts';
import { ALICE, BOB, dialogElement, dialogInfo, PBX, publishOf, type TestPublish } from '#test/support/dialogs.ts';
import { startTable, type TestTable } from '#test/support/dynamodb.ts';
import { T0 } from '#test/support/envelope.ts';
import { TEST_SECRETS } from '#test/support/secrets.ts';

let started: TestTable;
let table: DynamoDbTable;
let ports: Parameters<typeof publish>[1];
let presentityCount = 0;
/** A presentity of its own for each test. */
let user: string;

beforeAll(async () => {
  started = await startTable();
  table = openDynamoDbTable(started);
  await table.put(tenantItem('demo.example', { minExpiresSeconds: 3 }));
  ports = {
    table,
    randomBytes,
    ...TEST_SECRETS,
    loadUser: async () => undefined,
    loadTenant: createCache((domain) => loadTenant(table, domain), { keepMs: 60_000, maxEntries: 10 }),
  };
});

afterAll(async () => {
  table.close();
  await started.stop();
});

beforeEach(() => {
  presentityCount += 1;
  user = `20${presentityCount}`;
});

const presentity = () => ({ domain: 'demo.example', user });
const send = (request: TestPublish, nowMs = T0) =>
  publish(publishOf({ presentity: `sip:${user}@demo.example`, ...request }), ports, nowMs);

async function sendOk(request: TestPublish, nowMs = T0): Promise<string> {
  const { response } = await send(request, nowMs);
  expect(response).toMatchObject({ status: 200 });
  return headerOf(response, 'SIP-ETag');
}

const headerOf = (response: { headers: readonly (readonly [string, string])[] }, name: string): string =>
  response.headers.find(([each]) => each === name)?.[1] ?? '';

async function lamps(nowMs = T0): Promise<string[]> {
  const { publications } = await loadPresentity(table, presentity());
  return composeDialogs(publications, nowMs).map(({ id, state }) => `${id} ${state}`);
}

const doc = (id: string, state: string, scope = 'full') => dialogInfo(dialogElement(id, state), scope);

describe('PUBLISH, its life (RFC 3903 section 4)', () => {
  it('is one write, and no read once the tenant is cached', async () => {
    await sendOk({ body: doc('1', 'early') });
    const before = { ...table.requestCounts };
    const tag = await sendOk({ body: doc('2', 'early') });
    await sendOk({ body: doc('2', 'confirmed'), ifMatch: tag });
    expect(table.requestCounts).toEqual({ ...before, UpdateItem: before.UpdateItem + 2 });
  });

  it('creates, modifies, refreshes and removes, with a new entity-tag each time', async () => {
    const first = await sendOk({ body: doc('1', 'early') });
    expect(await lamps()).toEqual(['1 early']);
    const second = await sendOk({ body: doc('1', 'confirmed'), ifMatch: first });
    expect(await lamps()).toEqual(['1 confirmed']);
    const third = await sendOk({ ifMatch: second, expires: 60 });
    expect(await lamps(T0 + 59_999)).toEqual(['1 confirmed']);
    expect(await lamps(T0 + 60_000)).toEqual(['0000 terminated']);
    const { response } = await send({ ifMatch: third, expires: 0 });
    expect(response).toMatchObject({
      status: 200,
      headers: [
        ['SIP-ETag', expect.anything()],
        ['Expires', '0'],
      ],
    });
    expect(await lamps()).toEqual(['0000 terminated']);
    expect(new Set([first, second, third, headerOf(response, 'SIP-ETag')]).size).toBe(4);
  });

  it('grants the default, and never more than the maximum', async () => {
    expect(headerOf((await send({ body: doc('1', 'early') })).response, 'Expires')).toBe('3600');
    expect(headerOf((await send({ body: doc('1', 'early'), expires: 99_999 })).response, 'Expires')).toBe('7200');
  });

  it('keeps nothing of an initial PUBLISH with Expires 0', async () => {
    const { response } = await send({ body: doc('1', 'early'), expires: 0 });
    expect(response.status).toBe(200);
    expect((await loadPresentity(table, presentity())).version).toBe(0);
  });

  it('counts a version with every write, from the clock on', async () => {
    const tag = await sendOk({ body: doc('1', 'early') }, T0);
    expect((await loadPresentity(table, presentity())).version).toBe(T0 + 1);
    await sendOk({ ifMatch: tag }, T0 + 5_000);
    expect(await loadPresentity(table, presentity())).toMatchObject({ version: T0 + 2, changedAtMs: T0 + 5_000 });
  });

  it('keeps every field of a dialog', async () => {
    const more = `<duration>7</duration><local><identity display="A">sip:a@b</identity><target uri="sip:a@1"/></local>
      <remote><identity>sip:c@d</identity><target uri="sip:c@2"><param pname="x" pval=""/></target></remote>`;
    await sendOk({ body: dialogInfo(dialogElement('1', 'early', more)) });
    const [dialog] = composeDialogs((await loadPresentity(table, presentity())).publications, T0);
    expect(dialog).toEqual({
      ...{ id: '1', callId: 'call-1', localTag: 'l-1', remoteTag: 'r-1', direction: 'recipient', state: 'early' },
      startedAtMs: T0 - 7_000,
      local: { identity: { uri: 'sip:a@b', displayName: 'A' }, target: { uri: 'sip:a@1', params: [] } },
      remote: { identity: { uri: 'sip:c@d' }, target: { uri: 'sip:c@2', params: [['x', '']] } },
    });
  });

  it('changes with a partial document only the dialogs that it names', async () => {
    const tag = await sendOk({ body: dialogInfo(dialogElement('1', 'early') + dialogElement('2', 'trying')) });
    const next = await sendOk({ body: doc('1', 'confirmed', 'partial'), ifMatch: tag });
    expect(await lamps()).toEqual(['1 confirmed', '2 trying']);
    const last = await sendOk({ body: doc('1', 'terminated', 'partial'), ifMatch: next });
    expect(await lamps()).toEqual(['2 trying']);
    await sendOk({ body: doc('2', 'terminated', 'partial'), ifMatch: last });
    expect(await lamps()).toEqual(['2 terminated']);
  });

  it('refuses more live dialogs than a publication may gather from partial documents', async () => {
    const many = (start: number) =>
      dialogInfo(Array.from({ length: 32 }, (_, n) => dialogElement(`${start + n}`, 'early')).join(''), 'partial');
    const one = await sendOk({ body: many(0) });
    const two = await sendOk({ body: many(32), ifMatch: one });
    expect((await send({ body: doc('99', 'early', 'partial'), ifMatch: two })).response.status).toBe(413);
    await sendOk({ body: doc('99', 'early'), ifMatch: two });
  });

  it('adds up the publications of several publishers', async () => {
    await sendOk({ body: doc('1', 'early') });
    await sendOk({ body: doc('2', 'confirmed'), identity: { ...BOB, user } });
    expect(await lamps()).toEqual(['2 confirmed', '1 early']);
  });

  it('shows a dialog that a late publication brings again as terminated', async () => {
    const tag = await sendOk({ body: doc('1', 'confirmed') });
    const next = await sendOk({ body: doc('1', 'terminated'), ifMatch: tag });
    await sendOk({ body: dialogInfo(''), ifMatch: next });
    await sendOk({ body: doc('1', 'early') });
    expect(await lamps()).toEqual(['1 terminated']);
  });

  it('moves the sweep forward for a shorter lease, with a second write', async () => {
    await sendOk({ body: doc('1', 'early'), expires: 3_600 });
    const before = table.requestCounts.UpdateItem;
    await sendOk({ body: doc('2', 'early'), expires: 3 });
    expect(table.requestCounts.UpdateItem - before).toBe(2);
    const item = await table.get({ PK: `PRESENTITY#demo.example#${user}`, SK: 'STATE' }, { consistent: true });
    expect(item).toMatchObject({ dueAtMs: T0 + 3_000, pubCount: 2 });
  });

  it('holds against many publications at once: none is lost, each version is its own', async () => {
    await Promise.all(Array.from({ length: 10 }, (_, n) => sendOk({ body: doc(`${n}`, 'early'), expires: 100 - n })));
    const { version, publications } = await loadPresentity(table, presentity());
    expect([version, publications.length]).toEqual([T0 + 10, 10]);
  });
});

const refused: [string, TestPublish, number, (readonly [string, string])[]?][] = [
  ['no Event', { headers: [], body: doc('1', 'early') }, 489, [['Allow-Events', 'dialog, presence, message-summary']]],
  [
    'unknown Event',
    { headers: [['Event', 'conference']], body: doc('1', 'early') },
    489,
    [['Allow-Events', 'dialog, presence, message-summary']],
  ],
  ['no body', {}, 400],
  ['bad XML', { body: '<dialog-info' }, 400],
  ['an unknown state', { body: doc('1', 'ringing') }, 400],
  [
    'another document',
    {
      headers: [
        ['Event', 'dialog'],
        ['Content-Type', 'application/pidf+xml'],
      ],
      body: '<a/>',
    },
    415,
    [['Accept', 'application/dialog-info+xml']],
  ],
  [
    'a body of an unknown coding',
    {
      headers: [
        ['Event', 'dialog'],
        ['Content-Encoding', 'br'],
        ['Content-Type', 'application/dialog-info+xml'],
      ],
      body: 'x',
    },
    415,
    [['Accept-Encoding', 'gzip, deflate, identity']],
  ],
  ['a short time', { body: doc('1', 'early'), expires: 2 }, 423, [['Min-Expires', '3']]],
  [
    'a time that is none',
    {
      body: doc('1', 'early'),
      headers: [
        ['Event', 'dialog'],
        ['Expires', 'soon'],
      ],
    },
    400,
  ],
  ['an unknown entity-tag', { body: doc('1', 'early'), ifMatch: '0123456789ab.0123456789abcdef' }, 412],
  ['a foreign entity-tag', { ifMatch: 'dx200xyz' }, 412],
  ['two entity-tags', { ifMatch: 'a, b' }, 400],
  ['a user who publishes for another', { body: doc('1', 'early'), identity: ALICE }, 403],
  ['another tenant', { body: doc('1', 'early'), presentity: 'sip:1002@acme.example' }, 403],
  ['no user', { body: doc('1', 'early'), presentity: 'sip:demo.example' }, 404],
];

describe('PUBLISH that is refused changes nothing', () => {
  it.each(refused)('%s', async (_what, request, status, headers = []) => {
    await sendOk({ body: doc('9', 'confirmed') });
    const before = await loadPresentity(table, presentity());
    const { response } = await send(request);
    expect(response).toMatchObject({ status, headers });
    expect(await loadPresentity(table, presentity())).toEqual(before);
  });

  it('an entity-tag that was used, that has expired, of another publisher or another time', async () => {
    const first = await sendOk({ body: doc('1', 'early'), expires: 60 });
    const second = await sendOk({ body: doc('1', 'confirmed'), ifMatch: first, expires: 60 });
    expect((await send({ body: doc('1', 'early'), ifMatch: first })).response.status).toBe(412);
    expect((await send({ ifMatch: second }, T0 + 60_000)).response.status).toBe(412);
    expect((await send({ ifMatch: second, identity: { ...BOB, user } })).response.status).toBe(412);
    expect((await send({ ifMatch: second, expires: 0 }, T0 + 60_000)).response.status).toBe(412);
    expect(await lamps()).toEqual(['1 confirmed']);
  });

  it('one publication more than the limit', async () => {
    for (let count = 0; count < PUBLICATION_LIMITS.perPresentity; count += 1) await sendOk({ body: doc('1', 'early') });
    expect((await send({ body: doc('1', 'early') })).response).toMatchObject({
      status: 503,
      headers: [['Retry-After', '60']],
    });
  });

  it('a state over the size of an item', async () => {
    const long = dialogInfo(dialogElement('1', 'early', `<local><identity>${'x'.repeat(60_000)}</identity></local>`));
    for (let count = 0; count < 6; count += 1) await sendOk({ body: long });
    expect((await send({ body: long })).response.status).toBe(503);
  });

  it('a body that is not UTF-8', async () => {
    const envelope = publishOf({ presentity: `sip:${user}@demo.example`, body: doc('1', 'early') });
    const binary: RequestEnvelope = { ...envelope, request: { ...envelope.request, bodyEncoding: 'base64' } };
    expect((await publish(binary, ports, T0)).response).toMatchObject({ status: 400, reason: 'Body Is Not UTF-8' });
  });
});

/** A model that is too simple to be wrong: what one publisher's publications say, by its entity-tags. */
type Step =
  | { readonly kind: 'initial'; readonly dialogs: readonly [string, string][] }
  | {
      readonly kind: 'modify';
      readonly which: number;
      readonly dialogs: readonly [string, string][];
      readonly isPartial: boolean;
    }
  | { readonly kind: 'refresh'; readonly which: number }
  | { readonly kind: 'remove'; readonly which: number };

const dialogs = fc.uniqueArray(
  fc.tuple(fc.constantFrom('1', '2', '3'), fc.constantFrom('trying', 'early', 'confirmed', 'terminated')),
  {
    maxLength: 3,
    selector: ([id]) => id,
  },
);
const which = fc.nat({ max: 2 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('initial' as const), dialogs }),
  fc.record({ kind: fc.constant('modify' as const), which, dialogs, isPartial: fc.boolean() }),
  fc.record({ kind: fc.constant('refresh' as const), which }),
  fc.record({ kind: fc.constant('remove' as const), which }),
);

const dialogsOf = (content: PublicationContent) => (content.kind === 'dialogs' ? content.live : []);

describe('publishers that serve only some', () => {
  const limited = completeTenant('demo.example', {
    watch: { publishers: [{ publisher: 'pbx', for: ['served', 'group:sales'] }] },
  });
  const status = async (name: string, request: TestPublish = {}) => {
    const limitedPorts = { ...ports, loadTenant: async () => limited };
    const target = `sip:${name}@demo.example`;
    const envelope = publishOf({ presentity: target, body: doc('1', 'early'), expires: 600, ...request });
    return (await publish(envelope, limitedPorts, T0)).response.status;
  };

  it('publish for those, by name or group, and are refused for the others (403)', async () => {
    const account = { domain: 'demo.example', role: 'user', sealedHa1: 'of no use here' } as const;
    await table.put(userItem({ ...account, user: 'in-sales', groups: ['sales'] }));
    await table.put(userItem({ ...account, user: 'in-support', groups: ['support'] }));
    expect([await status('served'), await status('in-sales')]).toEqual([200, 200]);
    expect([await status('in-support'), await status('unknown')]).toEqual([403, 403]);
    expect(await status('served', { identity: { ...PBX, user: 'other' } })).toBe(403);
    expect(await loadPresentity(table, { domain: 'demo.example', user: 'in-support' })).toMatchObject({ version: 0 });
  });

  it('a user publishes its own state all the same, and nobody else’s', async () => {
    expect(await status('1002', { identity: BOB })).toBe(200);
    expect(await status('1001', { identity: BOB })).toBe(403);
  });
});

describe('the table against a model (property)', () => {
  it('holds what each publication last said', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 10 }), async (steps) => {
        presentityCount += 1;
        user = `20${presentityCount}`;
        const model: { tag: string; live: Map<string, string> }[] = [];
        for (const each of steps) await take(each, model);
        const { publications } = await loadPresentity(table, presentity());
        const stored = publications.map(({ entityTag, content }) => [
          entityTag,
          dialogsOf(content)
            .map(({ id, state }) => `${id} ${state}`)
            .sort(),
        ]);
        const expected = model.map(({ tag, live }) => [tag, [...live].map(([id, state]) => `${id} ${state}`).sort()]);
        expect(stored.sort()).toEqual(expected.sort());
      }),
      { numRuns: 40 },
    );
  });

  async function take(each: Step, model: { tag: string; live: Map<string, string> }[]): Promise<void> {
    if (each.kind === 'initial') {
      model.push({ tag: await sendOk({ body: bodyOf(each.dialogs) }), live: liveOf(each.dialogs) });
      return;
    }
    const target = model[each.which];
    if (target === undefined) return;
    if (each.kind === 'remove') {
      await sendOk({ ifMatch: target.tag, expires: 0 });
      model.splice(each.which, 1);
    } else if (each.kind === 'refresh') {
      target.tag = await sendOk({ ifMatch: target.tag });
    } else {
      target.tag = await sendOk({
        ifMatch: target.tag,
        body: bodyOf(each.dialogs, each.isPartial ? 'partial' : 'full'),
      });
      const kept = each.isPartial
        ? [...target.live].filter(([id]) => !each.dialogs.some(([other]) => other === id))
        : [];
      target.live = new Map([...kept, ...liveOf(each.dialogs)]);
    }
  }

  const bodyOf = (all: readonly [string, string][], scope = 'full') =>
    dialogInfo(all.map(([id, state]) => dialogElement(id, state)).join(''), scope);
  const liveOf = (all: readonly [string, string][]) => new Map(all.filter(([, state]) => state !== 'terminated'));
});

it('answers with the identity that a challenged request has proven, also when it is refused', async () => {
  expect(await send({ headers: [] })).toMatchObject({ identity: PBX, response: { status: 489 } });
});
