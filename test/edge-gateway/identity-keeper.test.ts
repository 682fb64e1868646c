import { PassThrough } from 'node:stream';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Identity } from '#contract/schemas.ts';
import { Flow } from '#gateway/flow-table.ts';
import { IdentityKeeper } from '#gateway/identity-keeper.ts';
import { SignOuts } from '#gateway/sign-outs.ts';

const T0 = 1_700_000_000_000;
const ALICE: Identity = { domain: 'demo.example', user: '1001', role: 'user' };
const until = (expiresAtMs: number): Identity => ({ ...ALICE, expiresAtMs });

let nowMs: number;
let flow: Flow;
let keeper: IdentityKeeper;
let ended: unknown[];
let reported: unknown[];
let held: string[];
let closed: unknown[];
let signOuts: SignOuts;
beforeEach(() => {
  nowMs = T0;
  [ended, reported, held, closed] = [[], [], [], []];
  signOuts = new SignOuts();
  flow = new Flow({} as never, new PassThrough(), 'WS', '192.0.2.7', 5061, T0);
  keeper = new IdentityKeeper({
    notifyPath: { terminate: (subscription, reason) => void ended.push([subscription, reason]) },
    reports: {
      flowClosed: (each) => void reported.push(each.lapsed?.identity ?? each.identity),
      subscriptionEnded: (subscription) => void reported.push(subscription),
    },
    tenants: { hold: (_flow, domain) => void held.push(domain), flowClosed: () => void held.push('none') },
    signOuts,
    closeFlow: (each, code, reason) => void closed.push([each.identity?.user, code, reason]),
    log: { info: () => undefined } as never,
    nowMs: () => nowMs,
  });
});
function advanceTo(ms: number): void {
  nowMs = ms;
  keeper.advance(nowMs);
}

describe('what a flow has proven', () => {
  it('for good stays, and is not replaced by somebody else', () => {
    keeper.prove(flow, ALICE);
    keeper.prove(flow, { ...ALICE, user: '1002' });
    keeper.prove(flow, until(T0 + 1_000));
    keeper.prove(flow, undefined);
    advanceTo(T0 + 3_600_000);
    expect(flow.identity).toEqual(ALICE);
    expect(held).toEqual([ALICE.domain]);
    expect(ended).toEqual([]);
  });

  it('is proven for longer, never for shorter: an answer may come late', () => {
    keeper.prove(flow, until(T0 + 2_000));
    keeper.prove(flow, until(T0 + 1_000));
    expect(flow.identity).toEqual(until(T0 + 2_000));
    keeper.prove(flow, until(T0 + 3_000));
    expect(flow.identity).toEqual(until(T0 + 3_000));
    keeper.prove(flow, ALICE);
    expect(flow.identity).toEqual(ALICE);
  });

  it('ends to the second, and is not proven by what has ended', () => {
    keeper.prove(flow, until(T0 + 1_000));
    advanceTo(T0 + 999);
    expect(flow.identity).toBeDefined();
    advanceTo(T0 + 1_000);
    expect(flow.identity).toBeUndefined();
    keeper.prove(flow, until(T0 + 1_000));
    expect(flow.identity).toBeUndefined();
  });
});

describe('what a proof has opened', () => {
  const subscription = { id: 's' } as never;
  beforeEach(() => {
    keeper.prove(flow, until(T0 + 1_000));
    flow.subscriptions.add(subscription);
    flow.registered = true;
    advanceTo(T0 + 1_000);
  });

  it('ends half a minute after it, with the bindings of the flow', () => {
    advanceTo(T0 + 30_999);
    expect([ended, reported]).toEqual([[], []]);
    advanceTo(T0 + 31_000);
    expect(ended).toEqual([[subscription, 'deactivated']]);
    expect(reported).toEqual([subscription, until(T0 + 1_000)]);
    expect(flow.registered).toBe(false);
    expect(held).toEqual([ALICE.domain, 'none']);
    advanceTo(T0 + 90_000);
    expect(ended).toHaveLength(1);
  });

  it('goes on when the same is proven again in time', () => {
    keeper.prove(flow, until(T0 + 600_000));
    advanceTo(T0 + 31_000);
    expect([ended, reported, flow.identity]).toEqual([[], [], until(T0 + 600_000)]);
  });

  it('ends at once when somebody else is proven', () => {
    keeper.prove(flow, { ...ALICE, user: '1002' });
    expect([ended.length, reported]).toEqual([1, [subscription, until(T0 + 1_000)]]);
    expect(flow.identity?.user).toBe('1002');
    advanceTo(T0 + 31_000);
    expect(ended).toHaveLength(1);
  });
});

describe('a proof that was taken back a moment ago', () => {
  const PASSWORD: Identity = { ...ALICE, proof: { way: 'password', issuedAtMs: T0 - 1 } };

  it('closes the flow that brings it, so that its end is reported as ever', () => {
    signOuts.add({ domain: ALICE.domain, user: ALICE.user, way: 'password', issuedBeforeMs: T0 }, T0);
    keeper.prove(flow, PASSWORD);
    expect(closed).toEqual([['1001', 4401, 'signed out']]);
  });

  it('leaves who has proven it in another way, or with what is newer', () => {
    signOuts.add({ domain: ALICE.domain, user: ALICE.user, way: 'password', issuedBeforeMs: T0 - 1 }, T0);
    keeper.prove(flow, PASSWORD, 'a phone');
    expect([flow.identity, flow.userAgent, closed]).toEqual([PASSWORD, 'a phone', []]);
  });
});
