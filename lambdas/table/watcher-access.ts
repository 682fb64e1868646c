/** What the watcher items of a presentity say of access: read and changed when it is decided anew. */
import * as v from 'valibot';
import { type GatewayId, gatewayIdOf, type SubscriptionId, subscriptionIdOf } from '#contract/ids.ts';
import type { Address } from '#core/identity.ts';
import { presentityPartition, WATCHER_PREFIX, watcherKey } from './keys.ts';
import { partitionQuery, type Table } from './table.ts';
import type { SubscriptionName } from './watcher-item.ts';

/** One subscription, or one member of a subscription to an event list. */
export interface StandingWatcher {
  readonly id: SubscriptionId;
  readonly event: string;
  readonly gatewayId: GatewayId;
  /** AOR of who watches. */
  readonly watcher: string;
  readonly contentType: string;
  readonly rendering: string;
  /** Of its last SUBSCRIBE. */
  readonly cseq: number;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  /** `own`: the list's own item, `member`: it stands for one of a list's members. */
  readonly list?: 'own' | 'member';
  /** It was decided that it ends, and that stands: its gateway may know already. */
  readonly ending?: string;
  /** The decision that changed its access last. */
  readonly decidedBy?: string;
}

const standingAttributes = v.object({
  id: v.string(),
  event: v.string(),
  gatewayId: v.string(),
  watcher: v.string(),
  contentType: v.string(),
  rendering: v.optional(v.string(), ''),
  cseq: v.number(),
  createdAtMs: v.number(),
  expiresAtMs: v.number(),
  memberOf: v.optional(v.string()),
  list: v.optional(v.unknown()),
  decidedBy: v.optional(v.string()),
  ending: v.optional(v.string()),
});

/** One Query, consistent: all who watch a presentity now, whatever event package. */
export async function loadStandingWatchers(
  table: Table,
  { domain, user }: Address,
  nowMs: number,
): Promise<StandingWatcher[]> {
  const query = partitionQuery(presentityPartition(domain, user), WATCHER_PREFIX, { consistent: true });
  return (await table.query(query)).flatMap((item): StandingWatcher[] => {
    const { memberOf, list, decidedBy, ending, ...known } = v.parse(standingAttributes, item);
    if (known.expiresAtMs <= nowMs) return [];
    return [
      {
        ...known,
        ...{ id: subscriptionIdOf(known.id), gatewayId: gatewayIdOf(known.gatewayId) },
        ...(list !== undefined ? { list: 'own' as const } : memberOf !== undefined && { list: 'member' as const }),
        ...(decidedBy !== undefined && { decidedBy }),
        ...(ending !== undefined && { ending }),
      },
    ];
  });
}

/**
 * One UpdateItem: changes how a subscription sees, unless a later SUBSCRIBE has come, which decides for itself.
 * @param decidedBy names the decision, so that it can be told again if the telling failed
 * @returns false when it was not changed
 */
export async function changeRendering(
  table: Table,
  { presentity: { domain, user }, event, id }: Pick<SubscriptionName, 'presentity' | 'event' | 'id'>,
  cseq: number,
  rendering: string,
  decidedBy = '',
): Promise<boolean> {
  const result = await table.update(watcherKey(domain, user, event, id), {
    update: 'SET rendering = :rendering, decidedBy = :by',
    condition: 'cseq = :cseq',
    values: { ':rendering': rendering, ':by': decidedBy, ':cseq': cseq },
  });
  return result.kind === 'done';
}

/**
 * One UpdateItem: from now on the subscription only ends; it cannot be refreshed, and no later decision keeps it. For it is
 * told first and removed then, and whoever tells it once more must find it.
 * @returns false when a later SUBSCRIBE has come, or it has got another view since it was read
 */
export async function markEnding(
  table: Table,
  { domain, user }: Address,
  { event, id, cseq, rendering }: Pick<StandingWatcher, 'event' | 'id' | 'cseq' | 'rendering'>,
  reason: string,
): Promise<boolean> {
  const result = await table.update(watcherKey(domain, user, event, id), {
    update: 'SET ending = :reason',
    condition: 'cseq = :cseq AND (rendering = :seen OR attribute_not_exists(rendering))',
    values: { ':reason': reason, ':cseq': cseq, ':seen': rendering },
  });
  return result.kind === 'done';
}
