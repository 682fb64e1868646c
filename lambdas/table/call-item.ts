/** Call item: one call from its INVITE on, with what it counts in. Ended once, together with its counters and its record. */
import * as v from 'valibot';
import { type CallSnapshot, callSnapshot } from '#contract/call.ts';
import { CALL_TYPES, type CallProfile, type CallType, type CountedProfile } from '#core/call-policy.ts';
import { recordOf } from '#core/call-record.ts';
import { ContractError, StaleWrite } from '#core/error.ts';
import { countEnd, countedKeys, countStart, statisticsWrite } from './call-counters.ts';
import { callKeyOf, callPartition, dueShardOf, heldByGateway, type Key, listedCall, listedCalls } from './keys.ts';
import { recordItem } from './record-item.ts';
import { type Attributes, type Item, partitionQuery, type Table, type TransactionWrite, type Update } from './table.ts';

/** A call as it stands, or stood at its end. */
export interface Call {
  readonly snapshot: CallSnapshot;
  /** Its home gateway. */
  readonly gatewayId: string;
  readonly type: CallType;
  readonly profiles: readonly CallProfile[];
  readonly variables: Readonly<Record<string, string>>;
  readonly recordDays: number;
  /** When it is looked at next, if nothing is heard of it; absent of a call that has ended. */
  readonly dueAtMs?: number;
}

/** A call that begins. */
export interface CallStart extends Omit<Call, 'profiles' | 'dueAtMs'> {
  readonly profiles: readonly CountedProfile[];
  /** Until when its gateway must have told of it. */
  readonly dueAtMs: number;
}

export type StartResult =
  | { readonly kind: 'started' }
  | { readonly kind: 'limited'; readonly by: CountedProfile }
  /** The same request was here before. */
  | { readonly kind: 'repeated'; readonly hasEnded: boolean };

/** A live call is ended by the sweep so long after its gateway should have done it. */
const OVERDUE_AFTER_MS = 60_000;
/** A call that has ended stays so long: later words about it find it. */
const KEEP_ENDED_SECONDS = 24 * 3_600;
const MAX_ATTEMPTS = 5;

const NAMES = { '#sequence': 'sequence', '#state': 'state', '#call': 'call' } as const;
const IS_LIVE = 'attribute_exists(PK) AND #state <> :over';

/** One TransactWriteItems: the call, and each counter within its limit; nothing at all otherwise. */
export async function startCall(table: Table, start: CallStart): Promise<StartResult> {
  const { domain, callKey } = start.snapshot;
  const counters = countStart(domain, callKey, start.profiles);
  const put: TransactionWrite = { kind: 'put', item: callItem(start), condition: 'attribute_not_exists(PK)' };
  const result = await table.transact([put, ...counters.map(({ write }) => write)]);
  if (result.kind === 'done') return { kind: 'started' };
  const own = result.refusals.find(({ index }) => index === 0);
  if (own) return { kind: 'repeated', hasEnded: own.item?.state === 'terminated' };
  const by = result.refusals.flatMap(({ index }) => counters[index - 1]?.profile ?? [])[0];
  if (by === undefined) throw new ContractError(`Call ${callKey}: refused without a limit`);
  return { kind: 'limited', by };
}

function callItem({ snapshot, gatewayId, profiles, dueAtMs, ...rest }: CallStart): Item {
  const { domain, callId, callKey, startedAtMs, sequence, state } = snapshot;
  const key = callKeyOf(domain, callId, callKey);
  return {
    ...{ ...key, ...rest, gatewayId, sequence, state, call: snapshot },
    profiles: profiles.map(({ profile, value }) => ({ profile, value })),
    counters: countedKeys(domain, callKey, profiles).map(({ SK }) => SK),
    heldBy: heldByGateway(gatewayId),
    ...{ dueShard: dueShardOf(key.PK), dueAtMs },
    ...{ listedAs: listedCalls(domain), listedBy: listedCall(startedAtMs, callKey) },
    ttl: ttlAfter(snapshot.expiresAtMs),
  };
}

/**
 * Takes a gateway's word of a call: one UpdateItem; at the answer one TransactWriteItems; at the end one GetItem and one
 * TransactWriteItems. Safe to repeat.
 * @returns true when this is how the call stands now; false when later word was here first, or the call is unknown
 */
export async function saveSnapshot(table: Table, snapshot: CallSnapshot): Promise<boolean> {
  if (snapshot.state === 'terminated') return endCall(table, snapshot);
  const update = snapshotUpdate(snapshot);
  const key = callKeyOf(snapshot.domain, snapshot.callId, snapshot.callKey);
  if (snapshot.state === 'confirmed') {
    const refused = await saveAnswer(table, key, snapshot, update);
    if (refused === undefined) return true;
    if (refused.item?.answered !== true) return isOwn(refused.item, snapshot);
  }
  const result = await table.update(key, update);
  return result.kind === 'done' || isOwn(result.item, snapshot);
}

/** @returns undefined when it is done */
async function saveAnswer(
  table: Table,
  key: Key,
  { domain, callKey }: CallSnapshot,
  update: Update,
): Promise<{ readonly item?: Item } | undefined> {
  const result = await table.transact([
    {
      kind: 'update',
      key,
      ...update,
      update: `${update.update}, #answered = :yes`,
      condition: `${update.condition} AND attribute_not_exists(#answered)`,
      names: { ...update.names, '#answered': 'answered' },
      values: { ...update.values, ':yes': true },
    },
    statisticsWrite(domain, callKey, { early: -1, active: 1 }),
  ]);
  return result.kind === 'done' ? undefined : (result.refusals[0] ?? {});
}

function snapshotUpdate(snapshot: CallSnapshot): Update & { readonly values: Attributes } {
  const { sequence, state, expiresAtMs } = snapshot;
  return {
    update: 'SET #sequence = :sequence, #state = :state, #call = :call, dueAtMs = :due, #ttl = :ttl',
    condition: `${IS_LIVE} AND #sequence < :sequence`,
    names: { ...NAMES, '#ttl': 'ttl' },
    values: {
      ...{ ':sequence': sequence, ':state': state, ':call': snapshot, ':over': 'terminated' },
      ...{ ':due': expiresAtMs + OVERDUE_AFTER_MS, ':ttl': ttlAfter(expiresAtMs) },
    },
  };
}

/** What refused the write is this same word, whose answer was lost. */
const isOwn = (item: Item | undefined, { sequence }: CallSnapshot): boolean => item?.sequence === sequence;

/**
 * Ends a call: one GetItem, one TransactWriteItems of the call, its counters and its record.
 * @returns as {@link saveSnapshot}
 * @throws {StaleWrite} when others keep changing it
 */
export async function endCall(table: Table, snapshot: CallSnapshot): Promise<boolean> {
  const key = callKeyOf(snapshot.domain, snapshot.callId, snapshot.callKey);
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    const item = await table.get(key, { consistent: true });
    if (item === undefined) return false;
    if (item.state === 'terminated') return isOwn(item, snapshot);
    const result = await table.transact(endingWrites(item, snapshot));
    if (result.kind === 'done') return true;
  }
  throw new StaleWrite(`End of ${key.PK}`);
}

/**
 * Ends a call that stands as it was read, unless anything was heard of it since; it stays due until {@link forgetDue}.
 * @returns false when something was
 */
export async function endCallAsRead(table: Table, item: Item, ended: CallSnapshot, nowMs: number): Promise<boolean> {
  const result = await table.transact(endingWrites(item, ended, nowMs));
  return result.kind === 'done';
}

/** One UpdateItem: the end of a call is known to all. */
export async function forgetDue(table: Table, key: Key): Promise<void> {
  await table.update(key, { update: 'REMOVE dueShard, dueAtMs', condition: 'attribute_exists(PK)' });
}

function endingWrites(item: Item, ended: CallSnapshot, dueAtMs?: number): TransactionWrite[] {
  const call = { ...decodeCall(item), snapshot: ended };
  const hasFailed = ended.answeredAtMs === undefined;
  const statistics = { [item.answered === true ? 'active' : 'early']: -1, ...(hasFailed && { failed: 1 }) };
  return [
    endingWrite(item, ended, dueAtMs),
    statisticsWrite(ended.domain, ended.callKey, statistics),
    ...countEnd(ended.domain, v.parse(sortKeys, item.counters)),
    { kind: 'put', item: recordItem(recordOf(call), call.recordDays) },
  ];
}

function endingWrite({ PK, SK, sequence }: Item, ended: CallSnapshot, dueAtMs?: number): TransactionWrite {
  const due = dueAtMs === undefined ? 'dueShard, dueAtMs, ' : '';
  return {
    kind: 'update',
    key: { PK, SK },
    update: `SET #sequence = :sequence, #state = :over, #call = :call, #ttl = :ttl${
      dueAtMs === undefined ? '' : ', dueAtMs = :due'
    } REMOVE ${due}heldBy, listedAs, listedBy`,
    condition: `${IS_LIVE} AND #sequence = :seen`,
    names: { ...NAMES, '#ttl': 'ttl' },
    values: {
      ...{ ':sequence': ended.sequence, ':seen': sequence, ':over': 'terminated', ':call': ended },
      ':ttl': ttlAfter(ended.endedAtMs ?? ended.startedAtMs),
      ...(dueAtMs !== undefined && { ':due': dueAtMs }),
    },
  };
}

const ttlAfter = (ms: number): number => Math.floor(ms / 1_000) + KEEP_ENDED_SECONDS;

/** One consistent Query: the calls of a Call-ID, those too that have ended within the last day. */
export async function loadCalls(table: Table, domain: string, callId: string): Promise<Call[]> {
  const items = await table.query(partitionQuery(callPartition(domain, callId), undefined, { consistent: true }));
  return items.map(decodeCall);
}

const sortKeys = v.array(v.string());
const callAttributes = v.object({
  call: callSnapshot,
  gatewayId: v.string(),
  type: v.picklist(CALL_TYPES),
  profiles: v.array(v.object({ profile: v.string(), value: v.string() })),
  variables: v.record(v.string(), v.string()),
  recordDays: v.number(),
  dueAtMs: v.optional(v.number()),
});

/** @throws {ContractError} when the item is not a call */
export function decodeCall(item: Item): Call {
  const result = v.safeParse(callAttributes, item);
  if (!result.success) throw new ContractError(`Item ${item.PK} ${item.SK}: ${v.summarize(result.issues)}`);
  const { call, dueAtMs, ...rest } = result.output;
  return { ...rest, snapshot: call, ...(dueAtMs !== undefined && { dueAtMs }) };
}
