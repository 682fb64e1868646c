/** Events that gateways hand to functions, for benches of single functions: a tenant with users 1001 and so on. */
import { randomUUID } from 'node:crypto';
import * as v from 'valibot';
import type { CallSnapshot } from '#contract/call.ts';
import { outcomeBatch } from '#contract/outcome.ts';
import type { RequestEnvelope } from '#contract/request-envelope.ts';
import { CONTRACT_VERSION, type Identity } from '#contract/schemas.ts';
import { inviteOf, snapshotOf, type TestCall } from '#test/support/calls.ts';
import { dialogElement, dialogInfo, publishOf } from '#test/support/dialogs.ts';
import { envelopeOf } from '#test/support/envelope.ts';

export const DOMAIN = 'demo.example';
export const aorOf = (user: string): string => `sip:${user}@${DOMAIN}`;
export const identityOf = (user: string): Identity => ({ domain: DOMAIN, user, role: 'user' });

/** What a gateway hands to a request function. */
export const requestBatchOf = (...envelopes: RequestEnvelope[]): unknown => ({
  contractVersion: CONTRACT_VERSION,
  envelopes,
});

export const outcomesOf = (result: unknown) => v.parse(outcomeBatch, result).outcomes;

/** The entity-tag of the only publication in the answer. */
export const entityTagOf = (result: unknown): string =>
  outcomesOf(result)[0]?.response.headers.find(([field]) => field === 'SIP-ETag')?.[1] ?? '';

const INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"';

/** REGISTER of the one device of a user. Its flow is identified from the third on, or brings credentials. */
export function registerOf(user: string, cseq: number, authorization?: string): RequestEnvelope {
  return envelopeOf({
    ...{ method: 'REGISTER', requestUri: `sip:${DOMAIN}`, from: aorOf(user), to: aorOf(user), cseq },
    ...{ callId: `register-${user}@client.invalid`, receivedAtMs: Date.now() },
    ...(cseq > 2 && { identity: identityOf(user) }),
    headers: [
      ['Contact', `<sip:k4rq2m9s@client.invalid;transport=ws>;reg-id=1;${INSTANCE};expires=600`],
      ['Supported', 'path, outbound'],
      ['User-Agent', 'Example/1.0 (browser)'],
      ...(authorization === undefined ? [] : [['Authorization', authorization] as const]),
    ],
  });
}

/** PUBLISH of the one dialog of a user; `state` is '' for one without a body. */
export function changeOf(user: string, state: string, ifMatch?: string, expires = 3_600): unknown {
  const presentity = aorOf(user);
  const body = state === '' ? '' : dialogInfo(dialogElement('a84b4c76e66710', state), 'full', presentity);
  return requestBatchOf(publishOf({ presentity, body, expires, ...(ifMatch !== undefined && { ifMatch }) }));
}

export const inviteOfCall = (from: string, to: string, nowMs: number): RequestEnvelope =>
  inviteOf({ domain: DOMAIN, from, to, callId: `${randomUUID()}@client.invalid`, receivedAtMs: nowMs });

/** The call that the function has routed. @throws when it has not */
export function routedCallOf(result: unknown, invite: RequestEnvelope): TestCall {
  const route = outcomesOf(result)[0]?.route;
  if (route === undefined) throw new Error('the bench has no route');
  const callId = invite.request.headers.find(([name]) => name === 'Call-ID')?.[1] ?? '';
  return { ...route, callId };
}

const SEQUENCES = { early: 1, confirmed: 2, terminated: 3 } as const;

/** What the home gateway tells of a call with one fork. */
export function callReportOf(call: TestCall, state: keyof typeof SEQUENCES, nowMs: number): unknown {
  const callee = { aor: call.callee, tag: 'to-0' };
  const answered = state === 'early' ? {} : { callee, answeredAtMs: nowMs };
  const ended = state === 'terminated' ? { endedAtMs: nowMs } : {};
  const snapshot: CallSnapshot = snapshotOf(call, nowMs, {
    ...{ sequence: SEQUENCES[state], state, forks: [{ tag: 'to-0', state }] },
    more: { ...answered, ...ended, expiresAtMs: nowMs + call.maxDurationMs },
  });
  return { contractVersion: CONTRACT_VERSION, gatewayId: 'gateway-1', snapshots: [snapshot] };
}
