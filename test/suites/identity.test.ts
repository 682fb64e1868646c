/** Who is believed, and what a refusal tells: digest, From, tenants, retransmissions; over the wire. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import {
  authorize,
  type Challenge,
  challengesOf,
  type ReceivedMessage,
  SipClient,
  token,
} from '#test/support/sip-client.ts';
import { GOOD_DOCUMENT } from './publish-rows.ts';
import { type Stimulus, send, textOf } from './stimulus.ts';

let stack: LocalStack;
beforeAll(async () => {
  stack = await startStack();
}, 90_000);
afterAll(() => stack.stop());

const METHODS = ['OPTIONS', 'SUBSCRIBE', 'PUBLISH', 'REGISTER'] as const;
const PROVING = ['SUBSCRIBE', 'PUBLISH', 'REGISTER'] as const;

async function connect(user = '1001', domain = 'demo.example', password?: string): Promise<SipClient> {
  const client = await SipClient.connect(stack.url(), user, domain, password);
  onTestFinished(() => client.close());
  return client;
}

async function identified(user = '1001', domain = 'demo.example'): Promise<SipClient> {
  const client = await connect(user, domain);
  expect((await client.register()).status).toBe(200);
  return client;
}

const register = (authorization?: string, fields: Stimulus['fields'] = {}): Stimulus => {
  return { method: 'REGISTER', fields: { Authorization: authorization, ...fields } };
};

async function challengeFor(client: SipClient, algorithm: Challenge['algorithm'] = 'SHA-256'): Promise<Challenge> {
  const answer = await send(client, register());
  expect(answer.status).toBe(401);
  const challenge = challengesOf(answer).find((each) => each.algorithm === algorithm);
  if (challenge === undefined) throw new Error(`no challenge for ${algorithm}: ${answer.text}`);
  return challenge;
}

const credentials = (client: SipClient, password = `demo-${client.user}`) => ({ user: client.user, password });
const about = { method: 'REGISTER', uri: 'sip:demo.example' };

describe('digest (RFC 7616, RFC 8760)', () => {
  it('offers SHA-256 before MD5 with qop=auth and the tenant as realm', async () => {
    const answer = await send(await connect(), register());
    expect(answer.status).toBe(401);
    const [sha, md5, ...more] = answer.headers('www-authenticate');
    expect(more).toEqual([]);
    expect(sha).toMatch(/^Digest realm="demo\.example", .*algorithm=SHA-256.*qop="auth"/);
    expect(md5).toMatch(/^Digest realm="demo\.example", .*algorithm=MD5.*qop="auth"/);
  });

  it.each(['SHA-256', 'MD5'] as const)('accepts %s', async (algorithm) => {
    const client = await connect();
    const challenge = await challengeFor(client, algorithm);
    expect((await send(client, register(authorize(challenge, credentials(client), about)))).status).toBe(200);
  });

  it('takes MD5 when the algorithm is not said, and a user name with its domain', async () => {
    const client = await connect();
    const challenge = await challengeFor(client, 'MD5');
    const plain = authorize(challenge, credentials(client), about).replace(', algorithm=MD5', '');
    expect((await send(client, register(plain))).status).toBe(200);
    const withDomain = { user: '1001@demo.example', password: 'demo-1001' };
    const named = authorize(challenge, withDomain, { ...about, nonceCount: 2 });
    expect((await send(client, register(named))).status).toBe(200);
  });

  it('goes on with the next nonce count, and refuses the same one again as stale', async () => {
    const client = await connect();
    const challenge = await challengeFor(client);
    const first = authorize(challenge, credentials(client), about);
    expect((await send(client, register(first))).status).toBe(200);
    const replayed = await send(client, register(first));
    expect(replayed.status).toBe(401);
    expect(challengesOf(replayed)[0]).toMatchObject({ stale: true });
    expect(challengesOf(replayed)[0]?.nonce).not.toBe(challenge.nonce);
    const next = authorize(challenge, credentials(client), { ...about, nonceCount: 2 });
    expect((await send(client, register(next))).status).toBe(200);
  });

  it('binds a nonce to its flow, also for somebody who captured the whole Authorization', async () => {
    const [victim, thief] = [await connect(), await connect()];
    const value = authorize(await challengeFor(victim), credentials(victim), about);
    expect((await send(thief, register(value))).status).toBe(401);
    expect((await send(victim, register(value))).status).toBe(200);
    expect((await send(thief, register(value))).status).toBe(401);
    expect((await send(thief, { method: 'SUBSCRIBE' })).status).toBe(401);
  });

  it('recovers from a nonce of its own invention (stale)', async () => {
    const client = await connect();
    const challenge = { ...(await challengeFor(client)), nonce: 'bm90aGluZw==' };
    const answer = await send(client, register(authorize(challenge, credentials(client), about)));
    expect({ status: answer.status, stale: challengesOf(answer)[0]?.stale }).toEqual({ status: 401, stale: true });
  });

  it('tells a wrong password, an unknown user and an unknown tenant apart from nothing', async () => {
    const refusals = [];
    for (const [user, domain] of [
      ['1001', 'demo.example'],
      ['4711', 'demo.example'],
      ['1001', 'nowhere.example'],
    ] as const) {
      const client = await connect(user, domain, 'wrong');
      const answer = await client.register();
      refusals.push(anonymous(answer).replaceAll(domain, 'DOMAIN'));
    }
    expect(refusals[0]).toContain('SIP/2.0 401');
    expect(new Set(refusals).size).toBe(1);
  });

  const damaged: [string, (value: string) => string, number][] = [
    ['without qop', (value) => value.replace(/, qop=auth, nc=\w+, cnonce="\w+"/, ''), 401],
    ['qop=auth-int', (value) => value.replace('qop=auth', 'qop=auth-int'), 401],
    ['an algorithm that was not offered', (value) => value.replace('SHA-256', 'SHA-512-256'), 401],
    ['another realm', (value) => value.replace('realm="demo.example"', 'realm="acme.example"'), 401],
    ['another scheme', () => 'Basic MTAwMTpkZW1vLTEwMDE=', 401],
    ['without nonce', (value) => value.replace(/nonce="[^"]*", /, ''), 400],
    ['a bad nc', (value) => value.replace(/nc=\d+/, 'nc=x'), 400],
    [
      'the URI of another request',
      (value) => value.replace('uri="sip:demo.example"', 'uri="sip:1002@demo.example"'),
      400,
    ],
    [
      'one digit of the response changed',
      (value) => value.replace(/response="(.)/, (_, c) => `response="${c === '0' ? '1' : '0'}`),
      401,
    ],
    ['garbage', () => 'Digest', 400],
  ];
  it.each(damaged)('refuses credentials: %s', async (_name, damage, status) => {
    const client = await connect();
    const value = authorize(await challengeFor(client), credentials(client), about);
    expect((await send(client, register(damage(value)))).status).toBe(status);
    expect((await send(client, { method: 'SUBSCRIBE' })).status).toBe(401);
  });

  it('finds its credentials among several', async () => {
    const client = await connect();
    const value = authorize(await challengeFor(client), credentials(client), about);
    const other = value.replace('demo.example', 'other.example');
    expect(
      (await send(client, { method: 'REGISTER', lines: [`Authorization: ${other}`, `Authorization: ${value}`] }))
        .status,
    ).toBe(200);
  });

  it.each(PROVING)('lets a flow prove itself with %s', async (method) => {
    const client = await connect();
    expect((await send(client, stimulusOf(method, client.aor))).status).toBe(401);
    const answer = await client.request(requestOf(client, method));
    expect(answer.status).toBe(200);
    expect((await send(client, stimulusOf('SUBSCRIBE', client.aor))).status).toBe(200);
  });

  it('verifies credentials also on a flow that is identified', async () => {
    const client = await identified();
    const challenge = challengesOf(await send(await connect(), register()))[0];
    if (challenge === undefined) throw new Error('no challenge');
    const wrong = authorize(challenge, credentials(client, 'wrong'), about);
    expect((await send(client, register(wrong))).status).toBe(401);
  });
});

/** A request of this method that is right but for whom it names. */
function stimulusOf(method: (typeof METHODS)[number], uri: string, fields: Stimulus['fields'] = {}): Stimulus {
  const body = method === 'PUBLISH' ? GOOD_DOCUMENT : '';
  return { method, uri, fields: { To: `<${uri}>`, ...fields }, body };
}

function requestOf(client: SipClient, method: (typeof PROVING)[number]) {
  const uri = method === 'REGISTER' ? `sip:${client.domain}` : client.aor;
  const headers = method === 'REGISTER' ? [] : ['Event: dialog', `Contact: ${client.contact}`];
  if (method !== 'PUBLISH') return { method, uri, to: `<${client.aor}>`, headers };
  return { method, uri, headers: [...headers, 'Content-Type: application/dialog-info+xml'], body: GOOD_DOCUMENT };
}

/** An answer without what differs between any two. */
function anonymous(answer: ReceivedMessage): string {
  const lines = answer.text.split('\r\n').filter((line) => !/^(Via|From|To|Call-ID|CSeq|Date):/i.test(line));
  return lines.join('\n').replace(/nonce="[^"]*"/g, 'nonce');
}

describe('From and role', () => {
  it.each(PROVING)('%s with the From of a colleague: 403', async (method) => {
    const client = await identified();
    const uri = method === 'REGISTER' ? 'sip:demo.example' : 'sip:1002@demo.example';
    const spoofed = stimulusOf(method, uri, { From: '<sip:1002@demo.example>;tag=a', To: '<sip:1002@demo.example>' });
    expect((await send(client, spoofed)).status).toBe(403);
  });

  it('a user publishes for itself only, the publisher for all of its tenant', async () => {
    const [user, pbx] = [await identified(), await identified('pbx')];
    expect((await send(user, stimulusOf('PUBLISH', 'sip:1001@demo.example'))).status).toBe(200);
    expect((await send(user, stimulusOf('PUBLISH', 'sip:1002@demo.example'))).status).toBe(403);
    expect((await send(pbx, stimulusOf('PUBLISH', 'sip:1002@demo.example'))).status).toBe(200);
    expect((await send(pbx, stimulusOf('PUBLISH', 'sip:1002@acme.example'))).status).toBe(403);
  });

  it('a subscription belongs to the identity that made it', async () => {
    const [owner, other] = [await identified('1001'), await identified('1002')];
    const subscription = await owner.subscribe('1003');
    const { callId, fromTag, toTag } = subscription.dialog;
    const take = (client: SipClient): Stimulus => ({
      ...{ method: 'SUBSCRIBE', uri: subscription.uri },
      fields: {
        ...{ 'Call-ID': callId, CSeq: '50 SUBSCRIBE', Expires: '0' },
        ...{ From: `<${client.aor}>;tag=${fromTag}`, To: `<${subscription.uri}>;tag=${toTag}` },
      },
    });
    expect((await send(other, take(other))).status).toBe(481);
    expect((await send(other, take(owner))).status).toBe(403);
    expect((await subscription.refresh(600)).status).toBe(200);
  });
});

describe('tenants', () => {
  it.each(METHODS)(
    '%s to another tenant is answered alike for a name that exists and one that does not',
    async (method) => {
      for (const client of [await identified(), await connect(), await identified('pbx')]) {
        const texts = [];
        for (const user of ['1001', '4711', 'pbx', '']) {
          const uri = user === '' ? 'sip:acme.example' : `sip:${user}@acme.example`;
          const answer = await send(client, stimulusOf(method, uri));
          texts.push(anonymous(answer));
        }
        expect(new Set(texts).size).toBe(1);
        if (method !== 'OPTIONS') expect(texts[0]).toMatch(/^SIP\/2.0 40[13] /);
      }
    },
  );

  it.each(METHODS)('%s to a tenant that does not exist looks the same', async (method) => {
    const client = await identified();
    const [acme, nowhere] = [
      await send(client, stimulusOf(method, 'sip:1001@acme.example')),
      await send(client, stimulusOf(method, 'sip:1001@nowhere.example')),
    ];
    expect(anonymous(acme)).toBe(anonymous(nowhere));
  });

  it.each(METHODS)(
    '%s within the tenant: a name that exists and one that does not are answered alike',
    async (method) => {
      const client = await identified('1004');
      const answers = [];
      for (const user of ['1005', '4711']) {
        const answer = await send(client, stimulusOf(method, `sip:${user}@demo.example`));
        answers.push(
          anonymous(answer)
            .replaceAll(/sip:\d+@/g, 'sip:USER@')
            .replace(/Expires: \d+/, ''),
        );
      }
      expect(answers[0]).toBe(answers[1]);
    },
  );

  it.each([
    ['the R-URI', 'sip:1001@acme.example', '<sip:1001@demo.example>'],
    ['To', 'sip:1001@demo.example', '<sip:1001@acme.example>'],
  ])('a foreign name in %s alone is refused', async (_name, uri, To) => {
    const client = await identified();
    for (const method of PROVING) expect((await send(client, stimulusOf(method, uri, { To }))).status).toBe(403);
  });

  it('From of another tenant on a flow of this one is refused', async () => {
    const client = await identified();
    for (const method of PROVING) {
      const answer = await send(
        client,
        stimulusOf(method, 'sip:1001@acme.example', { From: '<sip:1001@acme.example>;tag=x' }),
      );
      expect(answer.status).toBe(403);
    }
  });
});

describe('retransmissions (RFC 3261 section 17.2)', () => {
  const good: [string, (client: SipClient) => Stimulus][] = [
    ['REGISTER', () => ({ method: 'REGISTER', fields: { Contact: '<sip:a@b.invalid>' } })],
    ['SUBSCRIBE', () => stimulusOf('SUBSCRIBE', 'sip:1006@demo.example')],
    ['PUBLISH', (client) => stimulusOf('PUBLISH', client.aor)],
    ['OPTIONS', () => ({ method: 'OPTIONS' })],
    ['SUBSCRIBE that is refused', () => stimulusOf('SUBSCRIBE', 'sip:1006@demo.example', { Event: 'frob' })],
    ['request without Call-ID', () => stimulusOf('SUBSCRIBE', 'sip:1006@demo.example', { 'Call-ID': undefined })],
    ['request of version 3.0', () => ({ method: 'OPTIONS', version: 'SIP/3.0' })],
    ['request with a short body', () => ({ method: 'OPTIONS', fields: { 'Content-Length': '10' } })],
  ];
  it.each(good)('a %s again gets the same answer', async (_name, stimulus) => {
    const client = await identified('1007');
    const text = textOf(client, stimulus(client));
    const answers = [];
    for (let i = 0; i < 3; i++) answers.push((await client.exchange(text)).text);
    expect(new Set(answers).size).toBe(1);
  });

  it('a SUBSCRIBE sent three times at once opens one subscription with one NOTIFY', async () => {
    const [client, pbx] = [await identified('1007'), await identified('pbx')];
    const text = textOf(client, stimulusOf('SUBSCRIBE', 'sip:1008@demo.example'));
    const since = client.received.length;
    for (let i = 0; i < 3; i++) client.raw(text);
    await client.next((message) => message.method === 'NOTIFY', { since });
    await pbx.publish('1008', GOOD_DOCUMENT);
    await client.next((message) => message.method === 'NOTIFY' && message.body.includes('confirmed'), { since });
    const got = client.received.slice(since);
    expect(got.filter(({ method }) => method === 'NOTIFY')).toHaveLength(2);
    expect(new Set(got.filter(({ status }) => status > 0).map(({ text: line }) => line)).size).toBe(1);
  });

  it('a PUBLISH again 5 s later is still done once', async () => {
    const client = await identified('1009');
    const text = textOf(client, stimulusOf('PUBLISH', client.aor, { 'X-Id': randomUUID() }));
    const first = await client.exchange(text);
    await new Promise((resolve) => setTimeout(resolve, 5_000)); // the promise is about time
    expect((await client.exchange(text)).text).toBe(first.text);
  });

  it('another branch is another request', async () => {
    const client = await identified('1009');
    const dialog = { callId: token(), fromTag: token(), cseq: 1 };
    const [first, second] = [
      await client.request({ ...requestOf(client, 'PUBLISH'), ...dialog }),
      await client.request({ ...requestOf(client, 'PUBLISH'), ...dialog, cseq: 2 }),
    ];
    expect(first.header('sip-etag')).not.toBe(second.header('sip-etag'));
  });
});
