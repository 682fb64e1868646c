import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { activities, pidf, tupleElement } from '#test/support/presence.ts';
import { schemaProblems } from '#test/support/schema.ts';
import { dialogInfo, SipClient, type TestSubscription } from '#test/support/sip-client.ts';

const PIDF = 'application/pidf+xml';
const XPIDF = 'application/xpidf+xml';
const ANY =
  'application/pidf+xml, application/reginfo+xml, application/watcherinfo+xml, application/simple-message-summary';
const WITHIN_MS = 10_000;

let stack: LocalStack;
let pbx: SipClient;
let watcher: SipClient;
const clients: SipClient[] = [];

beforeAll(async () => {
  stack = await startStack();
  pbx = await connect('pbx');
  watcher = await connect('1001');
}, 120_000);

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await stack?.stop();
});

async function connect(user: string): Promise<SipClient> {
  const client = await SipClient.connect(stack.url(), user);
  clients.push(client);
  return client;
}
const watch = (user: string, event: string, accept = ANY, client = watcher) =>
  client.subscribe(user, { event, accept });
const first = (subscription: TestSubscription) => subscription.notifies()[0]?.body ?? '';
const told = async (subscription: TestSubscription, text: string, act: () => Promise<unknown>) => {
  const since = subscription.client.received.length;
  await act();
  return subscription.nextNotify(text, { timeoutMs: WITHIN_MS, since });
};

describe('presence over the wire', () => {
  it('follows registration: closed, open at REGISTER, closed when the connection is lost', async () => {
    const subscription = await watch('1003', 'presence', PIDF);
    expect(first(subscription)).toContain('<basic>closed</basic>');
    const phone = await connect('1003');
    await told(subscription, '<basic>open</basic>', () => phone.register());
    const { body, header } = await told(subscription, '<basic>closed</basic>', () => phone.close());
    expect([header('event'), header('content-type')]).toEqual(['presence', PIDF]);
    expect(schemaProblems('pidf', [body])).toEqual([]);
  });

  it('follows a registration that is removed, and one that runs out', async () => {
    const subscription = await watch('1004', 'presence', PIDF);
    const phone = await connect('1004');
    await told(subscription, '<basic>open</basic>', () => phone.register(3));
    await told(subscription, '<basic>closed</basic>', async () => undefined);
    await told(subscription, '<basic>open</basic>', () => phone.register(60));
    await told(subscription, '<basic>closed</basic>', () => phone.register(0));
  });

  it('shows a call that a PBX publishes, in the words of each document', async () => {
    const modern = await watch('1005', 'presence', PIDF);
    const polycom = await watch('1005', 'presence', XPIDF);
    expect(first(polycom)).toContain('substatus="offline"');
    const since = watcher.received.length;
    const answer = await pbx.publish('1005', dialogInfo('sip:1005@demo.example', { state: 'confirmed' }));
    expect((await modern.nextNotify('on-the-phone', { since })).body).toContain('<rpid:on-the-phone/>');
    expect((await polycom.nextNotify('onthephone', { since })).header('content-type')).toBe(XPIDF);
    await told(modern, '<basic>closed</basic>', () =>
      pbx.publish('1005', undefined, { ifMatch: answer.header('sip-etag'), expiresSeconds: 0 }),
    );
  });

  it('tells do-not-disturb, modifies it by its entity-tag, and forgets it when it runs out', async () => {
    const user = await connect('1006');
    await user.register();
    const subscription = await watch('1006', 'presence', PIDF);
    const publish = (inside: string | undefined, more: object = {}) =>
      user.publish('1006', inside && pidf(inside), { event: 'presence', contentType: PIDF, ...more });
    const dnd = `${tupleElement('desk', 'open', '<note>Do not disturb &amp; so on</note>')}${activities('busy')}`;
    let tag = '';
    const { body } = await told(subscription, '<rpid:busy/>', async () => {
      tag = (await publish(dnd)).header('sip-etag');
    });
    expect(body).toContain('<note>Do not disturb &amp; so on</note>');
    await told(subscription, '<rpid:away/>', async () => {
      const modified = tupleElement('desk', 'open') + activities('away');
      tag = (await publish(modified, { ifMatch: tag, expiresSeconds: 3 })).header('sip-etag');
    });
    const idle = await told(subscription, '<basic>open</basic>', async () => undefined);
    expect(idle.body).not.toContain('activities');
    expect((await publish(undefined, { ifMatch: tag })).status).toBe(412);
  });

  it('aggregates devices: open wins', async () => {
    const subscription = await watch('1007', 'presence', PIDF);
    const as = (basic: string) => pidf(tupleElement('device', basic));
    const options = { event: 'presence', contentType: PIDF };
    await told(subscription, 'closed', () => pbx.publish('1007', as('closed'), options));
    const { body } = await told(subscription, 'open', () => pbx.publish('1007', as('open'), options));
    expect([...body.matchAll(/<basic>(\w+)/g)].map(([, basic]) => basic)).toEqual(['open', 'closed']);
    expect(schemaProblems('pidf', [body])).toEqual([]);
  });
});

describe('message-summary, reg and winfo over the wire', () => {
  it('lights the lamp of a mailbox', async () => {
    const event = 'message-summary';
    const subscription = await watch('1008', event);
    expect(first(subscription)).toContain('Messages-Waiting: no\r\n');
    const contentType = 'application/simple-message-summary';
    const text = 'Messages-Waiting: yes\r\nMessage-Account: sip:1008@demo.example\r\nVoice-Message: 2/1 (0/0)\r\n';
    const { body } = await told(subscription, 'yes', () => pbx.publish('1008', text, { event, contentType }));
    expect(body).toBe(text);
  });

  it('tells a user of its own registrations, with versions that count by one', async () => {
    const user = await connect('1009');
    const subscription = await watch('1009', 'reg', ANY, user);
    expect(first(subscription)).toMatch(/version="0"[\s\S]*state="init"/);
    const { body } = await told(subscription, 'state="active"', () => user.register());
    expect(body).toContain('version="1"');
    expect(body).toMatch(/<contact id="[^"]+" state="active" event="created" duration-registered="\d+" expires="\d+"/);
    expect(body).toContain(`<uri>${user.contact.slice(1, -1)}</uri>`);
    const gone = await told(subscription, 'state="terminated"', () => user.register(0));
    expect(schemaProblems('reginfo', [body, gone.body])).toEqual([]);
    expect((await watch('1009', 'reg')).answer.status).toBe(403);
  });

  it('tells a user who watches it', async () => {
    const user = await connect('1010');
    const subscription = await watch('1010', 'presence.winfo', ANY, user);
    expect(first(subscription)).toMatch(/package="presence">\s*<\/watcher-list>/);
    let seen: TestSubscription | undefined;
    const { body } = await told(subscription, 'sip:1001@demo.example', async () => {
      seen = await watch('1010', 'presence', PIDF);
    });
    expect(schemaProblems('watcherinfo', [body])).toEqual([]);
    await told(subscription, '</watcher-list>', () => seen?.refresh(0) ?? Promise.reject());
    expect(subscription.notifies().at(-1)?.body).not.toContain('<watcher ');
    expect((await watch('1010', 'presence.winfo')).answer.status).toBe(403);
  });
});
