/** A herd comes back at once, as after a gateway was lost: every flow subscribes anew, and every lamp is right afterwards. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { dialogInfo, dialogStates, SipClient, type TestSubscription } from '#test/support/sip-client.ts';

const SUBSCRIPTIONS = Number(process.env.STORM_SUBSCRIPTIONS ?? 300);
const PATIENT = { timeoutMs: 25_000, since: 0 };

let stack: LocalStack;
beforeAll(async () => {
  stack = await startStack({ gateways: 2, env: { LOCAL_USERS: '20' } });
}, 90_000);
afterAll(() => stack.stop());

it(`${SUBSCRIPTIONS} flows reconnect to the other gateway at once: each lamp is right, then follows a change`, async () => {
  const pbx = await SipClient.connect(stack.url(1), 'pbx');
  const publish = (state: string, ifMatch?: string) =>
    pbx.publish('1001', dialogInfo('sip:1001@demo.example', { state }), ifMatch === undefined ? {} : { ifMatch });
  const tag = (await publish('early')).header('sip-etag');
  const lost = await Promise.all(Array.from({ length: SUBSCRIPTIONS }, (_, n) => open(0, n)));
  for (const { client } of lost) client.cut();

  const back = await Promise.all(lost.map((_, n) => open(1, n)));
  for (const subscription of back) expect(shown(subscription)).toEqual(['early']);
  expect((await publish('confirmed', tag)).status).toBe(200);
  await Promise.all(back.map((subscription) => subscription.nextNotify('>confirmed</state>', PATIENT)));
  for (const subscription of back) expect(shown(subscription)).toEqual(['confirmed']);
  await Promise.all([pbx, ...back.map(({ client }) => client)].map((client) => client.close()));
}, 60_000);

/** Connects and subscribes; refused for overload, it tries again when the answer says. */
async function open(gateway: number, n: number): Promise<TestSubscription> {
  const client = await SipClient.connect(stack.url(gateway), String(1002 + (n % 19)));
  for (;;) {
    const subscription = await client.subscribe('1001');
    const { status } = subscription.answer;
    if (status === 200) return subscription;
    expect(status, subscription.answer.text).toBe(503);
    await sleep(Number(subscription.answer.header('retry-after')) * 1_000);
  }
}

function shown(subscription: TestSubscription): string[] {
  const last = subscription.notifies().at(-1);
  return last === undefined ? [] : dialogStates(last);
}
