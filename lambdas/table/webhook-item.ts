/** Webhook item: what is set of one webhook of a tenant, its secrets under the key of the vault, and how it gets on. */
import * as v from 'valibot';
import { ContractError } from '#core/error.ts';
import type { Vault } from '#core/sealed-text.ts';
import { WEBHOOK_EVENTS, type WebhookSettings } from '#core/webhook.ts';
import { placeOf, tenantKey, WEBHOOK_PREFIX, webhookKey } from './keys.ts';
import { type Item, partitionQuery, type Table, type TransactionWrite } from './table.ts';

/** How its deliveries go. */
export interface WebhookHealth {
  readonly lastSuccessAtMs?: number | undefined;
  readonly lastFailureAtMs?: number | undefined;
  readonly lastFailure?: string | undefined;
  /** Since the last success; 0 when all is well. */
  readonly failures: number;
  readonly failingSinceMs?: number | undefined;
  /** Why it was switched off, when nobody did it. */
  readonly disabledReason?: string | undefined;
  readonly disabledAtMs?: number | undefined;
  readonly lastTest?: WebhookTest | undefined;
  /** When something is tried next; undefined when nothing waits. */
  readonly dueAtMs?: number | undefined;
}

export interface WebhookTest {
  readonly id: string;
  readonly atMs: number;
  readonly outcome: string;
}

export interface Webhook {
  readonly domain: string;
  readonly id: string;
  readonly settings: WebhookSettings;
  readonly createdAtMs: number;
  readonly version: number;
  readonly sealedSecret: string;
  /** The secret before the last rotation, and until when it signs too. */
  readonly previous?: { readonly sealed: string; readonly untilMs: number } | undefined;
  /** How often a delivery was asked for. */
  readonly asked: number;
  readonly health: WebhookHealth;
}

const text = v.optional(v.string());
const number = v.optional(v.number());
const names = v.optional(v.array(v.string()));
const webhookAttributes = v.object({
  ...{ url: v.string(), description: text, events: v.array(v.picklist(WEBHOOK_EVENTS)) },
  ...{ users: names, groups: names, watcher: text, enabled: v.boolean() },
  ...{ createdAtMs: v.number(), version: v.number(), sealedSecret: v.string(), sealedPrevious: text },
  ...{ previousUntilMs: number, asked: v.optional(v.number(), 0), failures: v.optional(v.number(), 0) },
  ...{ lastSuccessAtMs: number, lastFailureAtMs: number, lastFailure: text, failingSinceMs: number },
  ...{ disabledReason: text, disabledAtMs: number, dueAtMs: number },
  lastTest: v.optional(v.object({ id: v.string(), atMs: v.number(), outcome: v.string() })),
});

/** @throws {ContractError} when the item is not a webhook */
export function decodeWebhook(item: Item, domain: string): Webhook {
  const result = v.safeParse(webhookAttributes, item);
  // Without the values: addresses of webhooks have secrets in them.
  const problems = result.issues?.map((issue) => v.getDotPath(issue)).join(', ');
  if (!result.success) throw new ContractError(`Item ${item.PK} ${item.SK} is not right: ${problems}`);
  const { url, description, events, users, groups, watcher, enabled, ...rest } = result.output;
  const { createdAtMs, version, sealedSecret, sealedPrevious, previousUntilMs, asked, ...health } = rest;
  return {
    ...{ domain, id: item.SK.slice(WEBHOOK_PREFIX.length), createdAtMs, version, sealedSecret, asked, health },
    settings: { url, description, events, users, groups, watcher, enabled },
    ...(sealedPrevious !== undefined && { previous: { sealed: sealedPrevious, untilMs: previousUntilMs ?? 0 } }),
  };
}

/** One consistent GetItem. */
export async function loadWebhook(table: Table, domain: string, id: string): Promise<Webhook | undefined> {
  const item = await table.get(webhookKey(domain, id), { consistent: true });
  return item && decodeWebhook(item, domain);
}

/** One consistent Query: all of a tenant, there are few. */
export async function listWebhooks(table: Table, domain: string): Promise<Webhook[]> {
  const items = await table.query(partitionQuery(tenantKey(domain).PK, WEBHOOK_PREFIX, { consistent: true }));
  return items.map((item) => decodeWebhook(item, domain));
}

export const sealWebhookSecret = (vault: Vault, domain: string, id: string, secret: string): string =>
  vault.seal(secret, placeOf(webhookKey(domain, id)));

/** Those that sign now, the newest first. */
export function secretsOf(vault: Vault, { domain, id, sealedSecret, previous }: Webhook, nowMs: number): string[] {
  const place = placeOf(webhookKey(domain, id));
  const isStillGood = previous !== undefined && nowMs < previous.untilMs;
  return [sealedSecret, ...(isStillGood ? [previous.sealed] : [])].map((sealed) => vault.open(sealed, place));
}

/** From now on webhooks are looked for when a state of this tenant changes. */
export const webhooksMark = (domain: string): TransactionWrite => ({
  kind: 'update',
  key: tenantKey(domain),
  update: 'SET hasWebhooks = :yes',
  condition: 'attribute_exists(PK) AND attribute_not_exists(removedSinceMs)',
  values: { ':yes': true },
});
