/** Gateways that are killed in the middle of calls: the parties that are left are told, and the lamps go out. */
import { afterAll, beforeAll, expect, it, type TestContext } from 'vitest';
import { type LocalStack, startStack } from '#test/support/local-stack.ts';
import { Phone, SDP } from '#test/support/phone.ts';
import { dialogStates, SipClient } from '#test/support/sip-client.ts';

let stack: LocalStack;
beforeAll(async () => {
  stack = await startStack({ gateways: 3 });
}, 90_000);
afterAll(() => stack.stop());

/** A party that is left has 32 s to see it, and a lease 15 s to lapse. */
const AFTER_A_DEATH = { timeoutMs: 50_000 };

type WhenFinished = TestContext['onTestFinished'];

async function phone(user: string, gateway: number, onTestFinished: WhenFinished): Promise<Phone> {
  const one = await Phone.connect(stack.url(gateway), user);
  onTestFinished(() => one.client.cut());
  expect((await one.client.register()).status).toBe(200);
  return one;
}

async function conversation(
  users: [string, string],
  gateways: [number, number],
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
) {
  const caller = await phone(users[0], gateways[0], onTestFinished);
  const callee = await phone(users[1], gateways[1], onTestFinished);
  const watcher = await SipClient.connect(stack.url(0), '1009');
  onTestFinished(() => watcher.close());
  const lamps = [await watcher.subscribe(users[0]), await watcher.subscribe(users[1])];
  caller.invite(users[1]);
  const invite = await callee.request('INVITE');
  callee.answer(invite, 200, { body: SDP, headers: ['Content-Type: application/sdp'] });
  const ours = caller.dialogOf(await caller.response(200, 'INVITE'));
  caller.sendIn(ours, 'ACK');
  await callee.request('ACK');
  const show = async (state: string, since = 0): Promise<void> => {
    for (const lamp of lamps)
      await watcher.next((one) => lamp.owns(one) && dialogStates(one).includes(state), { ...AFTER_A_DEATH, since });
  };
  await show('confirmed');
  return { caller, callee, theirs: callee.calleeDialogOf(invite), show, since: watcher.received.length };
}

it.concurrent('the gateway of the callee: the caller gets a BYE, both lamps go out', async (context) => {
  const { caller, show, since } = await conversation(['1001', '1002'], [0, 1], context);
  stack.kill('gateway-2', 'SIGKILL');
  const bye = await caller.next(({ method }) => method === 'BYE', 0, AFTER_A_DEATH.timeoutMs);
  expect(bye.header('reason')).toContain('flowLost');
  await show('terminated', since);
});

it.concurrent('the gateway that keeps the call: its lease lapses, both lamps go out, and the callee is told 481', async (context) => {
  const { callee, theirs, show, since } = await conversation(['1003', '1004'], [2, 0], context);
  stack.kill('gateway-3', 'SIGKILL');
  await show('terminated', since);
  const info = callee.sendIn(theirs, 'INFO');
  const told = await callee.next((one) => one.status >= 200 && one.header('cseq') === info, 0, AFTER_A_DEATH.timeoutMs);
  expect(told.status).toBe(481);
});
