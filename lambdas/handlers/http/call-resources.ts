/** Calls, their records, counters and profiles as the HTTP API shows them; core/call-view makes them. */
import * as v from 'valibot';
import { CALL_CAUSES, CALL_STATES } from '#contract/call.ts';
import { CALL_TYPES } from '#core/call-policy.ts';
import { time } from './parameters.ts';

const text = v.string();
const maybeText = v.optional(text);
const maybeTime = v.optional(time);
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const maybeNumber = v.optional(v.pipe(v.number(), v.integer()));
const tenant = v.pipe(text, v.description('Domain of the tenant'));
const profiles = v.array(v.object({ profile: text, value: text }));
const variables = v.record(text, text);

const leg = v.object({
  uri: text,
  tag: maybeText,
  contact: maybeText,
  cseq: maybeNumber,
  instance: maybeText,
  gateway: maybeText,
  flow: maybeText,
});

export const callResource = v.object({
  id: v.pipe(text, v.description('Tells calls of one Call-ID apart')),
  ...{ callId: text, tenant, from: text, to: text },
  state: v.picklist(CALL_STATES),
  type: v.picklist(CALL_TYPES),
  gateway: text,
  ...{ init: time, start: maybeTime, end: maybeTime, timeout: time },
  duration: v.pipe(count, v.description('Seconds since it was answered')),
  lifetime: v.pipe(count, v.description('Seconds that it may last')),
  ...{ caller: leg, callee: leg },
  forks: v.array(v.object({ tag: maybeText, state: text, status: maybeNumber, contact: maybeText })),
  ...{ profiles, variables },
  cause: v.optional(v.picklist(CALL_CAUSES)),
  endedBy: v.optional(v.picklist(['caller', 'callee'])),
  status: maybeNumber,
});

export const recordResource = v.object({
  ...{ id: text, tenant, callId: text, from: text, to: text, fromTag: maybeText, toTag: maybeText },
  ...{ SetupTime: time, AnswerTime: maybeTime, EndTime: time, BillSec: v.number() },
  cause: v.picklist(CALL_CAUSES),
  endedBy: v.optional(v.picklist(['caller', 'callee'])),
  status: maybeNumber,
  type: v.picklist(CALL_TYPES),
  ...{ profiles, variables },
});

const number = v.pipe(v.number(), v.integer());
export const statisticsResource = v.object({
  ...{ tenant, processed: number, failed: number, early: number, active: number },
});

const sizeEntries = { tenant, profile: text, value: maybeText, size: number, limit: maybeNumber };
export const sizeResource = v.object(sizeEntries);
export const profileResource = v.object({
  ...sizeEntries,
  values: v.optional(v.array(sizeResource)),
  calls: v.optional(v.array(callResource)),
});
