/**
 * Webhook feeder: what has changed is news for the webhooks of its tenant. It only writes that down: a receiver that is slow
 * or dead is the business of the courier, and never in the way of a NOTIFY.
 */
import { type Address, aorOfIdentity } from '#core/identity.ts';
import { mayConcern } from '#core/webhook.ts';
import { type ChangedView, viewsChanged } from '#core/webhook-event.ts';
import { waitingKey } from '#table/keys.ts';
import { markSeenAnew } from '#table/presentity-changes.ts';
import { decodeStateChange, imagesOfRecord, type StateChange } from '#table/stream-record.ts';
import type { Table } from '#table/table.ts';
import { decodeRemovedUser, type RemovedUser } from '#table/user-removal.ts';
import { type Addition, addNews, dropNews } from '#table/waiting-item.ts';
import type { Webhook } from '#table/webhook-item.ts';
import { askDelivery } from '#table/webhook-queue.ts';
import { inParallel } from './batches.ts';
import { failureFields, type RoleLog } from './role-log.ts';

export interface WebhookFeederPorts {
  readonly table: Table;
  readonly telemetry: RoleLog;
  /** Of a tenant that is served; some seconds old at most. */
  readonly webhooksOf: (domain: string) => Promise<readonly Webhook[]>;
}

/** News of one presentity, and the first record that brought them. */
interface Bulletin {
  readonly presentity: Address;
  readonly sequenceNumber: string;
  readonly addition: Addition;
}

const HOP = 'webhook-feed';
/** Writes at once. */
const PARALLEL = 20;

/**
 * Takes the states and the removed users of a batch of stream records. Nothing is read or written for a tenant without
 * webhooks; else one UpdateItem for each webhook and presentity, and one for each webhook. Safe to repeat.
 * @returns sequence numbers of the records to hand over again
 */
export async function feedWebhooks(
  records: readonly unknown[],
  ports: WebhookFeederPorts,
  nowMs: number,
): Promise<string[]> {
  const bulletins = bulletinsOf(records, nowMs);
  try {
    await publishAll(bulletins, ports, nowMs);
    return [];
  } catch (error) {
    ports.telemetry.log('warn', HOP, failureFields(error));
    return bulletins.slice(0, 1).map(({ sequenceNumber }) => sequenceNumber);
  }
}

/**
 * Who may see these presentities was decided anew: webhooks are told what they see now. Besides the writes for news, one
 * UpdateItem each for a new version, which goes before what was told until now.
 */
export async function retellWebhooks(
  presentities: readonly Address[],
  ports: WebhookFeederPorts,
  nowMs: number,
): Promise<void> {
  const bulletins: Bulletin[] = [];
  await inParallel(presentities, PARALLEL, async (presentity) => {
    if (!(await isWanted(presentity, ports))) return;
    const { version } = await markSeenAnew(ports.table, presentity, nowMs);
    const addition = { mark: `${version}.anew`, atMs: nowMs, isDecidedAnew: true };
    bulletins.push({ presentity, sequenceNumber: '', addition });
  });
  await publishAll(bulletins, ports, nowMs);
}

const isWanted = async ({ domain, user }: Address, { webhooksOf }: WebhookFeederPorts): Promise<boolean> =>
  (await webhooksOf(domain)).some(({ settings }) => settings.enabled && mayConcern(settings, user));

/** What cannot be read is the fan-out's to tell. */
function bulletinsOf(records: readonly unknown[], nowMs: number): Bulletin[] {
  const changes = records.flatMap((record) => readOrSkip(() => decodeStateChange(record)));
  const removed = records.flatMap((record) => readOrSkip(() => newlyRemoved(record)));
  const runs = Map.groupBy(changes, ({ presentity }) => aorOfIdentity(presentity));
  return [
    ...[...runs.values()].flatMap(bulletinOf),
    ...removed.map(({ address, sequenceNumber }) => ({
      ...{ presentity: address, sequenceNumber },
      addition: { mark: `${sequenceNumber}.gone`, atMs: nowMs, isGone: true },
    })),
  ];
}

/** The mark is written again when more is to go: that is no news. */
function newlyRemoved(record: unknown): RemovedUser | undefined {
  const { before, after } = imagesOfRecord(record);
  return before?.removedAtMs === after?.removedAtMs ? undefined : decodeRemovedUser(record);
}

function readOrSkip<T>(read: () => T | undefined): T[] {
  try {
    const found = read();
    return found === undefined ? [] : [found];
  } catch {
    return [];
  }
}

/** Any step counts, not only first against last: one between may have been told already. */
function bulletinOf(changes: readonly StateChange[]): Bulletin[] {
  const [first, newest] = [changes[0], changes.at(-1)];
  if (first === undefined || newest === undefined) return [];
  const { presentity, sequenceNumber } = first;
  const { version, changedAtMs: atMs } = newest.after;
  let changed: readonly ChangedView[] | undefined;
  const addition = {
    ...{ mark: `${version}.${newest.sequenceNumber}`, atMs },
    // Only of tenants with webhooks: to look is more work than to send a NOTIFY.
    get changed() {
      changed ??= [...new Set(changes.flatMap(({ before, after }) => viewsChanged(before, after)))];
      return changed;
    },
  };
  return [{ presentity, sequenceNumber, addition }];
}

/** News first, then the word that there are some: a delivery that goes on meanwhile must not miss them. */
async function publishAll(
  bulletins: readonly Bulletin[],
  { table, webhooksOf }: WebhookFeederPorts,
  nowMs: number,
): Promise<void> {
  const byWebhook = new Map<string, { webhook: Webhook; users: string[] }>();
  const writes: (() => Promise<void>)[] = [];
  for (const { presentity, addition } of bulletins) {
    const { domain, user } = presentity;
    for (const webhook of await webhooksOf(domain)) {
      if (!webhook.settings.enabled || !mayConcern(webhook.settings, user)) continue;
      const isNews = addition.isGone || addition.isDecidedAnew || wants(webhook, addition.changed ?? []);
      if (!isNews) continue;
      const { id } = webhook;
      const told = byWebhook.get(`${domain} ${id}`) ?? { webhook, users: [] };
      told.users.push(user);
      byWebhook.set(`${domain} ${id}`, told);
      writes.push(() => addNews(table, { domain, id, user }, addition));
    }
  }
  await inParallel(writes, PARALLEL, (write) => write());
  await inParallel([...byWebhook.values()], PARALLEL, ({ webhook, users }) => ask(webhook, users, table, nowMs));
}

const wants = ({ settings }: Webhook, changed: readonly ChangedView[]): boolean =>
  settings.events.some((event) => changed.some((view) => view.startsWith(`${event}_`)));

/** For a webhook that is gone, or was switched off, nothing waits. */
async function ask({ domain, id }: Webhook, users: readonly string[], table: Table, nowMs: number): Promise<void> {
  if (await askDelivery(table, domain, id, nowMs)) return;
  await inParallel(users, PARALLEL, (user) => dropNews(table, waitingKey(domain, id, user)));
}
