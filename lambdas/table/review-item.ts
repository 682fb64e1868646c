/**
 * Review item: all of a tenant's watchers are decided anew, some at a time. Each step writes how far it has come, and the
 * stream's record of that is the call for the next one; so it goes on wherever the last one stopped.
 */
import * as v from 'valibot';
import { ContractError } from '#core/error.ts';
import { reviewKey, tenantKey } from './keys.ts';
import type { Table } from './table.ts';

const KEEP_SECONDS = 24 * 3_600;

const reviewAttributes = v.object({ id: v.number(), asked: v.number(), run: v.number(), cursor: v.string() });

/** `run` is the number of the request that it works on; more may have been `asked` for since it began. */
export type Review = Readonly<v.InferOutput<typeof reviewAttributes>>;

/** One UpdateItem: asks for a review, or for one more when the one that runs is through. */
export async function askReview(table: Table, domain: string, nowMs: number): Promise<void> {
  await table.update(reviewKey(domain), {
    update:
      'SET id = if_not_exists(id, :now), asked = if_not_exists(asked, :none) + :one, #run = if_not_exists(#run, :one), #cursor = if_not_exists(#cursor, :start), #ttl = :ttl',
    names: { ...NAMES, '#ttl': 'ttl' },
    values: { ':now': nowMs, ':none': 0, ':one': 1, ':start': '', ':ttl': Math.floor(nowMs / 1_000) + KEEP_SECONDS },
  });
}

/** One GetItem, consistent. @returns undefined when none runs */
export async function loadReview(table: Table, domain: string): Promise<Review | undefined> {
  const item = await table.get(reviewKey(domain), { consistent: true });
  if (item === undefined) return undefined;
  const result = v.safeParse(reviewAttributes, item);
  if (!result.success) throw new ContractError(`Item ${item.PK} ${item.SK}: ${v.summarize(result.issues)}`);
  return result.output;
}

/** One UpdateItem. Refused, which is fine, when another has come as far. */
export async function advanceReview(table: Table, domain: string, review: Review, cursor: string): Promise<void> {
  await moveOn(table, domain, review, { cursor, run: review.run });
}

/** One DeleteItem; one UpdateItem more when a further review was asked for since this one began: that begins now. */
export async function finishReview(table: Table, domain: string, review: Review): Promise<void> {
  const result = await table.delete(reviewKey(domain), {
    condition: 'attribute_not_exists(PK) OR asked = :run',
    values: { ':run': review.run },
  });
  if (result.kind === 'done' || result.item === undefined) return;
  const { asked } = v.parse(reviewAttributes, result.item);
  await moveOn(table, domain, review, { cursor: '', run: asked });
}

async function moveOn(table: Table, domain: string, review: Review, to: Pick<Review, 'cursor' | 'run'>): Promise<void> {
  await table.update(reviewKey(domain), {
    update: 'SET #cursor = :next, #run = :nextRun',
    condition: '#cursor = :seen AND #run = :seenRun',
    names: NAMES,
    values: { ':next': to.cursor, ':nextRun': to.run, ':seen': review.cursor, ':seenRun': review.run },
  });
}

/** One UpdateItem: from now on accounts are read to decide who may watch. Refused when that is so already. */
export async function markWatchRules(table: Table, domain: string): Promise<void> {
  await table.update(tenantKey(domain), {
    update: 'SET hasWatchRules = :yes',
    condition: 'attribute_exists(PK) AND attribute_not_exists(hasWatchRules)',
    values: { ':yes': true },
  });
}

const NAMES = { '#cursor': 'cursor', '#run': 'run' } as const;
