/** Webhook desk: the webhooks of a tenant, as the HTTP API keeps them. A secret is shown once, when it is made. */

import { StaleWrite } from '#core/error.ts';
import { etagOf, requirePrecondition } from '#core/precondition.ts';
import { Problem } from '#core/problem.ts';
import type { VaultReader } from '#core/sealed-text.ts';
import { type WebhookSettings, watcherOf } from '#core/webhook.ts';
import { WEBHOOK_SECRET_BYTES, webhookSecretOf } from '#core/webhook-signature.ts';
import { dueShardOf, webhookKey } from '#table/keys.ts';
import { changeWrite, removalWrite } from '#table/resource-write.ts';
import type { Table } from '#table/table.ts';
import { countWrite } from '#table/tenant-counts.ts';
import { loadUser } from '#table/user-item.ts';
import { addNews, countNews, removeAllNews } from '#table/waiting-item.ts';
import {
  listWebhooks,
  loadWebhook,
  sealWebhookSecret,
  type Webhook,
  type WebhookHealth,
  webhooksMark,
} from '#table/webhook-item.ts';
import { askDelivery, disableWrite, type Run, type RunFacts } from '#table/webhook-queue.ts';
import { auditWrites, type Change, type Changed, type ChangePorts, changeResource, type Standing } from './change.ts';
import { requireRoom } from './quota-room.ts';

export interface WebhookDeskPorts extends ChangePorts {
  readonly vault: VaultReader;
  /** Why a webhook must not be sent there. */
  readonly refusedTarget: (url: URL) => string | undefined;
}

/** What is set; the audit trail has no more than this. */
export interface ShownWebhook extends WebhookSettings {
  readonly id: string;
  readonly createdAt: string;
  readonly previousSecretUntil?: string | undefined;
}

export interface ShownHealth {
  readonly state: 'fine' | 'failing' | 'disabled';
  readonly lastSuccessAt?: string | undefined;
  readonly lastFailure?: { readonly at: string; readonly reason: string } | undefined;
  readonly failures: number;
  readonly failingSince?: string | undefined;
  readonly nextTryAt?: string | undefined;
  readonly disabled?: { readonly at: string; readonly reason: string } | undefined;
  readonly lastTest?: { readonly id: string; readonly at: string; readonly outcome: string } | undefined;
  /** Presentities of which it is still to be told; counted up to a thousand. */
  readonly waiting?: number | undefined;
}

interface StandingWebhook extends Standing<ShownWebhook> {
  readonly webhook: Webhook;
}

const ID_BYTES = 6;
const TEST_ID_BYTES = 16;
const MAX_COUNTED = 1_000;

const timeOf = (ms: number): string => new Date(ms).toISOString();
const maybeTime = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : timeOf(ms));

export function showWebhook({ id, settings, createdAtMs, previous }: Webhook, nowMs: number): ShownWebhook {
  const isRotating = previous !== undefined && nowMs < previous.untilMs;
  return {
    ...{ id, ...settings, watcher: watcherOf(id, settings), createdAt: timeOf(createdAtMs) },
    previousSecretUntil: isRotating ? timeOf(previous.untilMs) : undefined,
  };
}

export function showHealth({ settings, health }: Webhook, waiting?: number): ShownHealth {
  const { lastFailureAtMs, lastFailure, failures, failingSinceMs, disabledAtMs, disabledReason, lastTest } = health;
  const isFailing = failingSinceMs !== undefined;
  return {
    state: settings.enabled ? (isFailing ? 'failing' : 'fine') : 'disabled',
    lastSuccessAt: maybeTime(health.lastSuccessAtMs),
    lastFailure:
      lastFailureAtMs === undefined ? undefined : { at: timeOf(lastFailureAtMs), reason: lastFailure ?? 'unknown' },
    failures,
    failingSince: maybeTime(failingSinceMs),
    nextTryAt: isFailing ? maybeTime(health.dueAtMs) : undefined,
    disabled:
      disabledAtMs === undefined ? undefined : { at: timeOf(disabledAtMs), reason: disabledReason ?? 'unknown' },
    lastTest: lastTest && { id: lastTest.id, at: timeOf(lastTest.atMs), outcome: lastTest.outcome },
    waiting,
  };
}

/** One Query. */
export async function showWebhooks(
  table: Table,
  domain: string,
  { limit, after = '' }: { readonly limit: number; readonly after?: string | undefined },
  nowMs: number,
) {
  const all = (await listWebhooks(table, domain)).filter(({ id }) => id > after);
  const shown = all.slice(0, limit).map((each) => ({ ...showWebhook(each, nowMs), delivery: showHealth(each) }));
  return { shown, place: all.length > limit ? shown.at(-1)?.id : undefined };
}

/** One GetItem, one Query. @throws {Problem} 404 */
export async function showOneWebhook(table: Table, domain: string, id: string, nowMs: number) {
  const { webhook, shown } = await requireWebhook(table, domain, id, nowMs);
  const waiting = await countNews(table, domain, id, MAX_COUNTED);
  return { shown: { ...shown, delivery: showHealth(webhook, waiting) }, etag: etagOf(webhook.version) };
}

async function requireWebhook(table: Table, domain: string, id: string, nowMs: number): Promise<StandingWebhook> {
  const webhook = await loadWebhook(table, domain, id);
  if (webhook === undefined) throw new Problem(404, `${domain} has no webhook ${id}.`);
  return { webhook, version: webhook.version, shown: showWebhook(webhook, nowMs) };
}

/** @throws {Problem} 400 for what cannot be, 409 when there are too many */
export async function makeWebhook(
  ports: WebhookDeskPorts,
  change: Change,
  domain: string,
  given: WebhookSettings,
  quota: number,
) {
  const { table, random } = ports;
  const { nowMs } = change;
  requirePrecondition(change.precondition, undefined);
  const id = random(ID_BYTES).toString('hex');
  const settings = await sensible(ports, domain, id, given);
  await requireRoom(table, domain, 'webhooks', quota);
  const secret = webhookSecretOf(random(WEBHOOK_SECRET_BYTES));
  const sealedSecret = sealWebhookSecret(await ports.vault(), domain, id, secret);
  const webhook: Webhook = {
    ...{ domain, id, settings, createdAtMs: nowMs, version: nowMs, sealedSecret, asked: 0 },
    health: { failures: 0 },
  };
  const shown = showWebhook(webhook, nowMs);
  const named = { ...change, resource: `${change.resource}/${id}` };
  const attributes = { ...settings, createdAtMs: nowMs, sealedSecret, asked: 0 };
  const result = await table.transact([
    changeWrite(webhookKey(domain, id), attributes, undefined, nowMs),
    countWrite(domain, 'webhooks', id, 1),
    webhooksMark(domain),
    ...auditWrites(ports, named, [domain], undefined, { shown }),
  ]);
  // Two ids that are the same, or a tenant that goes: not worth more than another try by whoever asked.
  if (result.kind === 'refused') throw new StaleWrite(named.resource);
  return {
    shown: { ...shown, delivery: showHealth(webhook), secret },
    ...{ etag: etagOf(nowMs), path: named.resource },
  };
}

/** Replaces what is set; switched on again it is tried anew at once. @throws {Problem} 400, 404 */
export async function putWebhook(
  ports: WebhookDeskPorts,
  change: Change,
  domain: string,
  id: string,
  given: WebhookSettings,
) {
  const { table } = ports;
  const { nowMs } = change;
  const settings = await sensible(ports, domain, id, given);
  let health: WebhookHealth = { failures: 0 };
  const changed = await changeResource<ShownWebhook, StandingWebhook>(
    ports,
    change,
    [domain],
    () => requireWebhook(table, domain, id, nowMs),
    (standing) => {
      if (standing === undefined) throw new Problem(404, `${domain} has no webhook ${id}.`);
      const { webhook } = standing;
      health = webhook.health;
      const isSwitched = settings.enabled !== webhook.settings.enabled;
      const attributes = { ...webhookAttributes(settings), ...(isSwitched && switched(domain, id, settings, nowMs)) };
      if (isSwitched) health = { ...health, failures: 0, failingSinceMs: undefined, disabledAtMs: undefined };
      return {
        shown: showWebhook({ ...webhook, settings }, nowMs),
        writes: (version) => [changeWrite(webhookKey(domain, id), attributes, webhook.version, version)],
      };
    },
  );
  const delivery = showHealth({ settings, health } as Webhook);
  return { ...changed, shown: changed.shown && { ...changed.shown, delivery } } satisfies Changed<object>;
}

/** What is not set is taken away. */
const webhookAttributes = ({ url, description, events, users, groups, watcher, enabled }: WebhookSettings) => ({
  ...{ url, description, events, users, groups, watcher, enabled },
});

/** Off: nothing is due. On: what waits is, whatever went wrong before. */
function switched(domain: string, id: string, { enabled }: WebhookSettings, nowMs: number) {
  const { PK, SK } = webhookKey(domain, id);
  return {
    dueAtMs: enabled ? nowMs : undefined,
    dueShard: enabled ? dueShardOf(PK + SK) : undefined,
    ...{ failures: undefined, failingSinceMs: undefined, disabledAtMs: undefined, disabledReason: undefined },
  };
}

/** @throws {Problem} 400 */
async function sensible(
  { table, refusedTarget }: WebhookDeskPorts,
  domain: string,
  id: string,
  given: WebhookSettings,
): Promise<WebhookSettings> {
  const refusal = refusedTarget(new URL(given.url));
  if (refusal !== undefined) throw wrong('url', `goes nowhere: ${refusal}`);
  // A name of its own may be put back as it was read.
  const watcher = given.watcher === watcherOf(id, {}) ? undefined : given.watcher;
  if (watcher !== undefined && (await loadUser(table, domain, watcher, { consistent: true })) === undefined)
    throw wrong('watcher', 'is no user of the tenant');
  return { ...given, watcher };
}

const wrong = (member: string, detail: string): Problem =>
  new Problem(400, 'The webhook is not as it should be.', {}, [{ pointer: `#/${member}`, detail }]);

/** Makes another secret; the one before signs too for the grace. @throws {Problem} 404 */
export async function rotateWebhookSecret(
  ports: WebhookDeskPorts,
  change: Change,
  domain: string,
  id: string,
  graceSeconds: number,
) {
  const { nowMs } = change;
  const secret = webhookSecretOf(ports.random(WEBHOOK_SECRET_BYTES));
  const sealedSecret = sealWebhookSecret(await ports.vault(), domain, id, secret);
  const untilMs = nowMs + graceSeconds * 1_000;
  const changed = await changeResource<ShownWebhook, StandingWebhook>(
    ports,
    change,
    [domain],
    () => requireWebhook(ports.table, domain, id, nowMs),
    (standing) => {
      if (standing === undefined) throw new Problem(404, `${domain} has no webhook ${id}.`);
      const { webhook } = standing;
      const secrets = { sealedSecret, sealedPrevious: webhook.sealedSecret, previousUntilMs: untilMs };
      return {
        shown: showWebhook({ ...webhook, previous: { sealed: webhook.sealedSecret, untilMs } }, nowMs),
        ...{ action: 'rotate', isHiddenChange: true },
        writes: (version) => [changeWrite(webhookKey(domain, id), secrets, webhook.version, version)],
      };
    },
  );
  return { ...changed, secret };
}

/** What waits for it goes with it. @throws {Problem} 404 */
export async function removeWebhook(ports: WebhookDeskPorts, change: Change, domain: string, id: string) {
  await changeResource<ShownWebhook, StandingWebhook>(
    ports,
    change,
    [domain],
    () => requireWebhook(ports.table, domain, id, change.nowMs),
    (standing) => ({
      shown: undefined,
      writes: () => [
        removalWrite(webhookKey(domain, id), standing?.version ?? 0),
        countWrite(domain, 'webhooks', id, -1),
      ],
    }),
  );
  await removeAllNews(ports.table, domain, id);
}

/**
 * Sends a test within seconds; what became of it stands in the webhook. What else waits is tried with it.
 * @returns the id of the message
 * @throws {Problem} 404, 409 for one that is switched off
 */
export async function testWebhook(ports: WebhookDeskPorts, change: Change, domain: string, id: string) {
  const { table, random } = ports;
  const { nowMs } = change;
  const { shown } = await requireWebhook(table, domain, id, nowMs);
  if (!shown.enabled) throw new Problem(409, 'The webhook is switched off.');
  const testId = `msg_${random(TEST_ID_BYTES).toString('base64url')}`;
  await addNews(table, { domain, id, user: '' }, { mark: testId, atMs: nowMs, testId });
  await askDelivery(table, domain, id, nowMs, true);
  await table.transact(auditWrites(ports, change, [domain], undefined, { shown: { test: testId }, action: 'test' }));
  return testId;
}

/** Nobody takes its messages: it is switched off, with a line in the audit trail. */
export async function switchOff(
  ports: ChangePorts,
  run: Run,
  webhook: Webhook,
  facts: RunFacts,
  reason: string,
  nowMs: number,
): Promise<void> {
  const resource = `/v1/tenants/${run.domain}/webhooks/${run.id}`;
  const change: Change = { precondition: {}, by: 'delivery', resource, requestId: '', nowMs };
  const shown = showWebhook({ ...webhook, settings: { ...webhook.settings, enabled: false } }, nowMs);
  const lines = auditWrites(ports, change, [run.domain], showWebhook(webhook, nowMs), { shown, action: 'switch off' });
  await ports.table.transact([disableWrite(run, webhook, facts, reason, nowMs), ...lines]);
}
