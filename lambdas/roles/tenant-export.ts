/** Tenant export: everything of one tenant as lines of JSON, without secrets, a page at a time. */
import { viewCall, viewRecord } from '#core/call-view.ts';
import { viewPresentity } from '#core/presentity-view.ts';
import { decodeBinding } from '#table/binding-item.ts';
import { decodeCall } from '#table/call-item.ts';
import { decodeApiKey } from '#table/key-item.ts';
import {
  historyPartition,
  listOfKey,
  mailboxPartition,
  presentityOfKey,
  REPORTED_PREFIX,
  TENANT_SORT_KEY,
  userOfKey,
  webhookOfKey,
} from '#table/keys.ts';
import { decodeList } from '#table/list-item.ts';
import { decodePresentity } from '#table/presentity-item.ts';
import { decodeRecord } from '#table/record-item.ts';
import { decodeSubscription } from '#table/subscription-list.ts';
import { type Item, partitionQuery, type Table } from '#table/table.ts';
import { readSection, type Section, sectionsOf } from '#table/tenant-inventory.ts';
import { decodeTenant } from '#table/tenant-item.ts';
import { decodeUser } from '#table/user-item.ts';
import { decodeWebhook } from '#table/webhook-item.ts';
import { showKey } from './key-desk.ts';
import { viewBinding, viewSubscription } from './live-desk.ts';
import { showTenant } from './tenant-desk.ts';
import { showWebhook } from './webhook-desk.ts';

/** Where a page begins: in a section, behind a thing of it. */
export interface ExportPlace {
  readonly section: string;
  readonly after?: string | undefined;
}

export interface ExportPage {
  readonly lines: readonly object[];
  readonly next?: ExportPlace | undefined;
}

/** A page is sent as one text. */
const MAX_BYTES = 1024 * 1024;
/** Of what stands beside one thing: a mailbox, a history. */
const MAX_BESIDE = 200;
/** Things read at once: a page may be that much over its bytes. */
const MAX_READ = 10;

/** @param limit things of a page; what stands beside them comes with them */
export async function exportTenant(
  table: Table,
  domain: string,
  { limit, from }: { readonly limit: number; readonly from?: ExportPlace | undefined },
  nowMs: number,
): Promise<ExportPage> {
  const sections = sectionsOf(domain).toReversed();
  const start = Math.max(
    0,
    sections.findIndex(({ name }) => name === from?.section),
  );
  const lines: object[] = [];
  let [things, bytes] = [0, 0];
  for (const section of sections.slice(start)) {
    let after = section.name === from?.section ? from.after : undefined;
    do {
      if (things >= limit || bytes >= MAX_BYTES) return { lines, next: { section: section.name, after } };
      const page = await readSection(table, section, Math.min(limit - things, MAX_READ), after);
      const told = await toldOf(table, section, page.things, domain, nowMs);
      lines.push(...told);
      bytes += JSON.stringify(told).length;
      things += page.things.length;
      after = page.place;
    } while (after !== undefined);
  }
  return { lines };
}

async function toldOf(table: Table, section: Section, things: readonly Item[], domain: string, nowMs: number) {
  const items = await whole(table, section, things);
  return (await Promise.all(items.map((item) => linesOf(table, section, item, domain, nowMs)))).flat();
}

/** A list has keys only. */
async function whole(table: Table, section: Section, things: readonly Item[]): Promise<readonly Item[]> {
  if ('partition' in section) return things;
  return table.getBatch(
    things.map(({ PK, SK }) => ({ PK, SK })),
    { consistent: true },
  );
}

type Lines = readonly object[] | Promise<readonly object[]>;

function linesOf(table: Table, { name }: Section, item: Item, domain: string, nowMs: number): Lines {
  switch (name) {
    case 'tenant':
      return tenantLines(item, domain, nowMs);
    case 'users':
      return userLines(table, item, domain);
    case 'bindings':
      return [{ kind: 'binding', ...viewBinding(userOfKey(item.PK)?.user ?? '', decodeBinding(item)) }];
    case 'lists':
      return [{ kind: 'list', name: listOfKey(item.PK)?.user, members: decodeList(item) }];
    case 'subscriptions':
      return [{ kind: 'subscription', ...viewSubscription(decodeSubscription(item)) }];
    case 'devices':
      return [{ kind: 'device', user: presentityOfKey(item.PK)?.user, ...only(item, ['id', 'gatewayId']) }];
    case 'presentities':
      return presentityLines(table, item, domain, nowMs);
    case 'calls':
      return [{ kind: 'call', ...viewCall(decodeCall(item), nowMs) }];
    case 'records':
      return [{ kind: 'record', ...viewRecord(decodeRecord(item)) }];
    case 'sources':
      return sourceLines(table, item);
    case 'keys':
      return [{ kind: 'key', ...showKey(decodeApiKey(item), nowMs) }];
    case 'audit':
      return [{ kind: 'audit', ...only(item, ['id', 'atMs', 'by', 'action', 'resource', 'before', 'after']) }];
    default:
      // What is not named here may be a secret.
      return [];
  }
}

function tenantLines(item: Item, domain: string, nowMs: number): readonly object[] {
  const [kind = ''] = item.SK.split('#');
  if (item.SK === TENANT_SORT_KEY) return [{ kind: 'tenant', ...showTenant(decodeTenant(item, domain)) }];
  const webhook = webhookOfKey(item);
  if (webhook) return [{ kind: 'webhook', ...showWebhook(decodeWebhook(item, domain), nowMs) }];
  if (kind === 'TRUNK')
    return [{ kind: 'trunk', ...only(item, ['transport', 'host', 'port', 'addresses', 'callerId']) }];
  const counters = ['profile', 'value', 'size', 'processed', 'failed', 'early', 'active', 'users', 'lists', 'webhooks'];
  return [{ kind: 'counter', name: item.SK, ...only(item, counters) }];
}

async function userLines(table: Table, item: Item, domain: string): Promise<readonly object[]> {
  const { user, role, displayName, groups, watch } = decodeUser(item, domain, userOfKey(item.PK)?.user ?? '');
  const messages = await table.query(partitionQuery(mailboxPartition(domain, user), undefined, { limit: MAX_BESIDE }));
  const parts = ['id', 'receivedAtMs', 'expiresAtMs', 'headers', 'body'];
  return [
    { kind: 'user', user, role, displayName, groups, watch },
    ...messages.slice(0, MAX_BESIDE).map((message) => ({ kind: 'message', user, ...only(message, parts) })),
  ];
}

async function presentityLines(table: Table, item: Item, domain: string, nowMs: number): Promise<readonly object[]> {
  const user = presentityOfKey(item.PK)?.user ?? '';
  const changes = await table.query({
    ...partitionQuery(historyPartition(domain, user), undefined, { limit: MAX_BESIDE }),
    descending: true,
  });
  const parts = ['version', 'atMs', 'from', 'to', 'sources', 'dialogs', 'registered', 'presence'];
  return [
    { kind: 'presentity', ...viewPresentity({ domain, user }, decodePresentity(item), nowMs) },
    ...changes.slice(0, MAX_BESIDE).map((change) => ({ kind: 'change', user, ...only(change, parts) })),
  ];
}

async function sourceLines(table: Table, item: Item): Promise<readonly object[]> {
  const reported = await table.query(partitionQuery(item.PK, REPORTED_PREFIX));
  const users = reported.map(({ SK }) => SK.slice(REPORTED_PREFIX.length));
  return [{ kind: 'source', source: item.listedBy, ...only(item, ['snapshot']), users }];
}

/** What is named; nothing else leaves. */
const only = (item: Item, names: readonly string[]): object =>
  Object.fromEntries(names.flatMap((name) => (item[name] === undefined ? [] : [[name, item[name]]])));
