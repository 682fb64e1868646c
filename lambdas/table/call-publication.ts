/** The dialogs of a call in the state of one of its parties: a publication that the system itself makes. */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import type { CallSnapshot } from '#contract/call.ts';
import { type CallSide, dialogsOf } from '#core/call-dialogs.ts';
import { DIALOG_RANK, isLive } from '#core/dialog.ts';
import { StaleWrite } from '#core/error.ts';
import type { Address } from '#core/identity.ts';
import { stateKey } from './keys.ts';
import { decodePresentity, dialogField, publicationAttribute, type StoredDialogs, SYSTEM } from './presentity-item.ts';
import { causeOf, type Parts, type SweepRule, stampOf, sweepOf, updateOf } from './publication-expression.ts';
import { updateWithin } from './publication-write.ts';
import type { Item, Table } from './table.ts';

/**
 * A call that has ended stands so long, so that an older word of it which comes late finds it: no longer than the
 * function that writes it can run, for the item of who has many calls is to stay small.
 */
const KEEP_ENDED_MS = 30_000;
/** A call that nobody ended leaves the lamp so long after its own end, well after the sweep of calls. */
const LEASE_MARGIN_MS = 180_000;
const MAX_ATTEMPTS = 3;
const word = v.object({ rank: v.number(), seq: v.number() });

/** `rank` of the call's state and `seq` of the word say what is newer: a state never goes back, whatever came last. */
interface StoredCall extends StoredDialogs {
  readonly rank: number;
  readonly seq: number;
}

/**
 * Writes how a call stands for one side: one UpdateItem, a second one when the item's sweep must move the other way.
 * A word that is not newer than what stands changes nothing.
 * @returns false when the item has no room for it, so the call is not shown
 * @throws {StaleWrite} when others keep moving the sweep
 */
export async function saveCallDialogs(
  table: Table,
  { domain, user }: Address,
  call: CallSnapshot,
  side: CallSide,
  nowMs: number,
): Promise<boolean> {
  const key = stateKey(domain, user);
  const attribute = publicationAttribute(publicationIdOf(call, side));
  const stored = storedOf(call, side, nowMs);
  // The lease of a live call ends later than most others, what is left of one that is over earlier.
  let sweep: SweepRule = call.state === 'terminated' ? 'moveForward' : 'keepEarlier';
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const parts = [
      ...[stampOf(nowMs), causeOf(call.callId, nowMs)],
      ...[replacement(attribute, stored), sweepOf(stored.expMs, key.PK, sweep)],
    ];
    const result = await updateWithin(table, key, updateOf(parts));
    if (result === 'tooLarge') return false;
    if (result.kind === 'done' || isAsNew(result.item, attribute, stored)) return true;
    const dueAtMs = result.item && decodePresentity(result.item).dueAtMs;
    sweep = dueAtMs !== undefined && dueAtMs > stored.expMs ? 'moveForward' : 'keepEarlier';
  }
  throw new StaleWrite(`Call in ${key.PK}`);
}

/** True for the publication that shows this call, for either side. */
export const isPublicationOfCall = (publicationId: string, call: CallSnapshot): boolean =>
  publicationId === publicationIdOf(call, 'caller') || publicationId === publicationIdOf(call, 'callee');

/** Longer than those of PUBLISH, so that no entity-tag can name it. */
function publicationIdOf({ callKey }: CallSnapshot, side: CallSide): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([callKey, side]))
    .digest('hex');
  return `c${hash.slice(0, 20)}`;
}

function storedOf(call: CallSnapshot, side: CallSide, nowMs: number): StoredCall {
  const dialogs = dialogsOf(call, side);
  const live = dialogs.filter(isLive);
  const isOver = call.state === 'terminated';
  return {
    tag: String(call.sequence),
    event: 'dialog',
    by: SYSTEM,
    expMs: isOver ? nowMs + KEEP_ENDED_MS : call.expiresAtMs + LEASE_MARGIN_MS,
    atMs: nowMs,
    rank: DIALOG_RANK[call.state],
    seq: call.sequence,
    live: Object.fromEntries(live.map((dialog) => [dialogField(dialog), dialog])),
    over: dialogs.filter((dialog) => !isLive(dialog)),
    gone: {},
  };
}

function replacement(attribute: string, stored: StoredCall): Parts {
  return {
    set: ['#pub = :pub'],
    conditions: ['(attribute_not_exists(#pub) OR #pub.#rank < :rank OR (#pub.#rank = :rank AND #pub.#seq < :seq))'],
    names: { '#pub': attribute, '#rank': 'rank', '#seq': 'seq' },
    values: { ':pub': stored, ':rank': stored.rank, ':seq': stored.seq },
  };
}

function isAsNew(item: Item | undefined, attribute: string, { rank, seq }: StoredCall): boolean {
  const standing = v.safeParse(word, item?.[attribute]);
  if (!standing.success) return false;
  return standing.output.rank > rank || (standing.output.rank === rank && standing.output.seq >= seq);
}
