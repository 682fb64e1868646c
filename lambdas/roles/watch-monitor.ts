/**
 * Watch monitor: a changed account or policy is a new decision about subscriptions that stand, within seconds. Of one
 * account it is made at once; of a whole tenant in steps, each of which the stream calls for.
 */
import { type Address, aorOfIdentity } from '#core/identity.ts';
import { dependsOnGroups, type TenantWatch } from '#core/watch-policy.ts';
import { listedPresentities, listedUsers, presentityOfKey, userOfKey } from '#table/keys.ts';
import { listItems } from '#table/listing.ts';
import { advanceReview, askReview, finishReview, loadReview, markWatchRules } from '#table/review-item.ts';
import { sequenceNumberOf } from '#table/stream-record.ts';
import type { Table } from '#table/table.ts';
import { loadTenant } from '#table/tenant-item.ts';
import { decodeWatchChange, type WatchChange } from '#table/watch-changes.ts';
import { loadManyWatchRules, saysOfWatching } from '#table/watch-rules.ts';
import { chunksOf } from './batches.ts';
import { failureFields } from './role-log.ts';
import { reviewPresentity, type WatchReviewPorts } from './watch-review.ts';
import { retellWebhooks, type WebhookFeederPorts } from './webhook-feeder.ts';

export interface WatchMonitorPorts extends Omit<WatchReviewPorts, 'loadTenant'>, WebhookFeederPorts {
  readonly clock: () => number;
}

const HOP = 'watch';
/** Presentities that are decided at once. */
const AT_ONCE = 10;
/** A step of a review takes no longer, or hardly so: lamps of other presentities wait for it. */
const STEP_MS = 1_000;

/**
 * Takes the records of accounts, tenants and reviews in a batch. Safe to repeat, in any order: what is decided is what the
 * table says now.
 * @returns sequence numbers of the records to hand over again
 */
export async function monitorWatching(
  records: readonly unknown[],
  ports: WatchMonitorPorts,
  nowMs: number,
): Promise<string[]> {
  const changes = records.flatMap((record) => decodeOrSkip(record, ports) ?? []);
  const failed: string[] = [];
  for (const some of chunksOf(changes, AT_ONCE)) {
    const results = await Promise.all(some.map((each) => settleOrReport(each, ports, nowMs)));
    failed.push(...results.flat());
  }
  return failed;
}

// A record that cannot be read now cannot be read later: repeating it would only hold up the shard.
function decodeOrSkip(record: unknown, { telemetry }: WatchMonitorPorts): WatchChange | undefined {
  try {
    return decodeWatchChange(record);
  } catch (error) {
    telemetry.log('error', HOP, { sequenceNumber: sequenceNumberOf(record), ...failureFields(error) });
    return undefined;
  }
}

async function settleOrReport(change: WatchChange, ports: WatchMonitorPorts, nowMs: number): Promise<string[]> {
  try {
    const loadNow = (domain: string) => loadTenant(ports.table, domain, { consistent: true });
    if (await settle(change, { ...ports, loadTenant: loadNow }, nowMs)) return [];
    ports.telemetry.log('warn', HOP, { kind: change.kind, outcome: 'undelivered' });
  } catch (error) {
    ports.telemetry.log('warn', HOP, { kind: change.kind, ...failureFields(error) });
  }
  return [change.sequenceNumber];
}

type SettlePorts = WatchMonitorPorts & WatchReviewPorts;

function settle(change: WatchChange, ports: SettlePorts, nowMs: number): Promise<boolean> {
  switch (change.kind) {
    case 'account':
      return settleAccount(change, ports, nowMs);
    case 'tenant':
      return settleTenant(change, ports, nowMs);
    case 'review':
      return stepReview(change.domain, ports, nowMs);
    default:
      return change satisfies never;
  }
}

/** First its tenant says that accounts decide: whoever subscribes from now on reads them. */
async function settleAccount(
  { address, before, after, sequenceNumber }: Extract<WatchChange, { kind: 'account' }>,
  ports: SettlePorts,
  nowMs: number,
): Promise<boolean> {
  if (saysOfWatching(after)) await markWatchRules(ports.table, address.domain);
  const tenant = await ports.loadTenant(address.domain);
  if (tenant === undefined) return true;
  const isMoved = String(before.groups.toSorted()) !== String(after.groups.toSorted());
  if (isMoved && dependsOnGroups(tenant.watch, tenant.hasWatchRules))
    await askReview(ports.table, address.domain, nowMs);
  await retellWebhooks([address], ports, nowMs);
  return reviewPresentity({ presentity: address, decidedBy: sequenceNumber }, ports, nowMs);
}

/** What two tenants have agreed on is a matter of both: who comes from here to watch there is decided there. */
async function settleTenant(
  { domain, before, after }: Extract<WatchChange, { kind: 'tenant' }>,
  { table, loadTenant }: SettlePorts,
  nowMs: number,
): Promise<boolean> {
  await askReview(table, domain, nowMs);
  for (const other of differing(before, after)) {
    const tenant = await loadTenant(other);
    if (tenant?.watch.federation.includes(domain)) await askReview(table, other, nowMs);
  }
  return true;
}

function differing(before: TenantWatch, after: TenantWatch): string[] {
  const [old, now] = [new Set(before.federation), new Set(after.federation)];
  return [...new Set([...old, ...now])].filter((domain) => old.has(domain) !== now.has(domain));
}

/** Goes on with the review of a tenant from where it stands, for {@link STEP_MS}. */
async function stepReview(domain: string, ports: SettlePorts, nowMs: number): Promise<boolean> {
  const review = await loadReview(ports.table, domain);
  if (review === undefined) return true;
  const decidedBy = `${review.id}.${review.run}`;
  const startedMs = ports.clock();
  let cursor: string | undefined = review.cursor;
  do {
    const { presentities, next } = await pageFrom(cursor, domain, ports.table);
    const results = await Promise.all(
      presentities.map((presentity) => reviewPresentity({ presentity, decidedBy }, ports, nowMs)),
    );
    if (!results.every(Boolean)) return false;
    await retellWebhooks(presentities, ports, nowMs);
    cursor = next;
  } while (cursor !== undefined && ports.clock() - startedMs < STEP_MS);
  if (cursor === undefined) await finishReview(ports.table, domain, review);
  else await advanceReview(ports.table, domain, review, cursor);
  return true;
}

interface ReviewPage {
  readonly presentities: readonly Address[];
  /** Where the next page begins; undefined when there is none. */
  readonly next: string | undefined;
}

const USERS = 'users ';
/** What is watched without being a user: places where calls are parked, say. */
const OTHERS = 'others ';

function pageFrom(cursor: string, domain: string, table: Table): Promise<ReviewPage> {
  return cursor.startsWith(OTHERS)
    ? othersFrom(cursor.slice(OTHERS.length), domain, table)
    : usersFrom(cursor.slice(USERS.length), domain, table);
}

async function usersFrom(after: string, domain: string, table: Table): Promise<ReviewPage> {
  const { items, place } = await listItems(table, listedUsers(domain), wishOf(after));
  const presentities = items.flatMap((item) => userOfKey(item.PK) ?? []);
  return { presentities, next: place === undefined ? OTHERS : `${USERS}${place}` };
}

async function othersFrom(after: string, domain: string, table: Table): Promise<ReviewPage> {
  const { items, place } = await listItems(table, listedPresentities(domain), wishOf(after));
  const addresses = items.flatMap((item) => presentityOfKey(item.PK) ?? []);
  const accounts = await loadManyWatchRules(table, addresses);
  const presentities = addresses.filter((address) => !accounts.has(aorOfIdentity(address)));
  return { presentities, next: place === undefined ? undefined : `${OTHERS}${place}` };
}

const wishOf = (after: string) => ({ limit: AT_ONCE, after: after === '' ? undefined : after });
